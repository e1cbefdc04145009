import type { Cancel, Clock } from "../kernel/clock.ts";

/** The longest delay that `setTimeout` takes; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * This machine's clocks and timers. Timers do not keep the OS process alive: what does is the socket to the bus, so that a
 * program ends when its node has stopped, and not before.
 */
export const realClock: Clock = {
  now: () => ({ monotonicMs: performance.now(), wallMs: Date.now() }),
  after: startTimer,
  endOfTurn(run) {
    setImmediate(run);
  },
};

function startTimer(delayMs: number, run: () => void): Cancel {
  let timer: NodeJS.Timeout;
  const start = (remainingMs: number): void => {
    const stepMs = Math.min(remainingMs, LONGEST_TIMER_MS);
    timer = setTimeout(() => (remainingMs > stepMs ? start(remainingMs - stepMs) : run()), Math.ceil(stepMs));
    timer.unref();
  };
  start(Math.max(0, delayMs));
  return () => clearTimeout(timer);
}
