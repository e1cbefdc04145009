import { parseArgs } from "node:util";
import { BENCHMARKS, benchmarkNamed } from "./benchmarks.ts";
import type { Benchmark } from "./contest.ts";

export const USAGE = `npm run bench -- [options]

  --only NAME        one benchmark; may be given again: ${BENCHMARKS.map(({ name }) => name).join(", ")}
  --quick            few items and two rounds: to see that it runs, not for figures
  --rounds N         rounds that count, after one that warms up (default 7)
  --json             writes JSON to standard output, and the table to standard error
  --json-file FILE   writes JSON to a file besides
  --profile FOLDER   runs Rollcall alone, and writes a CPU profile of each of its processes`;

export interface BenchOptions {
  readonly benchmarks: readonly Benchmark[];
  readonly quick: boolean;
  readonly rounds: number;
  readonly json: boolean;
  readonly jsonFile: string | undefined;
  readonly profile: string | undefined;
}

const DEFAULT_ROUNDS = 7;
const QUICK_ROUNDS = 2;
const MOST_ROUNDS = 1_000;

/** Undefined: help was asked for. Throws for what it does not know. */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string", multiple: true },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      json: { type: "boolean", default: false },
      "json-file": { type: "string" },
      profile: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    benchmarks: values.only === undefined ? BENCHMARKS : values.only.map(benchmarkNamed),
    quick: values.quick,
    rounds: readRounds(values.rounds, values.quick ? QUICK_ROUNDS : DEFAULT_ROUNDS),
    json: values.json,
    jsonFile: values["json-file"],
    profile: values.profile,
  };
}

function readRounds(given: string | undefined, byDefault: number): number {
  if (given === undefined) return byDefault;
  const rounds = Number(given);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MOST_ROUNDS) {
    throw new Error(`--rounds is ${JSON.stringify(given)}: a whole number from 1 to ${MOST_ROUNDS} is right`);
  }
  return rounds;
}
