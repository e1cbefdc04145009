import { generate } from "../../../src/sim/generate.ts";
import { INVARIANTS } from "../../../src/sim/invariants/all.ts";
import { generateLeases } from "../../../src/sim/leases/generate.ts";
import { parseLeasePlan } from "../../../src/sim/leases/plan.ts";
import { runLeases } from "../../../src/sim/leases/run.ts";
import { World } from "../../../src/sim/machine/world.ts";
import { REST_MS } from "../../../src/sim/run.ts";
import { Violation } from "../../../src/sim/violation.ts";

export interface Failure {
  readonly seed: number;
  readonly invariant: string;
  readonly seen: string;
}

/** What anything that is thrown counts as, save a violation. */
export const THROWS = "no machine throws";

/** Runs one world. Undefined: nothing was amiss. */
export function trySeed(seed: number, workload?: string): Failure | undefined {
  if (workload === "leases") {
    const { violation } = runLeases(generateLeases(`mutants:${seed}`));
    return violation && { seed, invariant: violation.invariant, seen: violation.seen };
  }
  try {
    new World(generate(`mutants:${seed}`), { invariants: INVARIANTS }).run(REST_MS);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return { seed, invariant: error.invariant, seen: error.seen };
    return { seed, invariant: THROWS, seen: String(error) };
  }
}

/** Runs one plan of leases. @returns the rule that it breaks, if it does */
export function tryLeasePlan(text: string): string | undefined {
  return runLeases(parseLeasePlan(text)).violation?.invariant;
}
