import type { ResolverOutcome } from "../../global/clash-decider.ts";
import { keepNewest, keepOldest } from "../../resolve/resolvers.ts";
import type { Clash, Verdict } from "../../resolve/types.ts";
import type { ResolverMood } from "../plan.ts";

/** What a resolver of this mood makes of a clash, as the shell would tell the machine. Undefined: it never says. */
export function decide(mood: ResolverMood, clash: Clash, draw: number): ResolverOutcome | undefined {
  switch (mood) {
    case "oldest":
      return outcomeOf(keepOldest(clash) as Verdict);
    case "newest":
      return outcomeOf(keepNewest(clash) as Verdict);
    case "notify":
      return keeping(clash, clash.contenders.length - 1, "notify");
    case "none":
      return { kind: "none", notify: draw < 0.5 };
    case "moody":
      if (draw < 0.1) return { kind: "none", notify: true };
      return keeping(clash, Math.floor(draw * clash.contenders.length), draw < 0.5 ? "notify" : "exit");
    case "throws":
    case "junk":
      return { kind: "failed" };
    case "never":
      return undefined;
  }
}

function keeping(clash: Clash, index: number, losers: "exit" | "notify"): ResolverOutcome {
  const winner = clash.contenders[index]?.pid;
  return winner === undefined ? { kind: "failed" } : { kind: "keep", winner, meta: undefined, losers };
}

function outcomeOf(verdict: Verdict): ResolverOutcome {
  if (verdict.keep === "none") return { kind: "none", notify: "notify" in verdict && verdict.notify };
  return {
    kind: "keep",
    winner: verdict.keep,
    meta: undefined,
    losers: "losers" in verdict ? verdict.losers : "exit",
  };
}
