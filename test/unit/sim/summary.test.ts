import { expect, test } from "vitest";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import { generate } from "../../../src/sim/generate.ts";
import { EXPECTED_MARKS } from "../../../src/sim/marks.ts";
import type { Plan } from "../../../src/sim/plan.ts";
import { runSeed } from "../../../src/sim/run.ts";
import { runMany } from "../../../src/sim/run-many.ts";
import { Tally } from "../../../src/sim/summary.ts";
import { TIERS } from "../../../src/sim/tiers.ts";

const QUIET: Partial<Plan> = { nodes: 2, processes: 1, restAtMs: 3_000, operations: [] };

test("many runs add up to the sum of each", async () => {
  const summary = await runMany({ from: 40, seeds: 6, tier: TIERS.machine, clock: new VirtualClock() });
  const each = Array.from({ length: 6 }, (_, index) => runSeed(`s${40 + index}`));
  expect(summary.seeds).toBe(6);
  expect(summary.events).toBe(each.reduce((sum, { events }) => sum + events, 0));
  for (const [mark, count] of Object.entries(summary.marks))
    expect(each.filter(({ marks }) => marks.includes(mark))).toHaveLength(count);
  const reached = EXPECTED_MARKS.filter((mark) => each.some(({ marks }) => marks.includes(mark)));
  expect(summary.unreached).toEqual(EXPECTED_MARKS.filter((mark) => !reached.includes(mark)));
});

test("shares add up to the whole", async () => {
  const clock = new VirtualClock();
  const whole = await runMany({ from: 0, seeds: 5, tier: TIERS.machine, clock });
  const shares = new Tally(EXPECTED_MARKS);
  shares.addSummary(await runMany({ from: 0, seeds: 5, stride: 2, tier: TIERS.machine, clock }));
  shares.addSummary(await runMany({ from: 1, seeds: 4, stride: 2, tier: TIERS.machine, clock }));
  expect(shares.summary(0)).toEqual(whole);
});

test("a run of many ends early when it is told to", async () => {
  const ended = new AbortController();
  ended.abort();
  const clock = new VirtualClock();
  const summary = await runMany({ from: 0, seeds: 5, tier: TIERS.machine, clock, signal: ended.signal });
  expect(summary.seeds).toBe(0);
});

test.each(Object.values(TIERS))("no mark is expected twice of tier $name", ({ expectedMarks }) => {
  expect(expectedMarks.length).toBeGreaterThan(20);
  expect(new Set(expectedMarks).size).toBe(expectedMarks.length);
});

test("a fault counts as felt only when somebody felt it", () => {
  const of = (faults: Plan["faults"]) => runSeed({ ...generate("felt"), ...QUIET, faults }).effective;
  expect(of([{ kind: "crash", atMs: 1_000, node: 1 }]).has("crash")).toBe(false);
  expect(of([{ kind: "pause", atMs: 1_000, forMs: 2_000, node: 1 }]).has("pause")).toBe(true);
  expect(of([{ kind: "clog", atMs: 1_000, forMs: 2_000, from: 0, to: 1, byMs: 5 }]).has("clog")).toBe(true);
  expect(of([{ kind: "clog", atMs: 1_000, forMs: 2_000, from: 7, to: 8, byMs: 5 }]).has("clog")).toBe(false);
});
