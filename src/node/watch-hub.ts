import { LimitExceededError, type RollcallError } from "../kernel/errors.ts";
import type { AbortListeners } from "./abort-listeners.ts";
import { Watch } from "./watch.ts";

/** Somebody who is told what happens to a table. */
export interface Watcher<T> {
  push(event: T): void;
  /** Nothing follows. */
  end(error?: RollcallError): void;
}

/** How many may watch the tables of one node, all together. */
export class WatchQuota {
  readonly aborts: AbortListeners;
  readonly allowed: number;
  used = 0;
  /** How often a reader fell behind. */
  resyncs = 0;

  constructor(aborts: AbortListeners, watches: number) {
    this.aborts = aborts;
    this.allowed = watches;
  }
}

export interface WatchHubOptions<T> {
  readonly quota: WatchQuota;
  readonly watchQueue: number;
  /** The present state of one key, or of all, as one event. */
  snapshot(kind: "state" | "resync", key: string | undefined): T;
  /** Whether anyone watches has changed. */
  onInterest(watched: boolean): void;
}

/** Those who watch one table: all of it, or one key. */
export class WatchHub<T> {
  readonly #options: WatchHubOptions<T>;
  readonly #ofAll = new Set<Watcher<T>>();
  readonly #ofKey = new Map<string, Set<Watcher<T>>>();

  constructor(options: WatchHubOptions<T>) {
    this.#options = options;
  }

  /**
   * @param key undefined: everything
   * @throws LimitExceededError over `limits.watches`
   */
  open(key: string | undefined, signal: AbortSignal | undefined): Watch<T> {
    const { quota, watchQueue } = this.#options;
    if (quota.used >= quota.allowed) {
      throw new LimitExceededError("watches", quota.allowed, "as many watch this node's tables as may");
    }
    const source = {
      snapshot: (kind: "state" | "resync") => {
        if (kind === "resync") quota.resyncs += 1;
        return this.#options.snapshot(kind, key);
      },
      onEnd: (watch: Watch<T>) => this.#close(watch, key),
    };
    const watch = this.add(key, () => new Watch<T>(source, watchQueue, quota.aborts, signal));
    quota.used += 1;
    if (watch.ended) this.#close(watch, key);
    return watch;
  }

  /**
   * Of watchers that are bounded elsewhere: they take no place of `limits.watches`.
   *
   * @param make called when the table knows that somebody watches; it may throw
   */
  add<W extends Watcher<T>>(key: string | undefined, make: () => W): W {
    if (this.#isIdle) this.#options.onInterest(true);
    try {
      const watcher = make();
      this.#watchersOf(key).add(watcher);
      return watcher;
    } catch (error) {
      if (this.#isIdle) this.#options.onInterest(false);
      throw error;
    }
  }

  /** @returns false when it was not there any more */
  remove(watcher: Watcher<T>, key: string | undefined): boolean {
    const watchers = key === undefined ? this.#ofAll : this.#ofKey.get(key);
    if (watchers?.delete(watcher) !== true) return false;
    if (key !== undefined && watchers.size === 0) this.#ofKey.delete(key);
    if (this.#isIdle) this.#options.onInterest(false);
    return true;
  }

  /** Whether anybody watches this one key. */
  isWatched(key: string): boolean {
    return this.#ofKey.has(key);
  }

  emit(key: string | undefined, event: T): void {
    for (const watcher of this.#ofAll) watcher.push(event);
    if (key === undefined) return;
    for (const watcher of this.#ofKey.get(key) ?? []) watcher.push(event);
  }

  close(error?: RollcallError): void {
    for (const watcher of [...this.#ofAll]) watcher.end(error);
    for (const watchers of [...this.#ofKey.values()]) {
      for (const watcher of [...watchers]) watcher.end(error);
    }
  }

  #close(watch: Watch<T>, key: string | undefined): void {
    if (this.remove(watch, key)) this.#options.quota.used -= 1;
  }

  get #isIdle(): boolean {
    return this.#ofAll.size === 0 && this.#ofKey.size === 0;
  }

  #watchersOf(key: string | undefined): Set<Watcher<T>> {
    if (key === undefined) return this.#ofAll;
    const watchers = this.#ofKey.get(key) ?? new Set();
    this.#ofKey.set(key, watchers);
    return watchers;
  }
}
