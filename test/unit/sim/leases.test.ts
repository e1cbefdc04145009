import { describe, expect, test } from "vitest";
import { generateLeases } from "../../../src/sim/leases/plan.ts";
import { runLeases } from "../../../src/sim/leases/run.ts";

const SEEDS = 60;

describe("simulated leases", () => {
  test("no rule is broken, and most of what can happen does", () => {
    const marks = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const result = runLeases(`unit ${seed}`);
      expect(result).toMatchObject({ violation: undefined });
      for (const mark of result.marks) marks.add(mark);
    }
    for (const mark of ["a floor is given", "ask", "attach", "lost", "passOn", "refused: noQuorum"]) {
      expect([...marks]).toContain(mark);
    }
  });

  test("a plan does the same each time, also when it comes from a file", () => {
    for (let seed = 0; seed < 5; seed += 1) {
      const plan = generateLeases(`unit ${seed}`);
      const again = JSON.parse(JSON.stringify(plan)) as typeof plan;
      expect(runLeases(again)).toEqual(runLeases(`unit ${seed}`));
    }
  });
});
