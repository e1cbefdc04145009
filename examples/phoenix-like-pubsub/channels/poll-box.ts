/** One request that waits for messages. */
export type PollId = number;

export type PollInput =
  | { readonly kind: "message"; readonly text: string }
  /** What came in this turn of the event loop is there: whoever waits may have it. */
  | { readonly kind: "flush" }
  | { readonly kind: "poll"; readonly poll: PollId }
  /** Who polled is gone, unanswered. */
  | { readonly kind: "pollGone"; readonly poll: PollId }
  /** A sign of life other than a poll. */
  | { readonly kind: "request" }
  /** The deadline may have passed. */
  | { readonly kind: "tick" }
  | { readonly kind: "end" };

/** Answers as the client reads them: 200 with messages, 204 for none, 410 when the session is over. */
export type PollEffect =
  | {
      readonly kind: "answer";
      readonly poll: PollId;
      readonly status: 200 | 204 | 410;
      readonly messages: readonly string[];
    }
  /** A flush is wanted, once this turn is over. */
  | { readonly kind: "flushSoon" }
  | { readonly kind: "ended"; readonly cause: "ended" | "silent" | "slow" };

export interface PollRules {
  /** How long a poll waits for something to happen. */
  readonly pollMs: number;
  readonly outboundBytes: number;
}

/** A client that has not polled for as many polls is gone: as Phoenix has it. */
const SILENT_POLLS = 1.5;

/** What waits for one client between its polls. Told the time; `deadlineMs` is when it wants to be told again. */
export class PollBox {
  readonly #rules: PollRules;
  #messages: string[] = [];
  #bytes = 0;
  #waiting: PollId | undefined;
  #isFlushDue = false;
  #hasEnded = false;
  #deadlineMs: number;

  constructor(rules: PollRules, nowMs: number) {
    this.#rules = rules;
    this.#deadlineMs = nowMs + rules.pollMs * SILENT_POLLS;
  }

  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  step(input: PollInput, nowMs: number): readonly PollEffect[] {
    if (this.#hasEnded)
      return input.kind === "poll" ? [{ kind: "answer", poll: input.poll, status: 410, messages: [] }] : [];
    switch (input.kind) {
      case "message":
        return this.#take(input.text);
      case "flush":
        this.#isFlushDue = false;
        return this.#messages.length === 0 ? [] : this.#answer(200, nowMs);
      case "poll":
        return this.#poll(input.poll, nowMs);
      case "pollGone":
        if (this.#waiting !== input.poll) return [];
        this.#waiting = undefined;
        this.#awaitPoll(nowMs);
        return [];
      case "request":
        if (this.#waiting === undefined) this.#awaitPoll(nowMs);
        return [];
      case "tick":
        if (nowMs < this.#deadlineMs) return [];
        return this.#waiting === undefined ? this.#end("silent") : this.#answer(204, nowMs);
      case "end":
        return this.#end("ended");
    }
  }

  #take(text: string): readonly PollEffect[] {
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > this.#rules.outboundBytes) return this.#end("slow");
    this.#messages.push(text);
    if (this.#isFlushDue || this.#waiting === undefined) return [];
    this.#isFlushDue = true;
    return [{ kind: "flushSoon" }];
  }

  #poll(poll: PollId, nowMs: number): readonly PollEffect[] {
    // The client has given up the earlier one, or something between has sent it twice.
    const earlier = this.#waiting === undefined ? [] : this.#answer(204, nowMs);
    this.#waiting = poll;
    this.#deadlineMs = nowMs + this.#rules.pollMs;
    return this.#messages.length === 0 ? earlier : [...earlier, ...this.#answer(200, nowMs)];
  }

  #answer(status: 200 | 204, nowMs: number): readonly PollEffect[] {
    const poll = this.#waiting;
    if (poll === undefined) return [];
    const messages = status === 200 ? this.#messages : [];
    if (status === 200) {
      this.#messages = [];
      this.#bytes = 0;
    }
    this.#waiting = undefined;
    this.#awaitPoll(nowMs);
    return [{ kind: "answer", poll, status, messages }];
  }

  #awaitPoll(nowMs: number): void {
    this.#deadlineMs = nowMs + this.#rules.pollMs * SILENT_POLLS;
  }

  #end(cause: "ended" | "silent" | "slow"): readonly PollEffect[] {
    this.#hasEnded = true;
    this.#messages = [];
    const poll = this.#waiting;
    this.#waiting = undefined;
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    const answer: readonly PollEffect[] =
      poll === undefined ? [] : [{ kind: "answer", poll, status: 410, messages: [] }];
    return [...answer, { kind: "ended", cause }];
  }
}
