import { parseArgs } from "node:util";
import { LEASES, WORKLOADS } from "../../sim/any-plan.ts";
import { DEPTHS, type TierName } from "../../sim/tiers.ts";

export const USAGE = `npm run sim -- [options]

  --seeds N      how many seeds to run (default 1000)
  --from N       the number of the first (default 0)
  --workload W   cluster, or leases: what strict names stand on (default cluster)
  --tier NAME    of the cluster: ${DEPTHS.join(" or ")} (default ${DEPTHS[0]})
  --seed S       runs one seed, by its name (s8399), and reports on it if it fails
  --plan FILE    runs one plan, and reports on it if it fails
  --svg FILE     with --seed or --plan: draws the failing run into this file
  --jobs K       so many OS processes, each with its share of the seeds (default 1)
  --json         writes JSON to standard output

Ctrl-C ends it with the summary so far.`;

export interface SimOptions {
  readonly seeds: number;
  readonly from: number;
  readonly tier: TierName;
  readonly seed: string | undefined;
  readonly plan: string | undefined;
  readonly svg: string | undefined;
  readonly jobs: number;
  readonly json: boolean;
  /** For a process with a share: it speaks to the one that started it. */
  readonly isShare: boolean;
}

const DEFAULT_SEEDS = 1_000;
const MOST_SEEDS = 1_000_000_000;
const MOST_JOBS = 256;

/** Options that say nothing of one run. */
const MANY = ["seeds", "from", "jobs"] as const;

/** What was asked for cannot be done. The message says why: no stack is needed. */
export class UsageError extends Error {}

/**
 * Undefined: help was asked for.
 *
 * @throws UsageError
 */
export function readOptions(argv: readonly string[]): SimOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  const { seed, plan, svg, json, share } = values;
  const tier = readTier(values.workload, values.tier);
  if (seed === "") throw usage('--seed is "": the name of a seed, such as s8399, is right');
  if (svg !== undefined && seed === undefined && plan === undefined)
    throw usage("--svg draws one run: --seed or --plan says which");
  if (seed !== undefined && plan !== undefined)
    throw usage("--seed and --plan each say which run: one of them is right");
  const forMany = MANY.find((option) => values[option] !== undefined);
  if (forMany !== undefined && (seed !== undefined || plan !== undefined))
    throw usage(`--${forMany} is for many runs, and --${seed === undefined ? "plan" : "seed"} asks for one`);
  return {
    seeds: readNumber("seeds", values.seeds, DEFAULT_SEEDS, 1, MOST_SEEDS),
    from: readNumber("from", values.from, 0, 0, MOST_SEEDS),
    jobs: readNumber("jobs", values.jobs, 1, 1, MOST_JOBS),
    tier,
    seed,
    plan,
    svg,
    json,
    isShare: share,
  };
}

function parse(argv: readonly string[]) {
  const config = {
    args: [...argv],
    options: {
      seeds: { type: "string" },
      from: { type: "string" },
      workload: { type: "string", default: "cluster" },
      tier: { type: "string" },
      seed: { type: "string" },
      plan: { type: "string" },
      svg: { type: "string" },
      jobs: { type: "string" },
      json: { type: "boolean", default: false },
      share: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  } as const;
  try {
    return parseArgs(config).values;
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

function readTier(workload: string, depth: string | undefined): TierName {
  if (!WORKLOADS.some((known) => known === workload))
    throw usage(`no workload is called ${JSON.stringify(workload)}: ${WORKLOADS.join(" or ")} is right`);
  if (workload === LEASES && depth !== undefined)
    throw usage("--tier is for the cluster: --workload leases has no tiers");
  if (workload === LEASES) return "leases";
  const tier = DEPTHS.find((known) => known === (depth ?? DEPTHS[0]));
  if (tier === undefined)
    throw usage(`no tier is called ${JSON.stringify(depth)}: ${DEPTHS.join(" or ")} is right`);
  return tier;
}

function readNumber(
  option: string,
  given: string | undefined,
  byDefault: number,
  least: number,
  most: number,
): number {
  if (given === undefined) return byDefault;
  const number = given.trim() === "" ? Number.NaN : Number(given);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw usage(`--${option} is ${JSON.stringify(given)}: a whole number from ${least} to ${most} is right`);
}

function usage(message: string): UsageError {
  return new UsageError(`${message}\n\n${USAGE}`);
}
