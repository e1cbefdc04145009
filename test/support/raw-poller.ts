/** What a poll is answered, in its body. */
export interface PollBody {
  readonly status: number;
  readonly token?: string | null;
  readonly messages?: readonly string[];
}

/** A client that long-polls, and says exactly what it is told to. */
export class RawPoller {
  readonly #base: string;
  readonly #query: string;
  token: string | undefined;

  constructor(base: string, query = "vsn=2.0.0&") {
    this.#base = base;
    this.#query = query;
  }

  static async open(base: string): Promise<RawPoller> {
    const poller = new RawPoller(base);
    await poller.begin();
    return poller;
  }

  async begin(init?: RequestInit): Promise<PollBody> {
    const body = await this.poll(init);
    this.token = body.token ?? undefined;
    return body;
  }

  async poll(init?: RequestInit): Promise<PollBody> {
    return read(await fetch(this.#url(), init));
  }

  /** The frames of the next answer. */
  async take(): Promise<readonly unknown[]> {
    const { messages = [], status } = await this.poll();
    if (status !== 200) throw new Error(`the poll was answered ${status}`);
    return messages.map((text) => JSON.parse(text) as unknown);
  }

  /** Text frames are arrays; bytes are sent as base64. */
  async post(...frames: readonly (readonly unknown[] | Uint8Array)[]): Promise<PollBody> {
    const lines = frames.map((frame) =>
      frame instanceof Uint8Array ? Buffer.from(frame).toString("base64") : JSON.stringify(frame),
    );
    return this.postText(lines.join("\n"));
  }

  async postText(body: string, type = "application/x-ndjson"): Promise<PollBody> {
    return read(await fetch(this.#url(), { method: "POST", headers: { "content-type": type }, body }));
  }

  #url(): string {
    const token = this.token === undefined ? "" : `&token=${this.token}`;
    return `${this.#base}/longpoll?${this.#query}${token}`;
  }
}

/** All answers are 200 to HTTP. */
async function read(response: Response): Promise<PollBody> {
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
  return (await response.json()) as PollBody;
}
