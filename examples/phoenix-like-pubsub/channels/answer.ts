/** What a client is answered: made by `ok`, `refuse` and `reply`, so that nothing else is taken for one. */
export class Answer {
  readonly status: string;
  /** Whatever JSON can say, or bytes. */
  readonly response: unknown;

  private constructor(status: string, response: unknown) {
    this.status = status;
    this.response = response;
  }

  /** For `ok`, `refuse` and `reply`. */
  static of(status: string, response: unknown): Answer {
    return new Answer(status, response);
  }
}

/** Lets a client in; or answers an event with what it asked for. */
export function ok(response: unknown = {}): Answer {
  return Answer.of("ok", response);
}

/** Keeps a client out; or answers an event with why not. A text is told as `{ reason }`. */
export function refuse(response: unknown = {}): Answer {
  return Answer.of("error", typeof response === "string" ? { reason: response } : response);
}

/** Answers an event with a status of your own, which the client asks for with `receive(status, …)`. */
export function reply(status: string, response: unknown = {}): Answer {
  return Answer.of(status, response);
}
