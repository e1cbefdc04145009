import { expect, test } from "vitest";
import { isBad, summaryText } from "../../../src/cli/sim/page.ts";
import type { Summary } from "../../../src/sim/summary.ts";
import { TIERS } from "../../../src/sim/tiers.ts";

const GOOD: Summary = {
  seeds: 1,
  events: 100,
  elapsedMs: 10,
  seedsPerSecond: 100,
  faults: { pause: { injected: 2, runs: 1, effective: 1 } },
  marks: { "a clash of 2": 1 },
  unreached: [],
  failures: {},
  violations: [],
};

const FAILED: Summary = {
  ...GOOD,
  failures: { "no ghosts": 1 },
  violations: [{ seed: "s17", invariant: "no ghosts", seen: "x is held by the dead", atMs: 5 }],
};

test.each(Object.values(TIERS))("marks are asked of enough seeds of tier $name, and not of fewer", (tier) => {
  const tame = { ...GOOD, unreached: ["a clash of 3"] };
  expect(isBad({ ...tame, seeds: tier.seedsForAllMarks - 1 }, tier)).toBe(false);
  expect(isBad({ ...tame, seeds: tier.seedsForAllMarks }, tier)).toBe(true);
  expect(isBad({ ...GOOD, seeds: tier.seedsForAllMarks }, tier)).toBe(false);
  const few = summaryText({ ...tame, seeds: 5 }, tier);
  expect(few).toContain("marks not reached: a clash of 3");
  expect(few).toContain(`only asked of ${tier.seedsForAllMarks} seeds or more`);
  expect(summaryText({ ...tame, seeds: 50_000 }, tier)).not.toContain("only asked of");
});

test.each(Object.values(TIERS))(
  "a broken rule of tier $name is told with the command that runs it again",
  (tier) => {
    expect(isBad(FAILED, tier)).toBe(true);
    const text = summaryText(FAILED, tier);
    expect(text).toContain("1 seeds broke a rule");
    expect(text).toContain("no ghosts: x is held by the dead");
    expect(text).toContain(`npm run sim -- ${tier.options.join(" ")} --seed s17`);
  },
);

test("that command chooses the workload, where that is what the plans are for", () => {
  expect(summaryText(FAILED, TIERS.leases)).toContain("npm run sim -- --workload leases --seed s17");
});
