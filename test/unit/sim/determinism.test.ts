import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { generate } from "../../../src/sim/generate.ts";
import { guarded, LeakError } from "../../../src/sim/guard.ts";
import type { TraceLine } from "../../../src/sim/machine/telling.ts";
import type { Plan } from "../../../src/sim/plan.ts";
import { runSeed } from "../../../src/sim/run.ts";

const SAMPLE = Array.from({ length: 25 }, (_, index) => `sample ${index}`);

function fingerprintOf(seed: string): string {
  const { hash, events } = runSeed(seed);
  return `${hash} ${events}`;
}

describe("a run repeats", () => {
  test("a seed gives the same trace twice", () => {
    const first = SAMPLE.map(fingerprintOf);
    expect(SAMPLE.map(fingerprintOf)).toEqual(first);
    expect(new Set(first).size).toBe(SAMPLE.length);
  });

  test("a seed gives the same trace in another OS process", () => {
    const root = new URL("../../../", import.meta.url).pathname;
    const program = `
      import { runSeed } from "${root}src/sim/run.ts";
      const prints = ${JSON.stringify(SAMPLE)}.map((seed) => runSeed(seed)).map(({ hash, events }) => hash + " " + events);
      process.stdout.write(JSON.stringify(prints));`;
    const said = execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      cwd: root,
      encoding: "utf8",
    });
    expect(JSON.parse(said)).toEqual(SAMPLE.map(fingerprintOf));
  });

  test("a plan passes through JSON unchanged", () => {
    const plan = generate("through JSON");
    const again = JSON.parse(JSON.stringify(plan)) as Plan;
    expect(runSeed(again).hash).toBe(runSeed(plan).hash);
  });

  test("another seed of the same plan gives another trace", () => {
    const plan = generate("one");
    expect(runSeed({ ...plan, seed: "two" }).hash).not.toBe(runSeed(plan).hash);
  });
});

describe("one stream of chance for each purpose", () => {
  /** Nothing but what is planned, so that nodes say the same but for the fault. */
  const quiet: Plan = {
    ...generate("streams"),
    nodes: 3,
    processes: 1,
    delayMs: [0.1, 10],
    turnMs: [0, 0],
    restAtMs: 4_000,
    operations: [],
    faults: [],
  };

  function linesOf(plan: Plan): readonly TraceLine[] {
    const lines: TraceLine[] = [];
    runSeed(plan, { invariants: [], tell: (line) => lines.push(line) });
    return lines;
  }

  test("what is asked for does not move what was said before it", () => {
    const without = linesOf(quiet);
    const join = { kind: "join", atMs: 2_000, node: 0, group: "g", process: 0, meta: 1 } as const;
    const with_ = linesOf({ ...quiet, operations: [join] });
    const early = (lines: readonly TraceLine[]) => lines.filter(({ atMs }) => atMs < 2_000);
    expect(early(with_)).toEqual(early(without));
    expect(with_.length).toBeGreaterThan(without.length);
  });

  test.each<Plan["faults"][number]>([
    { kind: "clog", atMs: 1_000, forMs: 2_000, from: 0, to: 1, byMs: 50 },
    { kind: "deaf", atMs: 1_000, forMs: 300, from: 0, to: 1 },
    { kind: "step", atMs: 1_000, node: 1, byMs: 5_000 },
    { kind: "drift", atMs: 1_000, forMs: 2_000, node: 1, rate: 1.05 },
  ])("$kind elsewhere leaves the delays of other links as they were", (fault) => {
    const joins = [1_200, 1_500, 1_900].map((atMs) => ({
      ...({ kind: "join", node: 2, group: "g", process: 0, meta: 1 } as const),
      atMs,
    }));
    const ofTwo = (plan: Plan) =>
      linesOf(plan).filter(({ kind, from, text }) => kind === "receive" && from === 2 && text.includes(" g"));
    const plan = { ...quiet, operations: joins };
    expect(ofTwo({ ...plan, faults: [fault] })).toEqual(ofTwo(plan));
    expect(ofTwo(plan).length).toBeGreaterThanOrEqual(6);
  });
});

describe("nothing leaks into a run", () => {
  test.each<[string, () => unknown]>([
    ["Date.now", () => Date.now()],
    ["performance.now", () => performance.now()],
    ["setTimeout", () => setTimeout(() => undefined, 1)],
    ["setInterval", () => setInterval(() => undefined, 1)],
    ["setImmediate", () => setImmediate(() => undefined)],
    ["queueMicrotask", () => queueMicrotask(() => undefined)],
    ["process.nextTick", () => process.nextTick(() => undefined)],
    ["crypto.randomUUID", () => crypto.randomUUID()],
    ["crypto.getRandomValues", () => crypto.getRandomValues(new Uint8Array(1))],
    ["AbortSignal.timeout", () => AbortSignal.timeout(1)],
    ["fetch", () => fetch("http://127.0.0.1:1")],
  ])("%s throws, and is back afterwards", (_name, leak) => {
    expect(() => guarded(leak)).toThrow(LeakError);
    const before = globalThis.setTimeout;
    guarded(() => undefined);
    expect(globalThis.setTimeout).toBe(before);
    expect(Date.now()).toBeGreaterThan(0);
    expect(crypto.randomUUID()).toHaveLength(36);
  });

  test("chance that cannot be repeated throws", () => {
    const chance: () => number = Reflect.get(Math, "random");
    expect(() => guarded(() => (Reflect.get(Math, "random") as typeof chance)())).toThrow(LeakError);
    expect(Reflect.get(Math, "random")).toBe(chance);
  });

  test("a leak in a run is a violation", () => {
    const { violation } = runSeed("leak", { invariants: [() => ({ stepped: () => void Date.now() })] });
    expect(violation?.invariant).toBe("no machine throws");
    expect(violation?.seen).toContain("now was used in a simulated run");
  });
});
