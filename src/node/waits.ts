import { BusClosedError, LimitExceededError, type RollcallError, TimeoutError } from "../kernel/errors.ts";
import type { NodeId } from "../kernel/ids.ts";
import type { AbortListeners } from "./abort-listeners.ts";
import type { Deadlines, Due } from "./deadlines.ts";
import { deferred } from "./deferred.ts";

/** How long a caller waits, and what may end the wait early. */
export interface WaitOptions {
  /** What is waited for, in words that fit before "took longer than 5000 ms". */
  readonly operation: string;
  /** What the operation is about: written behind it, in parentheses. */
  readonly subject?: string | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A promise with an end: an answer, its deadline, its caller's signal, or the stop of the node. */
export class Wait<T> implements Due {
  dueAtMs = 0;
  heapIndex = -1;
  readonly #waits: Waits;
  readonly #options: WaitOptions;
  readonly #outcome = deferred<T>();
  #settled = false;
  #abort: (() => void) | undefined;

  /**
   * @throws the signal's reason when it has aborted already
   * @throws LimitExceededError when too many wait already
   * @throws BusClosedError after the stop
   */
  constructor(waits: Waits, options: WaitOptions) {
    waits.checkRoom(options);
    this.#waits = waits;
    this.#options = options;
    if (options.signal !== undefined) {
      this.#abort = () => this.#aborted();
      waits.aborts.add(options.signal, this.#abort);
    }
    waits.add(this, options.timeoutMs);
  }

  get promise(): Promise<T> {
    return this.#outcome.promise;
  }

  get settled(): boolean {
    return this.#settled;
  }

  resolve(value: T): void {
    if (this.#settle()) this.#outcome.resolve(value);
  }

  reject(error: unknown): void {
    if (this.#settle()) this.#outcome.reject(error);
  }

  expire(): void {
    if (this.#settled) return;
    const lagging = this.lagging();
    this.gaveUp();
    this.reject(new TimeoutError(this.describe(wordsFor(this.#options)), this.#options.timeoutMs, lagging));
  }

  /** What a `TimeoutError` calls it. */
  protected describe(operation: string): string {
    return operation;
  }

  /** Called once, whatever ended the wait. */
  protected forget(): void {}

  /** Called when the caller stops waiting before there was an answer. */
  protected gaveUp(): void {}

  /** The nodes that a `TimeoutError` names. */
  protected lagging(): readonly NodeId[] {
    return [];
  }

  #aborted(): void {
    if (this.#settled) return;
    this.gaveUp();
    this.reject(this.#options.signal?.reason);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    const { signal } = this.#options;
    if (signal !== undefined && this.#abort !== undefined) this.#waits.aborts.remove(signal, this.#abort);
    this.#waits.remove(this);
    this.forget();
    return true;
  }
}

/** Only when it comes to that: most waits end well, and nobody reads this. */
export function wordsFor({ operation, subject }: Pick<WaitOptions, "operation" | "subject">): string {
  return subject === undefined ? operation : `${operation}(${JSON.stringify(subject)})`;
}

/** Any wait, whatever it resolves with. */
type AnyWait = Pick<Wait<never>, "reject"> & Due;

/** Those who wait for something of this node: bounded, and none is left waiting when the node stops. */
export class Waits {
  readonly aborts: AbortListeners;
  readonly #deadlines: Deadlines;
  readonly #limit: string;
  readonly #allowed: number;
  readonly #open = new Set<AnyWait>();
  #closed: RollcallError | undefined;

  /** @param limit the option under `limits` that says how many may wait at once */
  constructor(deadlines: Deadlines, aborts: AbortListeners, limit: string, allowed: number) {
    this.aborts = aborts;
    this.#deadlines = deadlines;
    this.#limit = limit;
    this.#allowed = allowed;
  }

  get size(): number {
    return this.#open.size;
  }

  checkRoom(options: WaitOptions): void {
    if (this.#closed !== undefined) throw this.#closed;
    options.signal?.throwIfAborted();
    if (this.#open.size < this.#allowed) return;
    throw new LimitExceededError(
      this.#limit,
      this.#allowed,
      `${wordsFor(options)}: as many as may wait already`,
    );
  }

  add(wait: AnyWait, timeoutMs: number): void {
    this.#open.add(wait);
    this.#deadlines.add(wait, timeoutMs);
  }

  remove(wait: AnyWait): void {
    this.#open.delete(wait);
    this.#deadlines.remove(wait);
  }

  /** Rejects all who wait, and all who come later. */
  close(error: RollcallError = new BusClosedError()): void {
    this.#closed ??= error;
    for (const wait of [...this.#open]) wait.reject(error);
  }
}
