import { EXPECTED_MARKS } from "./marks.ts";
import type { Fault, Plan } from "./plan.ts";
import { type RunResult, runSeed } from "./run.ts";
import { runShellSeed } from "./shell/run.ts";

/** Carries plans out, at one depth of the product. */
export interface Tier {
  run(plan: Plan): RunResult | Promise<RunResult>;
  /** What every large enough number of runs has to come by. */
  readonly expectedMarks: readonly string[];
}

/** `machine`: the rules alone, without a promise. `shell`: whole nodes, by their public interface. */
export const TIERS = {
  machine: { run: (plan) => runSeed(plan), expectedMarks: EXPECTED_MARKS },
  shell: { run: runShells, expectedMarks: [] },
} as const satisfies Record<string, Tier>;

export type TierName = keyof typeof TIERS;

export function isTier(name: string): name is TierName {
  return Object.hasOwn(TIERS, name);
}

/** By which of the network's counts a fault is known to have been felt. The others cannot but be felt, where they find anybody. */
const FELT_AS: Partial<Record<Fault["kind"], string>> = {
  cut: "lostToCut",
  deaf: "lostOneWay",
  clog: "clogged",
  repeat: "repeated",
};

async function runShells(plan: Plan): Promise<RunResult> {
  const { events, hash, marks, injected, effects, violation } = await runShellSeed(plan);
  const kinds = [...injected.keys()] as Fault["kind"][];
  const felt = kinds.filter((kind) => {
    const effect = FELT_AS[kind];
    return effect === undefined || (effects[effect] ?? 0) > 0;
  });
  return {
    seed: plan.seed,
    events,
    hash,
    marks: [...marks],
    injected: injected as ReadonlyMap<Fault["kind"], number>,
    effective: new Set(felt),
    violation:
      violation === undefined
        ? undefined
        : { invariant: violation.invariant, seen: violation.seen, atMs: violation.atMs },
  };
}
