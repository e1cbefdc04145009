import { type Allowance, Bucket } from "./bucket.ts";

/**
 * Of how many visitors it is known what they have left, those who did something last: some 500 bytes each. Whoever is forgotten
 * has their full allowances again; but who can come under so many ids has them under each already.
 */
export const KNOWN_VISITORS = 10_000;

/** What each visitor may do, by what it is. It has no clock: milliseconds that never go back are given to it. */
export class Allowances<Input extends string> {
  readonly #allowances: Readonly<Record<Input, Allowance>>;
  /** The one who did something last at the end. */
  readonly #buckets = new Map<string, Map<Input, Bucket>>();

  constructor(allowances: Readonly<Record<Input, Allowance>>) {
    this.#allowances = allowances;
  }

  get known(): number {
    return this.#buckets.size;
  }

  /** @returns false when it is too much just now */
  take(visitorId: string, input: Input, nowMs: number): boolean {
    const buckets = this.#buckets.get(visitorId) ?? new Map<Input, Bucket>();
    this.#buckets.delete(visitorId);
    this.#buckets.set(visitorId, buckets);
    const [longest] = this.#buckets.keys();
    if (this.#buckets.size > KNOWN_VISITORS && longest !== undefined) this.#buckets.delete(longest);
    // Full from the start: what a visitor has not done yet they have all of.
    const bucket = buckets.get(input) ?? new Bucket(this.#allowances[input], nowMs);
    buckets.set(input, bucket);
    return bucket.take(nowMs);
  }
}
