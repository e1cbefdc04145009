import { beforeAll, describe, expect, test } from "vitest";
import { svgOf } from "../../../src/sim/diagram-svg.ts";
import { generate } from "../../../src/sim/generate.ts";
import type { Invariant } from "../../../src/sim/invariant.ts";
import type { TraceLine } from "../../../src/sim/machine/telling.ts";
import type { World } from "../../../src/sim/machine/world.ts";
import { type Plan, parsePlan } from "../../../src/sim/plan.ts";
import { type Report, reportOf, textOfPlan, textOfReport } from "../../../src/sim/report.ts";
import { type RunOptions, runSeed } from "../../../src/sim/run.ts";
import { shrink } from "../../../src/sim/shrink.ts";
import type { Tier } from "../../../src/sim/tier.ts";
import { TIERS } from "../../../src/sim/tiers.ts";

const CANARY = {
  invariants: [(world: World): Invariant => ({ settled: () => world.fail("canary", "it sings") })],
};

/** Sings when a name of this kind is registered while somebody stands still: one fault and one operation are enough. */
const PICKY = {
  invariants: [
    (world: World): Invariant => ({
      stepped(node, _input, effects) {
        for (const effect of effects) {
          if (effect.kind !== "answer" || effect.answer.kind !== "registration") continue;
          if (effect.answer.registration.name === "x" && world.present.some((other) => other.isPaused))
            world.fail("canary", `x registered on ${node.id}`);
        }
      },
    }),
  ],
};

function throwing(): never {
  throw new TypeError("of no kind");
}

function ruledBy(options: RunOptions): Tier<Plan> {
  return { ...TIERS.machine, run: (plan, tell) => runSeed(plan, { ...options, tell }) };
}

/** A plan with much in it, of which two things matter. */
function crowded(): Plan {
  const drawn = generate("crowded 1");
  return {
    ...drawn,
    nodes: 4,
    processes: 3,
    restAtMs: 15_000,
    operations: [
      ...drawn.operations.filter((operation) => !("name" in operation)),
      { kind: "register", atMs: 5_000, node: 1, name: "x", owner: 1, process: 0 },
    ],
    faults: [
      { kind: "step", atMs: 1_000, node: 1, byMs: 50 },
      { kind: "clog", atMs: 2_000, forMs: 500, from: 0, to: 1, byMs: 20 },
      { kind: "pause", atMs: 4_500, forMs: 2_500, node: 3 },
      { kind: "drift", atMs: 8_000, forMs: 500, node: 2, rate: 1.01 },
    ],
  };
}

describe("the alarm rings", () => {
  test("a rule that is always broken is found in the first step of every seed", () => {
    for (const seed of ["a", "b", "c"]) {
      const { violation, events } = runSeed(seed, CANARY);
      expect(violation).toEqual({ invariant: "canary", seen: "it sings", atMs: 0 });
      expect(events).toBe(1);
    }
  });

  test("what throws in a machine is a violation, with its place", () => {
    const { violation } = runSeed("throws", { invariants: [() => ({ settled: throwing })] });
    expect(violation?.invariant).toBe("no machine throws");
    expect(violation?.seen).toMatch(/TypeError: of no kind\n\s+at .*shrink\.test/);
  });
});

describe("a failing plan shrinks", () => {
  test("to nothing, when it needs nothing", async () => {
    const shrunk = await shrink(generate("empty"), ruledBy(CANARY));
    expect(shrunk?.plan).toMatchObject({ operations: [], faults: [], nodes: 1, processes: 1 });
  });

  test("to what it needs", async () => {
    const shrunk = await shrink(crowded(), ruledBy(PICKY));
    expect(shrunk?.result.violation?.invariant).toBe("canary");
    expect(shrunk?.plan.operations).toEqual([
      { kind: "register", atMs: 5_000, node: 1, name: "x", owner: 1, process: 0 },
    ]);
    expect(shrunk?.plan.faults.map(({ kind }) => kind)).toEqual(["pause"]);
    expect(shrunk?.plan.processes).toBe(1);
  });

  test("to as few nodes as it needs, wherever they stand", async () => {
    const needsBoth = {
      invariants: [
        (world: World): Invariant => ({
          atRest() {
            const kinds = new Set(world.plan.faults.map(({ kind }) => kind));
            if (kinds.has("cut") && kinds.has("clog")) world.fail("canary", "it sings");
          },
        }),
      ],
    };
    const plan: Plan = {
      ...crowded(),
      faults: [
        {
          kind: "cut",
          atMs: 100,
          forMs: 50,
          sides: [
            [0, 2, 5],
            [1, 3, 6],
          ],
          blackHole: false,
        },
        { kind: "clog", atMs: 2_000, forMs: 500, from: 1, to: 3, byMs: 20 },
      ],
    };
    const shrunk = await shrink(plan, ruledBy(needsBoth));
    expect(shrunk?.plan.nodes).toBe(2);
    expect(shrunk?.plan.faults).toMatchObject([
      { kind: "cut", sides: [[1, 0]] },
      { kind: "clog", from: 1, to: 0 },
    ]);
  });

  test("to the same plan each time", async () => {
    const first = await shrink(crowded(), ruledBy(PICKY));
    expect(first).toBeDefined();
    expect((await shrink(crowded(), ruledBy(PICKY)))?.plan).toEqual(first?.plan);
  });

  test("within the runs that it may take", async () => {
    expect((await shrink(crowded(), { ...ruledBy(PICKY), mostRuns: 10 }))?.runs).toBeLessThanOrEqual(10);
  });

  test("only by the rule that it broke first", async () => {
    const other = {
      invariants: [
        (world: World): Invariant => ({
          atRest: () => world.fail(world.plan.faults.length > 0 ? "with faults" : "without", "either way"),
        }),
      ],
    };
    const shrunk = await shrink(crowded(), ruledBy(other));
    expect(shrunk?.result.violation?.invariant).toBe("with faults");
    expect(shrunk?.plan.faults).toHaveLength(1);
  });

  test("not at all, when it does not fail", async () => {
    expect(await shrink(crowded(), ruledBy({ invariants: [] }))).toBeUndefined();
  });
});

describe("a failing seed is told", () => {
  let report: Report<Plan> | undefined;
  let text = "";
  beforeAll(async () => {
    report = await reportOf(crowded(), ruledBy(PICKY));
    text = report === undefined ? "" : textOfReport(report);
  });

  test("with the rule, the plan, and how to run it again", () => {
    expect(text).toContain("breaks a rule: canary");
    expect(text).toContain("npm run sim -- --tier machine --seed 'crowded 1'");
    expect(report && textOfReport(report, "found.json")).toContain(
      "npm run sim -- --tier machine --plan found.json",
    );
    expect(report && parsePlan(textOfPlan(report.plan))).toEqual(report?.plan);
  });

  test("with a diagram of what it is about, which a person can read", () => {
    expect(text).toMatch(/^ +ms {2}n0 +n1/m);
    expect(text).toContain("fault: pause");
    expect(text).toMatch(/register x n1\/1: registration/);
    expect(text).toMatch(/canary: x registered on n1$/m);
    expect(text).not.toContain("beat");
    expect(report?.diagram.rows.length).toBeLessThanOrEqual(120);
  });

  test("once, also when what broke it was thrown", async () => {
    const thrower = { invariants: [() => ({ atRest: throwing })] };
    const { run } = ruledBy(thrower);
    const lines: TraceLine[] = [];
    const { violation, events } = await run({ ...crowded(), operations: [], faults: [] }, (line) =>
      lines.push(line),
    );
    expect(violation?.invariant).toBe("no machine throws");
    expect(lines.filter(({ text: words }) => words.startsWith("start"))).toHaveLength(4);
    expect(events).toBeGreaterThan(0);
  });

  test("and as a picture", () => {
    const svg = report === undefined ? "" : svgOf(report.diagram);
    expect(svg).toMatch(/^<svg [^>]*>[\s\S]*<\/svg>$/);
    expect(svg).toContain("canary: x registered on n1");
  });
});
