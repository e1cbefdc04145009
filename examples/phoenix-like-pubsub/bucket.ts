/** How much of something one may do: so many at once, and then one more each so often. */
export interface Allowance {
  readonly burst: number;
  readonly refillMs: number;
}

/** A token bucket: full at first. It has no clock, and is told what time it is: milliseconds that never go back. */
export class Bucket {
  readonly #allowance: Allowance;
  #left: number;
  #atMs: number;

  constructor(allowance: Allowance, nowMs: number) {
    this.#allowance = allowance;
    this.#left = allowance.burst;
    this.#atMs = nowMs;
  }

  /** @returns false when there is nothing left: it is too much just now */
  take(nowMs: number): boolean {
    const { burst, refillMs } = this.#allowance;
    const gained = Math.floor((nowMs - this.#atMs) / refillMs);
    this.#left = Math.min(burst, this.#left + gained);
    // What is left of the time counts for the next one.
    this.#atMs += gained * refillMs;
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }
}
