import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type AdmittedFrame, FrameGate } from "../../../src/node/frame-gate.ts";
import { RunningNode } from "../../../src/node/running-node.ts";
import { generate } from "../../../src/sim/generate.ts";
import { type Plan, parsePlan } from "../../../src/sim/plan.ts";
import { runShellSeed } from "../../../src/sim/shell/run.ts";

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
    for (let seed = 1; seed <= 40; seed += 1) {
      const { violation } = await runShellSeed(generate(`shell ${seed}`));
      if (violation !== undefined) throw new Error(`shell ${seed}: ${violation.message}`);
    }
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
