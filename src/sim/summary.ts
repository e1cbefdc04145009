import type { Broken, RunResult } from "./run.ts";

/** Failing seeds that are told of one by one; the rest are counted. */
const VIOLATIONS_KEPT = 100;

export interface FailedSeed extends Broken {
  readonly seed: string;
}

/** What many runs came to. Plain JSON, so that it passes between OS processes. */
export interface Summary {
  readonly seeds: number;
  readonly events: number;
  readonly elapsedMs: number;
  readonly seedsPerSecond: number;
  /** For each kind of fault: how often it was injected, in how many runs, and in how many of these somebody felt it. */
  readonly faults: Readonly<Record<string, FaultCount>>;
  /** In how many runs each mark was reached. */
  readonly marks: Readonly<Record<string, number>>;
  /** Marks that are expected of enough runs, and that none of these reached. */
  readonly unreached: readonly string[];
  /** How many seeds failed, by invariant. */
  readonly failures: Readonly<Record<string, number>>;
  /** The first of them. */
  readonly violations: readonly FailedSeed[];
}

export interface FaultCount {
  injected: number;
  runs: number;
  effective: number;
}

/** Adds results up. */
export class Tally {
  #seeds = 0;
  #events = 0;
  readonly #faults = new Map<string, FaultCount>();
  readonly #expected: readonly string[];
  readonly #marks = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  readonly #violations: FailedSeed[] = [];

  get seeds(): number {
    return this.#seeds;
  }

  get failed(): number {
    let failed = 0;
    for (const count of this.#failures.values()) failed += count;
    return failed;
  }

  /** @param expected marks that have to be reached */
  constructor(expected: readonly string[]) {
    this.#expected = expected;
  }

  add({ seed, events, injected, effective, marks, violation }: RunResult): void {
    this.#seeds += 1;
    this.#events += events;
    for (const [kind, count] of injected)
      this.#addFault(kind, { injected: count, runs: 1, effective: effective.has(kind) ? 1 : 0 });
    // A fault may do what another kind stands for: a node that departs while it stands still crashes.
    for (const kind of effective) if (!injected.has(kind)) this.#addFault(kind, NONE);
    for (const mark of marks) increase(this.#marks, mark, 1);
    if (violation !== undefined) this.#addViolation({ seed, ...violation });
  }

  /** What another OS process came to. */
  addSummary(summary: Summary): void {
    this.#seeds += summary.seeds;
    this.#events += summary.events;
    for (const [kind, count] of Object.entries(summary.faults)) this.#addFault(kind, count);
    for (const [mark, count] of Object.entries(summary.marks)) increase(this.#marks, mark, count);
    for (const [invariant, count] of Object.entries(summary.failures))
      increase(this.#failures, invariant, count);
    for (const violation of summary.violations) this.#keep(violation);
  }

  summary(elapsedMs: number): Summary {
    return {
      seeds: this.#seeds,
      events: this.#events,
      elapsedMs: Math.round(elapsedMs),
      seedsPerSecond: elapsedMs > 0 ? Math.round((this.#seeds * 10_000) / elapsedMs) / 10 : 0,
      faults: Object.fromEntries([...this.#faults].sort(byKey)),
      marks: Object.fromEntries([...this.#marks].sort(byKey)),
      unreached: this.#expected.filter((mark) => !this.#marks.has(mark)),
      failures: Object.fromEntries([...this.#failures].sort(byKey)),
      violations: [...this.#violations],
    };
  }

  #addFault(kind: string, { injected, runs, effective }: FaultCount): void {
    let count = this.#faults.get(kind);
    if (count === undefined) {
      count = { injected: 0, runs: 0, effective: 0 };
      this.#faults.set(kind, count);
    }
    count.injected += injected;
    count.runs += runs;
    count.effective += effective;
  }

  #addViolation(violation: FailedSeed): void {
    increase(this.#failures, violation.invariant, 1);
    this.#keep(violation);
  }

  #keep(violation: FailedSeed): void {
    if (this.#violations.length < VIOLATIONS_KEPT) this.#violations.push(violation);
  }
}

const NONE: FaultCount = { injected: 0, runs: 0, effective: 0 };

function increase(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function byKey([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1;
}
