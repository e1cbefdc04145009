import { Coverage } from "./coverage.ts";
import { generate } from "./generate.ts";
import { guarded } from "./guard.ts";
import type { Invariant } from "./invariant.ts";
import { INVARIANTS } from "./invariants/all.ts";
import type { TraceLine } from "./machine/telling.ts";
import { World } from "./machine/world.ts";
import type { Plan } from "./plan.ts";
import { Violation } from "./violation.ts";

/** What is given to come to rest: detection by silence, a bus that was away, and a caller's patience, one after another. */
export const REST_MS = 25_000;

/** The rule that is broken by what no rule foresaw. */
export const NOTHING_THROWS = "no machine throws";

/** Places told of what was thrown. */
const STACK_LINES = 10;

/** A rule that was broken, as data. */
export interface Broken {
  readonly invariant: string;
  readonly seen: string;
  readonly atMs: number;
}

/** What became of one plan. */
export interface RunResult {
  readonly seed: string;
  readonly events: number;
  /** Equal for equal runs. */
  readonly hash: string;
  readonly marks: readonly string[];
  /** How often each kind of fault was injected. */
  readonly injected: ReadonlyMap<string, number>;
  /** The kinds of fault that somebody felt. */
  readonly effective: ReadonlySet<string>;
  readonly violation: Broken | undefined;
}

export interface RunOptions {
  /** In place of those that hold of the core. */
  readonly invariants?: readonly ((world: World) => Invariant)[] | undefined;
  /** For a reader: a line for each thing that happens. */
  readonly tell?: ((line: TraceLine) => void) | undefined;
}

/** @param seed of a plan to draw, or a plan */
export function runSeed(seed: string | Plan, options: RunOptions = {}): RunResult {
  const plan = typeof seed === "string" ? generate(seed) : seed;
  // A reader is told once, whatever becomes of it.
  if (options.tell === undefined) {
    const result = guarded(() => withStacks(0, () => runMachines(plan, options)));
    if (result.violation?.invariant !== NOTHING_THROWS) return result;
  }
  return guarded(() => withStacks(STACK_LINES, () => runMachines(plan, options)));
}

/** Refusals are errors, and many: to note where each came from would cost more than all invariants. */
function withStacks<T>(lines: number, run: () => T): T {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = lines;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = before;
  }
}

function runMachines(plan: Plan, options: RunOptions): RunResult {
  const invariants = [...(options.invariants ?? INVARIANTS), (each: World) => new Coverage(each)];
  const world = new World(plan, { invariants, tell: options.tell });
  const violation = attempt(world);
  return {
    seed: plan.seed,
    events: world.events,
    hash: world.trace.value,
    marks: [...world.marks],
    injected: world.injected,
    effective: world.effective,
    violation,
  };
}

function attempt(world: World): Broken | undefined {
  try {
    world.run(REST_MS);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) {
      const { invariant, seen, atMs } = error;
      return { invariant, seen, atMs };
    }
    return { invariant: NOTHING_THROWS, seen: told(error), atMs: world.nowMs };
  }
}

/** The message, and the places nearest to it. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const places = (error.stack ?? "").split("\n").filter((line) => line.trimStart().startsWith("at "));
  return [`${error.name}: ${error.message}`, ...places.slice(0, 4)].join("\n");
}
