import { generate } from "./generate.ts";
import type { Tell } from "./machine/telling.ts";
import { EXPECTED_MARKS } from "./marks.ts";
import type { Fault, Plan } from "./plan.ts";
import { type RunResult, runSeed } from "./run.ts";
import { generateForShells } from "./shell/generate.ts";
import { EXPECTED_SHELL_MARKS } from "./shell/marks.ts";
import { runShellSeed } from "./shell/run.ts";

/**
 * Carries a plan out.
 *
 * @param tell for a reader: a line for each thing that happens
 */
export type Run = (plan: Plan, tell?: Tell) => RunResult | Promise<RunResult>;

/** One depth of the product, at which plans are carried out. */
export interface Tier {
  readonly name: string;
  readonly run: Run;
  /** Draws a plan that is worth carrying out at this depth. */
  readonly generate: (seed: string) => Plan;
  /** What every large enough number of runs has to come by. */
  readonly expectedMarks: readonly string[];
  /** How many are enough: the rarest mark is expected ten times. */
  readonly seedsForAllMarks: number;
}

export type TierName = "machine" | "shell";

/** `machine`: the rules alone, without a promise. `shell`: whole nodes, by their public interface. */
export const TIERS: Readonly<Record<TierName, Tier>> = {
  machine: {
    name: "machine",
    run: (plan, tell) => runSeed(plan, { tell }),
    generate,
    expectedMarks: EXPECTED_MARKS,
    seedsForAllMarks: 10_000,
  },
  shell: {
    name: "shell",
    run: runShells,
    generate: generateForShells,
    expectedMarks: EXPECTED_SHELL_MARKS,
    seedsForAllMarks: 1_000,
  },
};

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

async function runShells(plan: Plan, tell?: Tell): Promise<RunResult> {
  const { events, hash, marks, injected, effects, violation } = await runShellSeed(plan, { tell });
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
