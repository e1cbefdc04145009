import type { Clock } from "../../kernel/clock.ts";
import { fraction, type Random } from "../../kernel/random.ts";

export interface DelayRange {
  readonly min: number;
  readonly max: number;
}

/** One way from one connection to another. What goes in first comes out first, each thing after a delay of its own. */
export class Link {
  /** How many faults keep everything from arriving. */
  deaf = 0;
  /** How many faults make everything arrive twice. */
  repeating = 0;
  slowerByMs = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #delayMs: DelayRange;
  readonly #underWay: (() => void)[] = [];
  #lastAtMs = 0;

  constructor(clock: Clock, random: Random, delayMs: DelayRange) {
    this.#clock = clock;
    this.#random = random;
    this.#delayMs = delayMs;
  }

  /** When the last thing sent arrives, on the clock's monotonic reading. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  send(arrive: () => void, notBeforeMs = 0): void {
    const { min, max } = this.#delayMs;
    const now = this.#clock.now().monotonicMs;
    const delay = min + fraction(this.#random) * (max - min) + this.slowerByMs;
    const at = Math.max(now + delay, this.#lastAtMs, notBeforeMs);
    this.#lastAtMs = at;
    this.#underWay.push(arrive);
    // Each timer lets the first one in line out, so that the order stands even where timers of one moment fire in another.
    this.#clock.after(at - now, () => this.#underWay.shift()?.());
  }
}
