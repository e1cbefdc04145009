import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type AdmittedFrame, FrameGate } from "../../../src/node/frame-gate.ts";
import { RunningNode } from "../../../src/node/running-node.ts";
import { isCalm } from "../../../src/sim/calm.ts";
import { svgOf } from "../../../src/sim/diagram-svg.ts";
import { generate } from "../../../src/sim/generate.ts";
import type { TraceLine } from "../../../src/sim/machine/telling.ts";
import { type Plan, parsePlan } from "../../../src/sim/plan.ts";
import { reportOf, textOfPlan, textOfReport } from "../../../src/sim/report.ts";
import { generateForShells } from "../../../src/sim/shell/generate.ts";
import type { Said } from "../../../src/sim/shell/mail.ts";
import { runShellSeed } from "../../../src/sim/shell/run.ts";
import { TIERS } from "../../../src/sim/tiers.ts";

const regressions = new URL("../../sim/regressions/", import.meta.url).pathname;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Two nodes that talk, with a frame that comes twice now and then. */
const TALK: Plan = {
  format: 1,
  seed: "talk",
  nodes: 2,
  processes: 1,
  delayMs: [1, 5],
  turnMs: [0, 0],
  probeEveryMs: 250,
  resolver: "oldest",
  resolverMs: [0, 1],
  restAtMs: 10_000,
  operations: Array.from({ length: 20 }, (_, index) => ({
    kind: "say" as const,
    atMs: 3_000 + index * 100,
    node: 0,
    process: 0,
    how: "send" as const,
    to: { owner: 1, process: 0 },
    times: 5,
  })),
  faults: [{ kind: "repeat", atMs: 3_500, forMs: 1_000, from: 0, to: 1 }],
};

/** The rule that a run broke. */
async function brokenBy(plan: Plan): Promise<string | undefined> {
  return (await runShellSeed(plan)).violation?.invariant;
}

describe("plans on real nodes", () => {
  test("keep every rule", async () => {
    const reached = new Map<string, number>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const { violation, marks } = await runShellSeed(generateForShells(`shell ${seed}`));
      if (violation !== undefined) throw new Error(`shell ${seed}: ${violation.message}`);
      for (const mark of marks) reached.set(mark, (reached.get(mark) ?? 0) + 1);
    }
    // What this tier is for is no rarity.
    for (const mark of ["a clash of 2", "done: takeover", "done: transfer", "a call is answered"])
      expect(reached.get(mark), mark).toBeGreaterThan(10);
  });

  test("stay calm where those for machines are, and lack nothing of them", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const [plan, more] = [generate(`calm ${seed}`), generateForShells(`calm ${seed}`)];
      expect(more.operations).toEqual(expect.arrayContaining(plan.operations));
      expect(more.faults).toEqual(expect.arrayContaining(plan.faults));
      if (isCalm(plan)) expect(more.faults).toEqual(plan.faults);
    }
  });

  test("do all that a plan can ask for", async () => {
    const operations: Plan["operations"] = [
      { kind: "register", atMs: 3_000, node: 0, name: "x", owner: 0, process: 0 },
      { kind: "takeover", atMs: 3_100, node: 1, name: "x", owner: 1, process: 0 },
      { kind: "unregister", atMs: 3_200, node: 0, name: "x", of: { owner: 0, process: 0 } },
      { kind: "update", atMs: 3_300, node: 0, name: "x", meta: 7 },
      { kind: "unregister", atMs: 3_400, node: 0, name: "x", of: { owner: 1, process: 0 } },
      { kind: "crowd", atMs: 3_500, node: 0, process: 0, groups: 3 },
    ];
    const seen: string[] = [];
    const { violation } = await runShellSeed(
      { ...TALK, operations, faults: [] },
      { tell: ({ text }) => seen.push(text) },
    );
    expect(violation).toBe(undefined);
    // The name is not released for a process that has lost it.
    expect(seen.filter((text) => /^update x: done|^sees unregistered x .*released/.test(text))).toMatchObject(
      [
        expect.stringContaining("update x"),
        expect.stringContaining("unregistered x n1@"),
        expect.stringContaining("unregistered x n1@"),
      ],
    );
    expect(seen).toContain("join crowd 2: 1");
  });

  test.each(readdirSync(regressions).filter((file) => file.endsWith(".json")))(
    "once broke a rule: %s",
    async (file) => {
      const { violation } = await runShellSeed(parsePlan(readFileSync(join(regressions, file), "utf8")));
      expect(violation).toBe(undefined);
    },
  );

  test("equal seeds do the same, with or without somebody who reads along", async () => {
    const hashes = new Set<string>();
    for (const seed of ["a", "b", "c", "d", "e"]) {
      const plan = generate(seed);
      const { hash, events } = await runShellSeed(plan);
      expect(await runShellSeed(plan, { tell: () => {} })).toMatchObject({ hash, events });
      hashes.add(hash);
    }
    expect(hashes.size).toBe(5);
  });

  test("the gate drops the copies of frames that come twice", async () => {
    const { violation, effects, marks } = await runShellSeed(TALK);
    expect(violation).toBe(undefined);
    expect(effects["repeated"]).toBeGreaterThan(5);
    expect(marks).toContain("a copy of a frame was dropped");
  });
});

describe("plans on real nodes break a rule", () => {
  test("when the gate lets copies through", async () => {
    const { admit } = FrameGate.prototype;
    const admitted = new WeakMap<FrameGate, WeakMap<Uint8Array, AdmittedFrame>>();
    vi.spyOn(FrameGate.prototype, "admit").mockImplementation(function (this: FrameGate, subject, data) {
      const seen = admitted.get(this) ?? new WeakMap<Uint8Array, AdmittedFrame>();
      admitted.set(this, seen);
      const frame = admit.call(this, subject, data) ?? seen.get(data);
      if (frame !== undefined) seen.set(data, frame);
      return frame;
    });
    expect(await brokenBy(TALK)).toBe("messages of a pair keep their order and come once");
  });

  test("when messages change places", async () => {
    const { send } = RunningNode.prototype;
    let kept: (() => void) | undefined;
    vi.spyOn(RunningNode.prototype, "send").mockImplementation(function (this: RunningNode, ...what) {
      const later = kept;
      kept = later === undefined ? () => send.apply(this, what) : undefined;
      if (later === undefined) return;
      send.apply(this, what);
      later();
    });
    expect(await brokenBy(TALK)).toBe("messages of a pair keep their order and come once");
  });

  test("when messages are lost", async () => {
    const { send } = RunningNode.prototype;
    let count = 0;
    vi.spyOn(RunningNode.prototype, "send").mockImplementation(function (this: RunningNode, ...what) {
      count += 1;
      if (count % 9 !== 0) send.apply(this, what);
    });
    expect(await brokenBy(TALK)).toBe("no message is lost when nothing goes wrong");
  });

  test("when real time or chance is used", async () => {
    const { send } = RunningNode.prototype;
    vi.spyOn(RunningNode.prototype, "send").mockImplementation(function (this: RunningNode, ...what) {
      try {
        setTimeout(() => {}, 1);
      } catch {
        // It is told all the same.
      }
      send.apply(this, what);
    });
    expect(await brokenBy(TALK)).toBe("real time or chance in a simulation");
  });

  test("when a monitor never fires", async () => {
    const { monitor } = RunningNode.prototype;
    vi.spyOn(RunningNode.prototype, "monitor").mockImplementation(function (this: RunningNode, target) {
      return { ...monitor.call(this, target), down: new Promise(() => {}) };
    });
    const watched: Plan = {
      ...TALK,
      operations: [
        { kind: "monitor", atMs: 3_000, node: 0, owner: 1, process: 0, forMs: 0 },
        { kind: "exit", atMs: 4_000, node: 1, process: 0 },
      ],
    };
    expect(await brokenBy(watched)).toBe("every monitor fires");
  });
});

describe("a seed that fails on real nodes", () => {
  /** Every second thing said to a name is lost: it takes a registration, and two words. */
  const crowded: Plan = {
    ...generate("crowded 1"),
    nodes: 4,
    processes: 2,
    resolver: "oldest",
    restAtMs: 12_000,
    operations: [
      ...generate("crowded 1").operations.filter(({ kind }) => kind === "join" || kind === "monitor"),
      { kind: "register", atMs: 5_000, node: 1, name: "x", owner: 1, process: 0 },
      { kind: "say", atMs: 5_500, node: 2, process: 0, how: "send", to: { name: "x" }, times: 8 },
    ],
    faults: [
      { kind: "step", atMs: 1_000, node: 1, byMs: 50 },
      { kind: "pause", atMs: 4_500, forMs: 2_500, node: 3 },
    ],
  };

  beforeEach(() => {
    const { send } = RunningNode.prototype;
    vi.spyOn(RunningNode.prototype, "send").mockImplementation(function (this: RunningNode, ...what) {
      const [to, message] = what;
      const isLost = typeof to === "object" && "name" in to && (message as Said).number % 2 === 0;
      if (!isLost) send.apply(this, what);
    });
  });

  test("is told as one on machines is: the smallest plan, how to run it again, and a diagram", async () => {
    const report = await reportOf(crowded, TIERS.shell);
    if (report === undefined) throw new Error("it does not fail");
    const { plan } = report;
    expect(plan.operations).toMatchObject([{ kind: "register" }, { kind: "say", times: 2 }]);
    expect(plan).toMatchObject({ processes: 1, faults: [] });
    const text = textOfReport(report);
    expect(text).toContain("breaks a rule: no message is lost when nothing goes wrong");
    expect(text).toContain("npm run sim -- --tier shell --seed 'crowded 1'");
    expect(parsePlan(textOfPlan(plan))).toEqual(plan);
    expect(text).toMatch(/^ +ms {2}n0 +n1$/m);
    expect(text).toMatch(/ │ +● +register x n1\/1$/m);
    expect(text).toMatch(/ ○─+▶ +n0 → n1 {2}send: 1 of n0\/1$/m);
    expect(text).toMatch(/ {2}● +│ +n0\/1 sends 2 to n1\/1$/m);
    expect(svgOf(report.diagram)).toMatch(/^<svg [^>]*>[\s\S]*register x n1\/1[\s\S]*<\/svg>$/);
  });
});

test("a reader of a run on real nodes is shown frames, what was lost, and what programs ask, say and see", async () => {
  const lines: TraceLine[] = [];
  const asked: Plan["operations"] = [
    { kind: "register", atMs: 3_000, node: 0, name: "x", owner: 0, process: 0 },
    { kind: "join", atMs: 3_000, node: 1, group: "g", process: 0, meta: 1 },
    { kind: "publish", atMs: 3_200, node: 0, process: 0, group: "g", times: 1 },
    { kind: "say", atMs: 3_300, node: 1, process: 0, how: "call", to: { name: "x" }, times: 1 },
  ];
  const faults: Plan["faults"] = [
    { kind: "deaf", atMs: 3_340, forMs: 200, from: 0, to: 1 },
    { kind: "depart", atMs: 5_000, node: 1 },
  ];
  await runShellSeed(
    { ...TALK, operations: [...asked, ...TALK.operations.slice(3, 6)], faults },
    { tell: (line) => lines.push(line) },
  );
  const told = (kind: string, text: RegExp): TraceLine | undefined =>
    lines.find((line) => line.kind === kind && text.test(line.text));
  expect(told("input", /^starts$/)).toMatchObject({ place: 0, atMs: 0 });
  expect(told("input", /^register x n0@/)).toMatchObject({
    place: 0,
    about: ["x", expect.stringMatching(/^n0@.*\/1$/)],
  });
  expect(told("receive", /^operations x$/)).toMatchObject({ from: 0, place: 1 });
  expect(told("receive", /^publish g: 1 of n0@/)).toMatchObject({ from: 0, place: 1 });
  expect(told("receive", /^call: 1 of n1@/)).toMatchObject({ from: 1, place: 0 });
  expect(told("receive", /^reply$/)).toMatchObject({ from: 0, place: 1 });
  expect(told("lost", /^send: \d of n0@/)).toMatchObject({ from: 0, place: 1 });
  expect(told("fault", /^deaf n0 → n1/)).toMatchObject({ place: -1, atMs: 3_340 });
  expect(told("nodeEvent", /^sees down n1@/)).toMatchObject({ place: 0 });
  expect(told("seen", /^sees registered x/)).toBeDefined();
  expect(told("ended", /^has left$/)).toBeDefined();
});
