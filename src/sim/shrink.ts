import { movedDown, withoutAbsent } from "./places.ts";
import type { Plan } from "./plan.ts";
import type { RunResult } from "./run.ts";
import type { Run } from "./tiers.ts";

/** Runs that a shrinking may take. A run of a failing plan is cut short by its failure: this is half a minute at most. */
const MOST_RUNS = 1_500;

/** A plan that fails by the same rule, and from which nothing more could be taken. */
export interface Shrunk {
  readonly plan: Plan;
  readonly result: RunResult;
  readonly runs: number;
}

/** A plan to try in place of another. */
type Change = (plan: Plan) => Plan | undefined;

/**
 * Takes away whatever the failure does not need: faults and operations by halves first, then one by one; nodes, processes,
 * durations, delays. As long as anything goes, it begins again. Undefined: the plan does not fail.
 */
export async function shrink(
  failing: Plan,
  run: Run,
  mostRuns: number = MOST_RUNS,
): Promise<Shrunk | undefined> {
  const first = await run(failing);
  if (first.violation === undefined) return undefined;
  const attempt = new Attempt(failing, first, run, mostRuns);
  let before: Plan;
  do {
    before = attempt.plan;
    await attempt.endEarly();
    await attempt.thin("faults");
    await attempt.thin("operations");
    for (const change of SIMPLER) await attempt.try(change);
    await attempt.closeUp();
    await attempt.simplifyEach("faults", simplerFault);
    await attempt.simplifyEach("operations", simplerOperation);
  } while (attempt.plan !== before && attempt.mayGoOn);
  return { plan: attempt.plan, result: attempt.result, runs: attempt.runs };
}

/** The smallest plan so far. */
class Attempt {
  runs = 1;
  readonly #invariant: string;
  readonly #run: Run;
  readonly #mostRuns: number;

  constructor(
    public plan: Plan,
    public result: RunResult,
    run: Run,
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
  async try(change: Change): Promise<boolean> {
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
  async closeUp(): Promise<void> {
    for (const moved of movedDown(this.plan)) if (await this.try(() => moved)) return;
  }

  async simplifyEach<K extends "faults" | "operations">(
    what: K,
    simpler: (each: Plan[K][number]) => readonly Plan[K][number][],
  ): Promise<void> {
    for (let index = 0; index < this.plan[what].length; index += 1) {
      const each = this.plan[what][index] as Plan[K][number];
      for (const other of simpler(each)) {
        const list = (this.plan[what] as Plan[K][number][]).map((one, at) => (at === index ? other : one));
        if (await this.try((plan) => ({ ...plan, [what]: list }))) break;
      }
    }
  }
}

function without(plan: Plan, what: "faults" | "operations", start: number, size: number): Plan {
  const keep = (_: unknown, index: number): boolean => index < start || index >= start + size;
  return what === "faults"
    ? { ...plan, faults: plan.faults.filter(keep) }
    : { ...plan, operations: plan.operations.filter(keep) };
}

/** Nodes are taken from the end: the places of the others stay what they are. */
const SIMPLER: readonly Change[] = [
  (plan) => (plan.nodes > 1 ? withNodes(plan, Math.ceil(plan.nodes / 2)) : undefined),
  (plan) => (plan.nodes > 1 ? withNodes(plan, plan.nodes - 1) : undefined),
  withoutAbsent,
  (plan) => (plan.processes > 1 ? { ...plan, processes: 1 } : undefined),
  (plan) => (plan.processes > 1 ? { ...plan, processes: plan.processes - 1 } : undefined),
  (plan) => (plan.turnMs[1] > 0 ? { ...plan, turnMs: [0, 0] } : undefined),
  (plan) => (plan.resolverMs[1] > 0 ? { ...plan, resolverMs: [0, 0] } : undefined),
  (plan) => (plan.resolver === "oldest" ? undefined : { ...plan, resolver: "oldest" }),
  (plan) => (plan.delayMs[1] > 1 ? { ...plan, delayMs: [1, 1] } : undefined),
  (plan) => (plan.delayMs[1] > 10 ? { ...plan, delayMs: [plan.delayMs[0], 10] } : undefined),
  (plan) => restAt(plan, lastOf(plan)),
  (plan) => restAt(plan, Math.ceil((lastOf(plan) + plan.restAtMs) / 2)),
];

function withNodes(plan: Plan, nodes: number): Plan {
  const isThere = (each: object): boolean =>
    ["node", "owner", "watched", "from", "to"].every((role) => {
      const place: unknown = (each as Readonly<Record<string, unknown>>)[role];
      return typeof place !== "number" || place < nodes || place >= plan.nodes;
    });
  return {
    ...plan,
    nodes,
    operations: plan.operations.filter(isThere),
    faults: plan.faults.filter(isThere).map((fault) => {
      if (fault.kind !== "cut") return fault;
      const sides = fault.sides.map((side) => side.filter((place) => place < nodes || place >= plan.nodes));
      return { ...fault, sides: sides.filter((side) => side.length > 0) };
    }),
  };
}

function restAt(plan: Plan, restAtMs: number): Plan | undefined {
  return restAtMs < plan.restAtMs ? { ...plan, restAtMs } : undefined;
}

/** When the last thing that was planned is over. */
function lastOf({ operations, faults }: Plan): number {
  const ends = faults.map((fault) => fault.atMs + ("forMs" in fault ? fault.forMs : 0));
  return Math.max(0, ...operations.map(({ atMs }) => atMs), ...ends) + 1;
}

function simplerFault(fault: Plan["faults"][number]): Plan["faults"][number][] {
  const simpler: Plan["faults"][number][] = [];
  if ("forMs" in fault && fault.forMs > 1) {
    simpler.push({ ...fault, forMs: Math.floor(fault.forMs / 4) });
    simpler.push({ ...fault, forMs: Math.floor((fault.forMs * 3) / 4) });
  }
  if (fault.kind === "disconnect" && fault.noticeMs > 0) simpler.push({ ...fault, noticeMs: 0 });
  if (fault.kind === "busRestart" && fault.spreadMs > 0) simpler.push({ ...fault, spreadMs: 0 });
  if (fault.kind === "cut" && fault.blackHole) simpler.push({ ...fault, blackHole: false });
  return simpler;
}

function simplerOperation(operation: Plan["operations"][number]): Plan["operations"][number][] {
  const simpler: Plan["operations"][number][] = [];
  if ("process" in operation && operation.process > 0) simpler.push({ ...operation, process: 0 });
  if (operation.kind === "monitor" && operation.forMs > 0) simpler.push({ ...operation, forMs: 0 });
  if ("times" in operation && operation.times > 1) {
    simpler.push({ ...operation, times: 1 });
    simpler.push({ ...operation, times: Math.ceil(operation.times / 2) });
  }
  if (operation.kind === "crowd" && operation.groups > 1)
    simpler.push({ ...operation, groups: Math.floor(operation.groups / 2) });
  if (operation.kind === "register" && operation.owner !== operation.node)
    simpler.push({ ...operation, owner: operation.node });
  return simpler;
}
