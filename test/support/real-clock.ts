import type { Cancel, Clock, Now } from "../../src/kernel/clock.ts";

/** The machine's clock, for adapters under test. */
export class RealClock implements Clock {
  now(): Now {
    return { monotonicMs: performance.now(), wallMs: Date.now() };
  }

  after(delayMs: number, run: () => void): Cancel {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  }

  endOfTurn(run: () => void): void {
    setImmediate(run);
  }
}
