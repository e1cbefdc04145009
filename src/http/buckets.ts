import type { Now } from "../kernel/clock.ts";

export interface BucketLimits {
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

/** How many clients are told apart. Past that the one that was refilled longest ago is forgotten, which gives it a full bucket. */
const MOST_CLIENTS = 10_000;

/** A token bucket for each client address. */
export class Buckets {
  readonly #limits: BucketLimits;
  /** In the order in which they were used last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: BucketLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** @returns 0, or for how many milliseconds the client has to wait */
  take(client: string, now: Now): number {
    const { requestBurst, requestsPerSecond } = this.#limits;
    const known = this.#buckets.get(client) ?? { left: requestBurst, atMs: now.monotonicMs };
    const earned = ((now.monotonicMs - known.atMs) * requestsPerSecond) / 1_000;
    const left = Math.min(requestBurst, known.left + earned);
    this.#buckets.delete(client);
    this.#buckets.set(client, { left: left >= 1 ? left - 1 : left, atMs: now.monotonicMs });
    this.#forgetOldest();
    return left >= 1 ? 0 : Math.ceil(((1 - left) * 1_000) / requestsPerSecond);
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= MOST_CLIENTS) return;
    for (const client of this.#buckets.keys()) {
      this.#buckets.delete(client);
      return;
    }
  }
}
