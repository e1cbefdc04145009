import { InvalidArgumentError } from "../kernel/errors.ts";
import { hashText, rendezvousWeight } from "../kernel/hash.ts";
import type { Clash, Contender, Verdict } from "./types.ts";

/** A resolver that needs no waiting: every built-in one. */
export type ImmediateResolver = (clash: Clash) => Verdict;

/**
 * The process that registered first keeps the name; the others end with reason `nameClash`. The default. First by hybrid
 * logical clocks: between the sides of a partition that is the order of their wall clocks.
 */
export const keepOldest: ImmediateResolver = keepBy(() => 0);

/**
 * The process that registered last keeps the name; the others end with reason `nameClash`. What syn does by default, whose
 * order is that of wall clocks; here it is that of hybrid logical clocks.
 */
export const keepNewest: ImmediateResolver = (clash) => {
  const newest = clash.contenders.reduce((_older, newer) => newer);
  return { keep: newest.pid, losers: "exit" };
};

/**
 * One process keeps the name, as good as at random; the others end with reason `nameClash`. The default of `:global`
 * (`random_exit_name`), which favours the lower node name; here every contender has the same chance. The choice is no draw:
 * it follows, through a hash, from the name, the scope and the contenders, so that whoever decides the same clash again,
 * because the first decider died over it, decides the same.
 */
export const randomExit: ImmediateResolver = (clash) => ({ keep: drawnFrom(clash).pid, losers: "exit" });

/**
 * Like {@link randomExit}, but the losers live on and are told: their `onNotice` gets a `nameClash` notice with the winner.
 * `:global`'s `random_notify_name`, whose loser gets `{global_name_conflict, Name}`.
 */
export const randomNotify: ImmediateResolver = (clash) => ({ keep: drawnFrom(clash).pid, losers: "notify" });

/**
 * Nobody keeps the name and nobody ends: it is free, and every contender's `onNotice` gets a `nameClash` notice without a
 * winner. `:global`'s `notify_all_name`, whose contenders get `{global_name_conflict, Name, OtherPid}`.
 */
export const notifyAll: ImmediateResolver = () => ({ keep: "none", notify: true });

/**
 * A resolver that gives the name to the contender of the highest score, of equal ones to the oldest; the others end with
 * reason `nameClash`. `keepBy(() => 0)` is `keepOldest`.
 *
 * @param score pure: it may run again elsewhere. If it throws or gives no number (or NaN), the clash goes to `keepOldest`,
 *   as with every resolver that fails, and the failure is logged and counted.
 */
export function keepBy(score: (contender: Contender) => number): ImmediateResolver {
  const weigh = (contender: Contender): number => {
    const scored: unknown = score(contender);
    if (typeof scored === "number" && !Number.isNaN(scored)) return scored;
    throw new InvalidArgumentError("score", scored, `a number, for the contender ${contender.pid}`);
  };
  return (clash) => ({ keep: highest(clash, weigh).pid, losers: "exit" });
}

/** By rendezvous hashing: a contender more or less changes nothing between the others. */
function drawnFrom(clash: Clash): Contender {
  const key = hashText(clash.name, hashText(clash.scope));
  return highest(clash, ({ pid, registeredAt }) =>
    rendezvousWeight(key, hashText(pid, hashText(registeredAt))),
  );
}

function highest(clash: Clash, weigh: (contender: Contender) => number): Contender {
  const weighed = clash.contenders.map((contender) => ({ contender, weight: weigh(contender) }));
  return weighed.reduce((best, next) => (next.weight > best.weight ? next : best)).contender;
}
