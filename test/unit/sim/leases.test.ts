import { beforeAll, describe, expect, test } from "vitest";
import { SeededRandom } from "../../../src/kernel/random.ts";
import { svgOf } from "../../../src/sim/diagram-svg.ts";
import { Draw } from "../../../src/sim/draw.ts";
import { generate } from "../../../src/sim/generate.ts";
import { generateLeases } from "../../../src/sim/leases/generate.ts";
import { type LeaseFault, type LeasePlan, parseLeasePlan } from "../../../src/sim/leases/plan.ts";
import { runLeases } from "../../../src/sim/leases/run.ts";
import { lastAnswer, lateRelease, type Story, tokenUnderWay } from "../../../src/sim/leases/stories.ts";
import { parsePlan } from "../../../src/sim/plan.ts";
import { type Report, reportOf, textOfPlan, textOfReport } from "../../../src/sim/report.ts";
import type { Tier } from "../../../src/sim/tier.ts";
import { TIERS } from "../../../src/sim/tiers.ts";

const SEEDS = 60;

/** Nothing but one name that is held for long, and asked for again by another. */
const CALM: LeasePlan = {
  ...generateLeases("calm"),
  servers: 3,
  nodes: 3,
  areClocksSound: true,
  delayMs: [1, 1],
  restAtMs: 4_000,
  operations: [
    { kind: "acquire", atMs: 0, node: 0, name: "x", timeoutMs: 1_000, wait: false, holdMs: 100_000 },
    { kind: "acquire", atMs: 2_500, node: 1, name: "x", timeoutMs: 1_000, wait: false, holdMs: 1 },
  ],
  faults: [],
};

/** The holder's clock is so slow that it counts on its lease when another has the name: a rule is broken, whatever nodes do. */
const SLOW: LeasePlan = {
  ...CALM,
  nodes: 4,
  operations: [
    { kind: "lookup", atMs: 100, node: 2, name: "y", timeoutMs: 500 },
    { kind: "acquire", atMs: 600, node: 3, name: "x", timeoutMs: 500, wait: false, holdMs: 100_000 },
    { kind: "lookup", atMs: 700, node: 1, name: "x", timeoutMs: 500 },
    { kind: "acquire", atMs: 900, node: 1, name: "x", timeoutMs: 3_000, wait: true, holdMs: 400 },
  ],
  faults: [
    { kind: "drift", atMs: 0, forMs: 100_000, node: 3, rate: 0.3 },
    { kind: "pause", atMs: 200, forMs: 100, node: 2 },
    ...[0, 1, 2].map((server): LeaseFault => ({ kind: "cut", atMs: 800, forMs: 3_000, node: 3, server })),
    { kind: "serverStep", atMs: 3_500, forMs: 0, server: 1, byMs: 20 },
  ],
};

describe("simulated leases", () => {
  test("no rule is broken, and most of what can happen does", () => {
    const marks = new Set<string>();
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const result = runLeases(generateLeases(`unit ${seed}`));
      expect(result).toMatchObject({ violation: undefined });
      for (const mark of result.marks) marks.add(mark);
    }
    for (const mark of ["a floor is given", "ask", "attach", "lost", "passOn", "refused: noQuorum"]) {
      expect([...marks]).toContain(mark);
    }
  });

  test("a plan does the same each time, also when it comes from a file or is told", () => {
    for (let seed = 0; seed < 5; seed += 1) {
      const plan = generateLeases(`unit ${seed}`);
      const first = runLeases(plan);
      expect(first.hash).toMatch(/^[0-9a-f]{16}$/);
      const again = parseLeasePlan(textOfPlan(plan));
      expect(again).toEqual(plan);
      expect(runLeases(again)).toEqual(first);
      expect(runLeases(plan, () => undefined)).toEqual(first);
    }
  });

  test("what would not repeat throws while a plan runs", () => {
    const { violation } = runLeases(CALM, () => void Date.now());
    expect(violation?.invariant).toBe("no machine throws");
    expect(violation?.seen).toContain("now was used in a simulated run");
  });

  test("who comes when a node has crashed has its place", () => {
    const operation = { ...CALM.operations[1], node: 0 } as LeasePlan["operations"][number];
    const faults: LeaseFault[] = [{ kind: "crash", atMs: 500, forMs: 0, node: 0 }];
    const told: string[] = [];
    runLeases({ ...CALM, operations: [operation], faults }, ({ text }) => told.push(text));
    expect(told).toContain("n0′ starts");
    expect(told.some((text) => text.startsWith("granted x"))).toBe(true);
  });
});

describe("a story is told", () => {
  test.each<[what: string, story: Story, marks: string[]]>([
    ["of a release that comes late", lateRelease, ["granted", "answer: stale"]],
    ["of a token under way", tokenUnderWay, ["servers forget: lost", "a floor is given"]],
    ["of a last answer that takes its time", lastAnswer, ["granted", "lost"]],
  ])("%s, whatever is left to chance", (_what, story, marks) => {
    const draw = new Draw(new SeededRandom("stories"));
    for (let count = 0; count < 20; count += 1) {
      const servers = draw.pick([3, 5]);
      const shape = { servers, nodes: draw.between(2, 4), restAtMs: draw.between(4_000, 12_000) };
      const plan: LeasePlan = { ...CALM, ...shape, ...story(draw, shape, CALM.settings), seed: `${count}` };
      expect(parseLeasePlan(textOfPlan(plan))).toEqual(plan);
      const result = runLeases(plan);
      expect(result.violation).toBeUndefined();
      expect(result.marks).toEqual(expect.arrayContaining(marks));
    }
  });
});

describe("a fault of leases counts as felt only when somebody felt it", () => {
  const late = { atMs: 1_000, forMs: 400 };
  test.each<[LeaseFault, LeaseFault]>([
    [
      { kind: "cut", ...late, node: 0, server: 0 },
      { kind: "cut", atMs: 1_000, forMs: 0, node: 0, server: 0 },
    ],
    [
      { kind: "slow", ...late, node: 0, server: 0, byMs: 50 },
      { kind: "slow", ...late, node: 0, server: 0, byMs: 0 },
    ],
    [
      { kind: "pause", ...late, node: 0 },
      { kind: "pause", atMs: 1_000, forMs: 0, node: 0 },
    ],
    [
      { kind: "deaf", atMs: 2_400, forMs: 1_000, node: 0, other: 1 },
      { kind: "deaf", atMs: 1_000, forMs: 10, node: 0, other: 1 },
    ],
    [
      { kind: "crash", ...late, node: 0 },
      { kind: "crash", ...late, node: 2 },
    ],
    [
      { kind: "step", ...late, node: 0, byMs: 20 },
      { kind: "step", ...late, node: 0, byMs: 0 },
    ],
    [
      { kind: "serverStep", ...late, server: 0, byMs: 20 },
      { kind: "serverStep", ...late, server: 0, byMs: 0 },
    ],
    [
      { kind: "serverPause", ...late, server: 0 },
      { kind: "serverPause", atMs: 1_000, forMs: 0, server: 0 },
    ],
    [
      { kind: "late", atMs: 900, forMs: 1_000, node: 0, server: 0 },
      { kind: "late", atMs: 1_000, forMs: 2, node: 0, server: 0 },
    ],
  ])("$kind", (felt, unfelt) => {
    // Whoever asks for a name that only two of the servers say is taken asks who holds it.
    const faults: LeaseFault[] =
      felt.kind === "deaf" ? [{ kind: "cut", atMs: 1_500, forMs: 2_000, node: 1, server: 0 }] : [];
    const { effective, injected } = runLeases({ ...CALM, faults: [...faults, felt] });
    expect(injected.get(felt.kind)).toBe(1);
    expect(effective.has(felt.kind)).toBe(true);
    const other = runLeases({ ...CALM, faults: [unfelt] });
    expect(other.injected.get(felt.kind)).toBe(1);
    expect(other.effective.has(felt.kind)).toBe(false);
  });
});

describe("a plan of leases from a file", () => {
  test.each<[what: string, plan: object, message: RegExp]>([
    [
      "of the cluster",
      generate("of the cluster"),
      /it was written for --workload cluster, and this is --workload leases/,
    ],
    ["that is a list", [], /expected object/],
    ["of a later format", { ...CALM, format: 2 }, /expected 1[\s\S]*at format/],
    ["with an unknown fault", { ...CALM, faults: [{ kind: "flood", atMs: 1 }] }, /at faults\[0\]\.kind/],
    [
      "with a server that is not there",
      { ...CALM, faults: [{ kind: "restart", atMs: 1, forMs: 0, server: 3, data: "lost" }] },
      /only 3 servers[\s\S]*at faults\[0\]\.server/,
    ],
    [
      "with a node that is not there",
      { ...CALM, operations: [{ kind: "lookup", atMs: 1, node: 3, name: "x", timeoutMs: 1 }] },
      /only 3 nodes[\s\S]*at operations\[0\]\.node/,
    ],
    [
      "with a lease that nobody could hold",
      { ...CALM, settings: { ttlMs: 1_000, clockRateBound: 0.9, serverStepMs: 40 } },
      /leases\.clockRateBound[\s\S]*at settings/,
    ],
  ])("%s is refused, and it is said what is wrong where", (_what, plan, message) => {
    expect(() => parseLeasePlan(JSON.stringify(plan))).toThrow(message);
  });

  test("is none for the cluster, and it is said so", () => {
    expect(() => parsePlan(JSON.stringify(CALM))).toThrow(
      "it was written for --workload leases, and this is --workload cluster",
    );
  });
});

describe("a failing plan of leases", () => {
  let report: Report<LeasePlan> | undefined;
  let text = "";
  beforeAll(async () => {
    report = await reportOf(SLOW, TIERS.leases);
    text = report === undefined ? "" : textOfReport(report);
  });

  test("shrinks to what it needs, and to the lowest places", () => {
    expect(report?.invariant).toBe("no two hold a name");
    expect(report?.plan).toMatchObject({ servers: 3, nodes: 2, delayMs: [1, 1] });
    expect(report?.plan.operations.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "acquire x",
      "acquire x",
    ]);
    const kinds = new Set(report?.plan.faults.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(["cut", "drift"]);
  });

  test("shrinks to fewer servers, if it fails with these", async () => {
    const sings = { invariant: "canary", seen: "it sings", atMs: 4_000 };
    const tier: Tier<LeasePlan> = {
      ...TIERS.leases,
      run: (plan) => ({
        ...runLeases(plan),
        violation: plan.faults.some(({ kind }) => kind === "pause") ? sings : undefined,
      }),
    };
    const shrunk = await reportOf({ ...SLOW, servers: 5 }, tier);
    expect(shrunk?.plan).toMatchObject({ servers: 3, nodes: 1, operations: [] });
    expect(shrunk?.plan.faults).toMatchObject([{ kind: "pause", node: 0 }]);
  });

  test("is told with the rule, the plan, and how to run it again", () => {
    expect(text).toContain("breaks a rule: no two hold a name");
    expect(text).toContain("npm run sim -- --workload leases --seed calm\n");
    expect(report && textOfReport(report, "found.json")).toContain(
      "npm run sim -- --workload leases --plan found.json",
    );
    expect(report && parseLeasePlan(textOfPlan(report.plan))).toEqual(report?.plan);
  });

  test("is told with a lane for each node and each server", () => {
    expect(text).toMatch(/^ +ms {2}n0 +n1 +s0 +s1 +s2$/m);
    expect(text).toMatch(/fault: cut n\d – s\d, for \d+ ms$/m);
    expect(text).toMatch(/▶ .* n\d → s\d {2}acquire x \(claim \d+\)$/m);
    expect(text).toMatch(/◀.* s\d → n\d {2}x: granted \d+$/m);
    expect(text).toMatch(/● .* granted x with \d+/m);
    expect(text).toMatch(/no two hold a name: x: n\d with \d+ and n\d with \d+$/m);
    expect(text).not.toContain("renew");
    expect(text).not.toMatch(/^ +-\d.*(takes part|keeps out)/m);
  });

  test("is drawn", () => {
    const svg = report === undefined ? "" : svgOf(report.diagram);
    expect(svg).toMatch(/^<svg [\s\S]*>s2<\/text>[\s\S]*<\/svg>$/);
  });

  test("shows who stands still and which server keeps out", async () => {
    const tier: Tier<LeasePlan> = {
      ...TIERS.leases,
      simpler: { changes: [], movedDown: () => [], faults: () => [], operations: () => [] },
      run: (plan, tell) => {
        const result = runLeases(plan, tell);
        const isAll = plan.faults.length === 4 && plan.operations.length === 2;
        const violation = isAll ? { invariant: "canary", seen: "x", atMs: 4_000 } : undefined;
        return { ...result, violation };
      },
    };
    const faults: LeaseFault[] = [
      { kind: "pause", atMs: 2_000, forMs: 1_000, node: 1 },
      { kind: "restart", atMs: 2_100, forMs: 0, server: 2, data: "lost" },
      { kind: "crash", atMs: 2_200, forMs: 0, node: 2 },
      { kind: "serverPause", atMs: 2_300, forMs: 100, server: 0 },
    ];
    const shown = await reportOf({ ...CALM, faults }, tier);
    const lanes = shown?.diagram.lanes;
    const at = (atMs: number) => [0, 1, 2, 100, 101, 102].map((place) => lanes?.stateAt(place, atMs));
    expect(at(1_000)).toEqual(["up", "up", "up", "up", "up", "up"]);
    expect(at(2_350)).toEqual(["up", "paused", "up", "paused", "up", "offline"]);
    expect(at(3_900)).toEqual(["up", "up", "up", "up", "up", "up"]);
  });
});
