import { BoundedQueue } from "../kernel/bounded-queue.ts";
import type { RollcallError } from "../kernel/errors.ts";
import type { AbortListeners } from "./abort-listeners.ts";
import type { WatchIterator } from "./types.ts";

/** What a watch needs of the table that it watches. */
export interface WatchSource<T> {
  /** The present state, as one event. */
  snapshot(kind: "state" | "resync"): T;
  /** Called once, when nobody reads any more. */
  onEnd(watch: Watch<T>): void;
}

interface Reader<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/**
 * One reader's view of a table: the state as it was when the watch began, then every change in order. Each event goes to one
 * call of `next`.
 *
 * A reader that lets more than `limits.watchQueue` events pile up loses them all, and gets one `resync` in their place: the
 * state as it is when it reads that. From there on it sees every change again.
 *
 * The iteration ends when the node stops, or the signal aborts; it throws only when the node was closed against its will.
 */
export class Watch<T> implements WatchIterator<T> {
  readonly #source: WatchSource<T>;
  readonly #queue: BoundedQueue<T>;
  readonly #aborts: AbortListeners;
  readonly #signal: AbortSignal | undefined;
  /** Those who called `next` before there was anything for them. */
  #readers: Reader<T>[] = [];
  #behind = false;
  #ended = false;
  #error: RollcallError | undefined;

  constructor(
    source: WatchSource<T>,
    watchQueue: number,
    aborts: AbortListeners,
    signal: AbortSignal | undefined,
  ) {
    this.#source = source;
    // The first event is the state, and takes no room from those that follow.
    this.#queue = new BoundedQueue({ name: "watchQueue", items: watchQueue + 1 });
    this.#aborts = aborts;
    this.#signal = signal;
    this.#queue.push(source.snapshot("state"));
    if (signal?.aborted === true) this.#stop();
    else if (signal !== undefined) aborts.add(signal, this.#stop);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Something has changed. */
  push(event: T): void {
    // What the reader missed shows in the state that it will be given.
    if (this.#ended || this.#behind) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ value: event, done: false });
    else if (!this.#queue.push(event)) {
      this.#queue.clear();
      this.#behind = true;
    }
  }

  /** @param error why, when it was not meant: the reader gets it after what is queued */
  end(error?: RollcallError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    if (this.#signal !== undefined) this.#aborts.remove(this.#signal, this.#stop);
    this.#source.onEnd(this);
    const readers = this.#readers;
    this.#readers = [];
    for (const reader of readers) {
      const failure = this.#takeError();
      if (failure === undefined) reader.resolve({ value: undefined, done: true });
      else reader.reject(failure);
    }
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const queued = this.#queue.shift();
    if (queued !== undefined) return { value: queued, done: false };
    if (this.#ended) {
      const failure = this.#takeError();
      if (failure !== undefined) throw failure;
      return { value: undefined, done: true };
    }
    if (this.#behind) {
      this.#behind = false;
      return { value: this.#source.snapshot("resync"), done: false };
    }
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#queue.clear();
    this.end();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): WatchIterator<T> {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** As with every iterator, only one reader is told of the error; those after it, that there is no more. */
  #takeError(): RollcallError | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  readonly #stop = (): void => {
    this.#queue.clear();
    this.end();
  };
}
