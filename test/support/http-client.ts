import { eventually } from "./eventually.ts";

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Headers;
}

/** A client of the service: JSON there and back. */
export class HttpClient {
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.url = url;
    this.#headers = headers;
  }

  get(path: string): Promise<Answer> {
    return this.ask("GET", path);
  }

  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...this.#headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : JSON.parse(text), headers: response.headers };
  }

  async openSession(options: { readonly ttlMs?: number } = {}): Promise<HttpSession> {
    const { body, status } = await this.ask("POST", "/v1/sessions", options);
    if (status !== 201) throw new Error(`no session: ${JSON.stringify(body)}`);
    return new HttpSession(this, String(body["session"]), String(body["pid"]));
  }

  stream(path: string, lastEventId?: string): EventReader {
    return new EventReader(`${this.url}${path}`, {
      ...this.#headers,
      accept: "text/event-stream",
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    });
  }
}

export class HttpSession {
  readonly client: HttpClient;
  readonly id: string;
  readonly pid: string;

  constructor(client: HttpClient, id: string, pid: string) {
    this.client = client;
    this.id = id;
    this.pid = pid;
  }

  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.client.ask(method, `/v1/sessions/${this.id}${path}`, body);
  }

  events(lastEventId?: string): EventReader {
    return this.client.stream(`/v1/sessions/${this.id}/events`, lastEventId);
  }
}

export interface SseEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads server-sent events until it is disposed of, or the stream ends. */
export class EventReader implements Disposable {
  readonly events: SseEvent[] = [];
  hasEnded = false;
  readonly #abort = new AbortController();

  constructor(url: string, headers: Readonly<Record<string, string>>) {
    void this.#run(url, headers);
  }

  get lastId(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id;
  }

  async saw(isIt: (event: SseEvent) => boolean): Promise<SseEvent> {
    await eventually(() => this.events.some(isIt), { withinMs: 20_000 });
    return this.events.find(isIt) as SseEvent;
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }

  async #run(url: string, headers: Readonly<Record<string, string>>): Promise<void> {
    try {
      const response = await fetch(url, { headers, signal: this.#abort.signal });
      if (!response.ok || response.body === null) throw new Error(await response.text());
      const sse = new SseText((event) => this.events.push(event));
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) sse.take(text);
    } catch (error) {
      if (!this.#abort.signal.aborted)
        this.events.push({ id: undefined, event: "broken", data: { error: String(error) } });
    } finally {
      this.hasEnded = true;
    }
  }
}

/** Takes a stream apart, however it is cut into pieces. */
export class SseText {
  readonly #give: (event: SseEvent) => void;
  #rest = "";

  constructor(give: (event: SseEvent) => void) {
    this.#give = give;
  }

  take(text: string): void {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop() ?? "";
    for (const block of blocks) this.#block(block);
  }

  #block(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
    const data = field("data");
    if (data !== undefined)
      this.#give({ id: field("id"), event: field("event") ?? "message", data: JSON.parse(data) });
  }
}
