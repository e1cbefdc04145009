import type { ServerResponse } from "node:http";
import type { Cancel, Clock } from "../kernel/clock.ts";

export interface EventStreamOptions {
  readonly response: ServerResponse;
  readonly clock: Clock;
  /** How long the reader may leave what was written unread, in milliseconds. */
  readonly stallMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly onWritable: () => void;
  readonly onClose: () => void;
}

/** Proxies close what is silent for a minute. */
const PING_EVERY_MS = 15_000;
/** For how long a client waits before it comes back. */
const RETRY_MS = 1_000;
const KEEP_ALIVE_AFTER_MS = 5_000;

/** Server-sent events to one client: nothing more is written until the client has taken what was. */
export class EventStream {
  readonly #options: EventStreamOptions;
  #withdrawPing: Cancel | undefined;
  #withdrawStall: Cancel | undefined;
  #isWritable = true;
  #isClosed = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    const { headers, response } = options;
    response.writeHead(200, {
      ...headers,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // Else nginx keeps events back until it has a buffer full of them.
      "x-accel-buffering": "no",
    });
    response.socket?.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
    response.on("close", () => this.#closed());
    response.on("drain", () => this.#drained());
    // A reset by the client is followed by `close`.
    response.on("error", () => {});
    this.write(`retry: ${RETRY_MS}\n\n`);
    this.#schedulePing();
  }

  get isWritable(): boolean {
    return this.#isWritable && !this.#isClosed;
  }

  /** What does not fit is taken all the same: write only while `isWritable`. */
  write(text: string): void {
    if (this.#isClosed || this.#options.response.write(text)) return;
    if (!this.#isWritable) return;
    this.#isWritable = false;
    this.#withdrawStall = this.#options.clock.after(this.#options.stallMs, () => this.destroy());
  }

  end(lastWords = ""): void {
    if (this.#isClosed) return;
    const { clock, response, stallMs } = this.#options;
    response.end(lastWords);
    this.#closed();
    // Whoever does not read would keep it open, with all that was written, for ever.
    response.once(
      "close",
      clock.after(stallMs, () => response.destroy()),
    );
  }

  destroy(): void {
    this.#options.response.destroy();
    this.#closed();
  }

  #drained(): void {
    this.#withdrawStall?.();
    this.#isWritable = true;
    if (!this.#isClosed) this.#options.onWritable();
  }

  #schedulePing(): void {
    this.#withdrawPing = this.#options.clock.after(PING_EVERY_MS, () => {
      if (this.isWritable) this.write(": still here\n\n");
      this.#schedulePing();
    });
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#withdrawPing?.();
    this.#withdrawStall?.();
    this.#options.onClose();
  }
}

/** @param text without line ends, as JSON is */
export function sseEvent(event: string, text: string, id?: string): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${text}\n\n`;
}
