import type { Clock, Now } from "../../kernel/clock.ts";

/** The clocks of one node: they may run fast or slow, and the calendar may step. The monotonic one never goes back. */
export class LocalClock {
  readonly #global: Clock;
  #rate = 1;
  #sinceGlobalMs: number;
  #sinceLocalMs: number;
  #wallAheadMs = 0;

  constructor(global: Clock) {
    this.#global = global;
    this.#sinceGlobalMs = global.now().monotonicMs;
    this.#sinceLocalMs = this.#sinceGlobalMs;
  }

  now(): Now {
    const { monotonicMs, wallMs } = this.#global.now();
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
  }

  stepWall(byMs: number): void {
    this.#wallAheadMs += byMs;
  }
}
