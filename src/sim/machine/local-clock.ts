import type { Clock, Now } from "../../kernel/clock.ts";

/** The clocks of one node: they may run fast or slow, and the calendar may step. The monotonic one never goes back. */
export class LocalClock {
  readonly #global: Clock;
  #rate = 1;
  #sinceGlobalMs: number;
  #sinceLocalMs: number;
  #wallAheadMs = 0;
  /** Nothing has been done to this clock so far. */
  #isTrue = true;

  constructor(global: Clock) {
    this.#global = global;
    this.#sinceGlobalMs = global.now().monotonicMs;
    this.#sinceLocalMs = this.#sinceGlobalMs;
  }

  now(): Now {
    const now = this.#global.now();
    if (this.#isTrue) return now;
    const { monotonicMs, wallMs } = now;
    const local = this.#sinceLocalMs + (monotonicMs - this.#sinceGlobalMs) * this.#rate;
    return { monotonicMs: local, wallMs: wallMs - monotonicMs + local + this.#wallAheadMs };
  }

  get isDrifting(): boolean {
    return this.#rate !== 1;
  }

  /** How long it is until this clock shows that, on the global one. */
  globalDelayUntil(localMs: number): number {
    return Math.max(0, (localMs - this.now().monotonicMs) / this.#rate);
  }

  setRate(rate: number): void {
    this.#sinceLocalMs = this.now().monotonicMs;
    this.#sinceGlobalMs = this.#global.now().monotonicMs;
    this.#rate = rate;
    this.#isTrue = false;
  }

  stepWall(byMs: number): void {
    this.#wallAheadMs += byMs;
    this.#isTrue = false;
  }
}
