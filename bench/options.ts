import { parseArgs } from "node:util";
import { BENCHMARKS } from "./benchmarks.ts";
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

/** What was asked for cannot be done. The message says why: no stack is needed. */
export class UsageError extends Error {}

/**
 * Undefined: help was asked for.
 *
 * @throws UsageError
 */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  return {
    benchmarks: values.only === undefined ? BENCHMARKS : values.only.map(find),
    quick: values.quick,
    rounds: readRounds(values.rounds, values.quick ? QUICK_ROUNDS : DEFAULT_ROUNDS),
    json: values.json,
    jsonFile: values["json-file"],
    profile: values.profile,
  };
}

function parse(argv: readonly string[]) {
  const config = {
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
  } as const;
  try {
    return parseArgs(config).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

function find(name: string): Benchmark {
  const found = BENCHMARKS.find((benchmark) => benchmark.name === name);
  if (found !== undefined) return found;
  throw new UsageError(`no benchmark is called ${JSON.stringify(name)}\n\n${USAGE}`);
}

function readRounds(given: string | undefined, byDefault: number): number {
  if (given === undefined) return byDefault;
  const rounds = Number(given);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MOST_ROUNDS) {
    throw new UsageError(
      `--rounds is ${JSON.stringify(given)}: a whole number from 1 to ${MOST_ROUNDS} is right`,
    );
  }
  return rounds;
}
