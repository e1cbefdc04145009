import { SseParser } from "./sse.js";

/**
 * @typedef {import("./sse.js").SseEvent} SseEvent
 *
 * @typedef {{ kind: "connecting" } | { kind: "live" } | { kind: "waiting", ms: number, why: string }
 *   | { kind: "refused", status: number, why: string } | { kind: "paused" }} Status
 *
 * @typedef {object} LiveOptions
 * @property {string} url
 * @property {typeof fetch} fetch
 * @property {(ms: number, run: () => void) => () => void} after
 * @property {() => number} random
 * @property {() => string | undefined} token
 * @property {(events: readonly SseEvent[]) => void} onEvents
 * @property {(status: Status) => void} onStatus
 */

/** The server says something every 15 s. A connection whose other end is gone does not end by itself. */
const SILENCE_MS = 40_000;
const FIRST_RETRY_MS = 1_000;
const MOST_RETRY_MS = 15_000;
/** As many answers that say no are no accident. */
const NO = new Set([400, 401, 403, 404]);

/** Follows a stream of server-sent events for as long as it is wanted: comes back where it was when it breaks. */
export class Live {
  #options;
  #lastEventId = "";
  #failures = 0;
  #retryMs = FIRST_RETRY_MS;
  /** @type {AbortController | undefined} */
  #abort;
  #cancel = () => {};

  /** @param {LiveOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Now, whatever it waits for. */
  start() {
    this.#end();
    void this.#run();
  }

  /** Until `start`, which goes on where it was. */
  pause() {
    this.#end();
    this.#options.onStatus({ kind: "paused" });
  }

  #end() {
    this.#cancel();
    this.#abort?.abort();
    this.#abort = undefined;
  }

  async #run() {
    const abort = new AbortController();
    this.#abort = abort;
    this.#options.onStatus({ kind: "connecting" });
    let why = "the stream ended";
    try {
      const refusal = await this.#follow(abort);
      if (refusal !== undefined) {
        if (!abort.signal.aborted) this.#options.onStatus(refusal);
        return;
      }
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
    // Somebody else runs by now, or nobody is to.
    if (this.#abort !== abort) return;
    abort.abort();
    this.#waitAndRetry(why);
  }

  /**
   * @param {AbortController} abort
   * @returns {Promise<Status | undefined>} when there is no use in trying again
   */
  async #follow(abort) {
    const { onEvents, onStatus, token, url } = this.#options;
    const given = token();
    const headers = new Headers({ accept: "text/event-stream" });
    if (given !== undefined) headers.set("authorization", `Bearer ${given}`);
    if (this.#lastEventId !== "") headers.set("last-event-id", this.#lastEventId);
    const silence = this.#listen(abort);
    try {
      const response = await this.#options.fetch(url, { headers, cache: "no-store", signal: abort.signal });
      if (NO.has(response.status)) {
        const problem = await response.json().catch(() => ({}));
        return {
          kind: "refused",
          status: response.status,
          why: String(problem.detail ?? response.statusText),
        };
      }
      if (!response.ok || response.body === null) throw new Error(`the answer was ${response.status}`);
      onStatus({ kind: "live" });
      const parser = new SseParser();
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || abort.signal.aborted) return undefined;
        silence.begin();
        const events = parser.push(decoder.decode(value, { stream: true }));
        this.#retryMs = parser.retryMs ?? this.#retryMs;
        if (events.length === 0) continue;
        this.#failures = 0;
        onEvents(events);
        // Only now that they were taken: else they are told again.
        this.#lastEventId = events.at(-1)?.id || this.#lastEventId;
      }
    } finally {
      silence.end();
    }
  }

  /**
   * Gives the connection up when nothing comes for long.
   *
   * @param {AbortController} abort
   */
  #listen(abort) {
    let cancel = () => {};
    const begin = () => {
      cancel();
      cancel = this.#options.after(SILENCE_MS, () => abort.abort(new Error("nothing was heard for long")));
    };
    begin();
    return { begin, end: () => cancel() };
  }

  /** @param {string} why */
  #waitAndRetry(why) {
    const { after, onStatus, random } = this.#options;
    const longest = Math.min(MOST_RETRY_MS, this.#retryMs * 2 ** this.#failures);
    this.#failures += 1;
    // Not all pages at once when a node is back.
    const ms = Math.round(longest * (0.5 + random() / 2));
    onStatus({ kind: "waiting", ms, why });
    this.#cancel = after(ms, () => void this.#run());
  }
}
