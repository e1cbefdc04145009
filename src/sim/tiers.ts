import type { AnyPlan } from "./any-plan.ts";
import { CLUSTER_LEGEND } from "./cluster-legend.ts";
import { generate } from "./generate.ts";
import { generateLeases } from "./leases/generate.ts";
import { LEASE_LEGEND } from "./leases/legend.ts";
import { EXPECTED_LEASE_MARKS } from "./leases/marks.ts";
import { type LeasePlan, parseLeasePlan } from "./leases/plan.ts";
import { runLeases } from "./leases/run.ts";
import { SIMPLER_LEASES } from "./leases/simpler.ts";
import type { Tell } from "./machine/telling.ts";
import { EXPECTED_MARKS } from "./marks.ts";
import { type Fault, type Plan, parsePlan } from "./plan.ts";
import { type RunResult, runSeed } from "./run.ts";
import { generateForShells } from "./shell/generate.ts";
import { EXPECTED_SHELL_MARKS } from "./shell/marks.ts";
import { runShellSeed } from "./shell/run.ts";
import { SIMPLER } from "./simpler.ts";
import type { Tier } from "./tier.ts";

/** How deep into the product a plan for the cluster goes. */
export const DEPTHS = ["machine", "shell"] as const;
export type TierName = (typeof DEPTHS)[number] | "leases";

interface Tiers extends Readonly<Record<TierName, unknown>> {
  /** The rules alone, without a promise. */
  readonly machine: Tier<Plan>;
  /** Whole nodes, by their public interface. */
  readonly shell: Tier<Plan>;
  /** What strict names stand on. */
  readonly leases: Tier<LeasePlan>;
}

const OF_CLUSTER = { parse: parsePlan, simpler: SIMPLER, legend: CLUSTER_LEGEND } as const;

export const TIERS: Tiers = {
  machine: {
    ...OF_CLUSTER,
    name: "machine",
    options: ["--tier", "machine"],
    run: (plan, tell) => runSeed(plan, { tell }),
    generate,
    expectedMarks: EXPECTED_MARKS,
    seedsForAllMarks: 10_000,
  },
  shell: {
    ...OF_CLUSTER,
    name: "shell",
    options: ["--tier", "shell"],
    run: runShells,
    generate: generateForShells,
    expectedMarks: EXPECTED_SHELL_MARKS,
    seedsForAllMarks: 1_000,
  },
  leases: {
    name: "leases",
    options: ["--workload", "leases"],
    run: runLeases,
    generate: generateLeases,
    parse: parseLeasePlan,
    simpler: SIMPLER_LEASES,
    legend: LEASE_LEGEND,
    expectedMarks: EXPECTED_LEASE_MARKS,
    seedsForAllMarks: 1_000,
  },
};

/** Does something with a tier, whatever kind of plan it runs. */
export function onTier<T>(name: TierName, use: <P extends AnyPlan>(tier: Tier<P>) => T): T {
  return name === "leases" ? use(TIERS.leases) : use(TIERS[name]);
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
  const felt = [...injected.keys()].filter((kind) => {
    const effect = FELT_AS[kind];
    return effect === undefined || (effects[effect] ?? 0) > 0;
  });
  return {
    seed: plan.seed,
    events,
    hash,
    marks: [...marks],
    injected,
    effective: new Set(felt),
    violation:
      violation === undefined
        ? undefined
        : { invariant: violation.invariant, seen: violation.seen, atMs: violation.atMs },
  };
}
