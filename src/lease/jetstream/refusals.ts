import type { Cancel, Clock } from "../../kernel/clock.ts";
import { fraction, type Random } from "../../kernel/random.ts";
import { REFUSAL_MS } from "./limits.ts";

/**
 * Who is told that the stream did not take a request asks again at once. Without a leader, which may take 10 s, that would be
 * thousands of requests a second that nobody takes. So all that are refused within a while are told together at its end, and it is
 * longer each time until something is taken.
 */
export class Refusals {
  readonly #clock: Clock;
  readonly #random: Random;
  #waiting: (() => void)[] = [];
  #cancel: Cancel = () => undefined;
  #rounds = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** @param tell run later, unless `stop` comes first */
  add(tell: () => void): void {
    this.#waiting.push(tell);
    if (this.#waiting.length > 1) return;
    const spreadMs = Math.min(REFUSAL_MS.last, REFUSAL_MS.first * 2 ** this.#rounds);
    this.#rounds += 1;
    // Half of it at least: one draw near 0 would be a round for nothing.
    this.#cancel = this.#clock.after(spreadMs * (0.5 + fraction(this.#random) / 2), () => {
      const told = this.#waiting;
      this.#waiting = [];
      for (const each of told) each();
    });
  }

  /** Something was taken: there is a leader again. */
  taken(): void {
    this.#rounds = 0;
  }

  stop(): void {
    this.#cancel();
    this.#waiting = [];
  }
}
