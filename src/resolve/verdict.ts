import { keepOldest } from "./resolvers.ts";
import type { Clash, Verdict } from "./types.ts";

/** What happens when the user's resolver fails: it threw, gave something else than a verdict, or took too long. */
export function defaultVerdict(clash: Clash): Verdict {
  return keepOldest(clash);
}

/**
 * A copy of what a user's resolver gave, if it is a verdict on this clash; undefined if it is not. It never throws, whatever
 * the value, and reads each property once, so that a getter cannot show one thing here and another later.
 *
 * A `meta` of undefined counts as not given: the winner's metadata stays.
 */
export function checkVerdict(value: unknown, clash: Clash): Verdict | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    return readVerdict(value, clash);
  } catch {
    return undefined;
  }
}

function readVerdict(
  value: Partial<Record<"keep" | "meta" | "losers" | "notify", unknown>>,
  clash: Clash,
): Verdict | undefined {
  const keep = value.keep;
  if (keep === "none") {
    const notify = value.notify;
    return typeof notify === "boolean" ? { keep, notify } : undefined;
  }
  const winner = clash.contenders.find((contender) => contender.pid === keep)?.pid;
  const losers = value.losers;
  if (winner === undefined || (losers !== "exit" && losers !== "notify")) return undefined;
  const meta = value.meta;
  return meta === undefined ? { keep: winner, losers } : { keep: winner, meta, losers };
}
