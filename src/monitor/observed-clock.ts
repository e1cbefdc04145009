import { CLOCK_STEP_MS } from "./limits.ts";

/** Readings are whole multiples of this, so that sums of them, and so deadlines, are exact. */
const GRAIN = 1_024;

/**
 * A clock that goes only while its owner looks: each step adds what has passed, but never more than `CLOCK_STEP_MS`. Silence
 * measured on it is silence that this node was there to hear. An event loop that stalled, or an OS process that was stopped,
 * finds its peers as fresh as it left them.
 */
export class ObservedClock {
  #monotonicMs: number | undefined;
  #observedMs = 0;

  /** The present reading. */
  get nowMs(): number {
    return this.#observedMs;
  }

  /** Takes one look, and says how much time has passed in truth. */
  advance(monotonicMs: number): number {
    const reading = Math.ceil(monotonicMs * GRAIN) / GRAIN;
    const elapsedMs = this.#monotonicMs === undefined ? 0 : Math.max(0, reading - this.#monotonicMs);
    this.#monotonicMs = Math.max(reading, this.#monotonicMs ?? reading);
    this.#observedMs += Math.min(elapsedMs, CLOCK_STEP_MS);
    return elapsedMs;
  }

  /** When this clock will show `observedMs` if nothing stalls, as monotonic time. */
  toMonotonic(observedMs: number): number {
    return (this.#monotonicMs ?? 0) + Math.max(0, observedMs - this.#observedMs);
  }
}
