import type { AnyPlan } from "./any-plan.ts";
import type { RunResult } from "./run.ts";
import type { Run } from "./tier.ts";

/** Runs that a shrinking may take. A run of a failing plan is cut short by its failure: this is half a minute at most. */
const MOST_RUNS = 1_500;

/** A plan that fails by the same rule, and from which nothing more could be taken. */
export interface Shrunk<P extends AnyPlan> {
  readonly plan: P;
  readonly result: RunResult;
  readonly runs: number;
}

/** A plan to try in place of another. Undefined: it is as simple already. */
export type Change<P extends AnyPlan> = (plan: P) => P | undefined;

/** What may be tried on plans of a kind, besides leaving out faults and operations. */
export interface Simpler<P extends AnyPlan> {
  /** One after the other, as they stand. */
  readonly changes: readonly Change<P>[];
  /** Plans in which who is needed has moved to a lower place, so that others can be left out. */
  readonly movedDown: (plan: P) => readonly P[];
  /** In place of this fault: the first that fails alike is taken. */
  readonly faults: (fault: P["faults"][number]) => readonly P["faults"][number][];
  readonly operations: (operation: P["operations"][number]) => readonly P["operations"][number][];
}

export interface ShrinkOptions<P extends AnyPlan> {
  readonly run: Run<P>;
  readonly simpler: Simpler<P>;
  readonly mostRuns?: number | undefined;
}

/**
 * Takes away whatever the failure does not need: faults and operations by halves first, then one by one; nodes, processes,
 * durations, delays. As long as anything goes, it begins again. Undefined: the plan does not fail.
 */
export async function shrink<P extends AnyPlan>(
  failing: P,
  { run, simpler, mostRuns = MOST_RUNS }: ShrinkOptions<P>,
): Promise<Shrunk<P> | undefined> {
  const first = await run(failing);
  if (first.violation === undefined) return undefined;
  const attempt = new Attempt(failing, first, run, mostRuns);
  let before: P;
  do {
    before = attempt.plan;
    await attempt.endEarly();
    await attempt.thin("faults");
    await attempt.thin("operations");
    for (const change of simpler.changes) await attempt.try(change);
    await attempt.closeUp(simpler.movedDown);
    await attempt.simplifyEach("faults", simpler.faults);
    await attempt.simplifyEach("operations", simpler.operations);
  } while (attempt.plan !== before && attempt.mayGoOn);
  return { plan: attempt.plan, result: attempt.result, runs: attempt.runs };
}

/** The smallest plan so far. */
class Attempt<P extends AnyPlan> {
  runs = 1;
  readonly #invariant: string;
  readonly #run: Run<P>;
  readonly #mostRuns: number;

  constructor(
    public plan: P,
    public result: RunResult,
    run: Run<P>,
    mostRuns: number,
  ) {
    this.#invariant = result.violation?.invariant ?? "";
    this.#run = run;
    this.#mostRuns = mostRuns;
  }

  get mayGoOn(): boolean {
    return this.runs < this.#mostRuns;
  }

  /** Another failure than the one that is looked into does not count. */
  async try(change: Change<P>): Promise<boolean> {
    const smaller = change(this.plan);
    if (smaller === undefined || !this.mayGoOn) return false;
    this.runs += 1;
    const result = await this.#run(smaller);
    if (result.violation?.invariant !== this.#invariant) return false;
    this.plan = smaller;
    this.result = result;
    return true;
  }

  /** Most of what comes after the failure has nothing to do with it. */
  async endEarly(): Promise<void> {
    const atMs = this.result.violation?.atMs ?? this.plan.restAtMs;
    const before = <T extends { readonly atMs: number }>(list: readonly T[]) =>
      list.filter((each) => each.atMs <= atMs);
    await this.try((plan) => {
      const operations = before(plan.operations);
      const faults = before(plan.faults);
      const fewer = operations.length < plan.operations.length || faults.length < plan.faults.length;
      return fewer ? { ...plan, operations, faults } : undefined;
    });
  }

  /** Delta debugging: without one half, one quarter, … and in the end without each one. */
  async thin(what: "faults" | "operations"): Promise<void> {
    for (let size = this.plan[what].length; size >= 1; size = Math.floor(size / 2)) {
      for (let start = 0; start < this.plan[what].length && this.mayGoOn; ) {
        const from = start;
        const isOut = await this.try((plan) => without(plan, what, from, size));
        if (!isOut) start += size;
      }
    }
  }

  /** Nodes can only be taken from the end: who is needed there moves down. */
  async closeUp(movedDown: Simpler<P>["movedDown"]): Promise<void> {
    for (const moved of movedDown(this.plan)) if (await this.try(() => moved)) return;
  }

  async simplifyEach<K extends "faults" | "operations">(
    what: K,
    simpler: (each: P[K][number]) => readonly P[K][number][],
  ): Promise<void> {
    for (let index = 0; index < this.plan[what].length; index += 1) {
      for (const other of simpler(this.plan[what][index] as P[K][number])) {
        const list = this.plan[what].map((one, at) => (at === index ? other : one));
        if (await this.try((plan) => ({ ...plan, [what]: list }))) break;
      }
    }
  }
}

function without<P extends AnyPlan>(plan: P, what: "faults" | "operations", start: number, size: number): P {
  const keep = (_: unknown, index: number): boolean => index < start || index >= start + size;
  return { ...plan, [what]: plan[what].filter(keep) };
}

/** Everything comes to rest this early. */
export function restAt<P extends AnyPlan>(plan: P, restAtMs: number): P | undefined {
  return restAtMs < plan.restAtMs ? { ...plan, restAtMs } : undefined;
}

/** When the last thing that was planned is over. */
export function lastOf({ operations, faults }: AnyPlan): number {
  const ends = faults.map((fault) => fault.atMs + forOf(fault));
  return Math.max(0, ...operations.map(({ atMs }) => atMs), ...ends) + 1;
}

/** The same for less long. Nothing that is over at once is shorter. */
export function shorter<T extends object>(fault: T): readonly T[] {
  const forMs = forOf(fault);
  if (forMs <= 1) return [];
  return [Math.floor(forMs / 4), Math.floor((forMs * 3) / 4)].map((less) => ({ ...fault, forMs: less }));
}

function forOf(fault: object): number {
  return "forMs" in fault && typeof fault.forMs === "number" ? fault.forMs : 0;
}
