import type { Now } from "../../kernel/clock.ts";
import { realClock } from "../../node/real-clock.ts";

const NS_PER_MS = 1e6;

/** Both clocks of this machine. Unlike those of `realClock`, what is read in one process means the same in another. */
export function systemNow(): Now {
  return {
    monotonicMs: Number(process.hrtime.bigint()) / NS_PER_MS,
    wallMs: realClock.now().wallMs,
  };
}

/** So much later. */
export function later(now: Now, ms: number): Now {
  return { monotonicMs: now.monotonicMs + ms, wallMs: now.wallMs + ms };
}

/**
 * How long it is until then, at most, in milliseconds. The monotonic clock stands still while a machine is suspended, and the
 * calendar may be set: whichever says that it is later counts, as with leases themselves.
 */
export function leftUntil(deadline: Now, now: Now): number {
  return Math.min(deadline.monotonicMs - now.monotonicMs, deadline.wallMs - now.wallMs);
}
