import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LeasePlan, parseLeasePlan } from "../../src/sim/leases/plan.ts";
import { type Plan, parsePlan } from "../../src/sim/plan.ts";
import type { Summary } from "../../src/sim/summary.ts";
import { eventually } from "../support/eventually.ts";

/** `npm run sim`, as it was built, in an OS process of its own. */
class Simulator {
  stdout = "";
  stderr = "";
  readonly ended: Promise<number>;
  readonly #child: ChildProcess;

  constructor(words: readonly string[]) {
    const child = spawn(process.execPath, ["dist/cli/sim.js", ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      this.stdout += data;
    });
    child.stderr.setEncoding("utf8").on("data", (data: string) => {
      this.stderr += data;
    });
    this.#child = child;
    this.ended = once(child, "close").then(([code]) => code as number);
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill("SIGINT");
  }
}

async function run(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const simulator = new Simulator(words);
  const code = await simulator.ended;
  const { stdout, stderr } = simulator;
  return { code, stdout, stderr };
}

/** Nobody can have found, 10 ms after it, that a node was killed: it breaks a rule, whatever the core does. */
const TOO_LATE: Plan = {
  format: 1,
  seed: "too late",
  nodes: 3,
  processes: 1,
  delayMs: [1, 5],
  turnMs: [0, 0],
  probeEveryMs: 250,
  resolver: "oldest",
  resolverMs: [0, 0],
  restAtMs: 3_000,
  operations: [{ kind: "register", atMs: 1_000, node: 0, name: "x", owner: 0, process: 0 }],
  faults: [
    { kind: "step", atMs: 2_000, node: 1, byMs: 50 },
    { kind: "crash", atMs: 27_990, node: 2 },
  ],
};

/** The holder's clock is so slow that it counts on its lease when another has the name already, whatever nodes do. */
const TOO_SLOW: LeasePlan = {
  format: 1,
  workload: "leases",
  seed: "too slow",
  servers: 3,
  nodes: 2,
  areClocksSound: true,
  restAtMs: 4_000,
  settings: { ttlMs: 1_000, clockRateBound: 0.02, serverStepMs: 40 },
  delayMs: [1, 5],
  operations: [
    { kind: "acquire", atMs: 500, node: 0, name: "x", timeoutMs: 500, wait: false, holdMs: 100_000 },
    { kind: "acquire", atMs: 1_000, node: 1, name: "x", timeoutMs: 3_000, wait: true, holdMs: 1_000 },
  ],
  faults: [
    { kind: "drift", atMs: 0, forMs: 10_000, node: 0, rate: 0.3 },
    { kind: "step", atMs: 200, forMs: 0, node: 1, byMs: 20 },
    ...[0, 1, 2].map((server) => ({ kind: "cut", atMs: 900, forMs: 3_000, node: 0, server }) as const),
  ],
};

const TIERS: [tier: string, words: string[]][] = [
  ["machine", ["--tier", "machine"]],
  ["shell", ["--tier", "shell"]],
  ["leases", ["--workload", "leases"]],
];

describe("npm run sim", () => {
  let folder = "";
  const inFolder = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const pictures = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".svg"));
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "rollcall-sim-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each<[words: string[], message: string]>([
    [["--tier", "moon"], 'no tier is called "moon"'],
    [["--workload", "moon"], 'no workload is called "moon": cluster or leases is right'],
    [
      ["--workload", "leases", "--tier", "shell"],
      "--tier is for the cluster: --workload leases has no tiers",
    ],
    [["--seed", ""], '--seed is "": the name of a seed, such as s8399, is right'],
    [["--seeds", "0"], '--seeds is "0": a whole number from 1 to 1000000000 is right'],
    [["--seeds", "many"], '--seeds is "many"'],
    [["--seeds", " "], '--seeds is " "'],
    [["--from", "-1"], "--from"],
    [["--from=-1"], '--from is "-1": a whole number from 0'],
    [["--jobs", "1.5"], '--jobs is "1.5": a whole number from 1 to 256 is right'],
    [["--svg", "x.svg"], "--svg draws one run: --seed or --plan says which"],
    [["--seed", "a", "--plan", "b"], "--seed and --plan each say which run"],
    [["--seed", "a", "--seeds", "5"], "--seeds is for many runs, and --seed asks for one"],
    [["--plan", "a", "--jobs", "2"], "--jobs is for many runs, and --plan asks for one"],
    [["--seed"], "--seed"],
    [["--speed", "5"], "--speed"],
    [["s17"], "s17"],
  ])("refuses %j, says what would be right, and ends with 2", async (words, message) => {
    const { code, stdout, stderr } = await run(...words);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr).toContain("npm run sim -- [options]");
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test.each<[what: string, text: string | undefined, message: RegExp]>([
    ["is not there", undefined, /--plan cannot be read: ENOENT.*plan\.json/],
    ["is no JSON", "{ faults: ]", /plan\.json is no plan that could be run: .*JSON/],
    ["is another thing", "[]", /plan\.json is no plan that could be run: .*expected object/],
    [
      "is for another workload",
      JSON.stringify(TOO_SLOW),
      /plan\.json is no plan that could be run: it was written for --workload leases, and this is --workload cluster$/m,
    ],
    ["is of a later format", JSON.stringify({ ...TOO_LATE, format: 2 }), /expected 1[\s\S]*at format/],
    [
      "has an unknown fault",
      JSON.stringify({ ...TOO_LATE, faults: [{ kind: "flood", atMs: 1 }] }),
      /at faults\[0\]\.kind/,
    ],
    ["lacks its nodes", JSON.stringify({ ...TOO_LATE, nodes: undefined }), /expected number[\s\S]*at nodes/],
  ])("refuses a plan that %s, says what is wrong where, and ends with 2", async (_what, text, message) => {
    const file = join(folder, "plan.json");
    rmSync(file, { force: true });
    if (text !== undefined) inFolder("plan.json", text);
    const { code, stdout, stderr } = await run("--plan", file);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at .*\.js:/m);
  });

  test("tells how it is used", async () => {
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    for (const option of ["seeds", "from", "workload", "tier", "seed", "plan", "svg", "jobs", "json"])
      expect(stdout).toContain(`--${option} `);
  });

  test.each(TIERS)("gives its summary as JSON, of tier %s", async (_tier, tier) => {
    const { code, stdout } = await run(...tier, "--seeds", "6", "--from", "40", "--json");
    expect(code).toBe(0);
    const summary = JSON.parse(stdout) as Summary;
    expect(Object.keys(summary)).toEqual([
      "seeds",
      "events",
      "elapsedMs",
      "seedsPerSecond",
      "faults",
      "marks",
      "unreached",
      "failures",
      "violations",
    ]);
    expect(summary).toMatchObject({ seeds: 6, failures: {}, violations: [] });
    expect(summary.events).toBeGreaterThan(600);
    for (const count of Object.values(summary.faults))
      expect(count).toEqual({
        injected: expect.any(Number),
        runs: expect.any(Number),
        effective: expect.any(Number),
      });
    expect(Object.keys(summary.marks).length).toBeGreaterThan(5);
  });

  test.each(TIERS)(
    "does the same for one seed in two OS processes, and in shares, of tier %s",
    async (tier, words) => {
      const one = [...words, "--seed", "s7", "--json"];
      const [first, second] = [await run(...one), await run(...one)];
      expect(first.code).toBe(0);
      expect(JSON.parse(first.stdout)).toEqual({
        tier,
        seed: "s7",
        events: expect.any(Number),
        hash: expect.stringMatching(/^[0-9a-f]{16}$/),
        marks: expect.arrayContaining([expect.any(String)]),
      });
      expect(second.stdout).toBe(first.stdout);
      const other = await run(...words, "--seed", "s8", "--json");
      expect((JSON.parse(other.stdout) as { hash: string }).hash).not.toBe(
        (JSON.parse(first.stdout) as { hash: string }).hash,
      );
      const many = [...words, "--seeds", "5", "--json"];
      const [whole, shared] = [await run(...many), await run(...many, "--jobs", "2")];
      const untimed = (stdout: string) => ({
        ...(JSON.parse(stdout) as Summary),
        elapsedMs: 0,
        seedsPerSecond: 0,
      });
      expect(untimed(shared.stdout)).toEqual(untimed(whole.stdout));
    },
  );

  test.each([
    {
      ...{ tier: "machine", words: ["--tier", "machine"], plan: TOO_LATE, parse: parsePlan },
      ...{ invariant: "all nodes find each other", seen: /sees n0@/, kinds: ["crash"], fault: "crash" },
    },
    {
      ...{ tier: "shell", words: ["--tier", "shell"], plan: TOO_LATE, parse: parsePlan },
      ...{ invariant: "all nodes find each other", seen: /sees n0@/, kinds: ["crash"], fault: "crash" },
    },
    {
      ...{ tier: "leases", words: ["--workload", "leases"], plan: TOO_SLOW, parse: parseLeasePlan },
      ...{
        invariant: "no two hold a name",
        seen: /^x: n0 with/,
        kinds: ["cut", "drift"],
        fault: "clock runs at 0.3",
      },
    },
  ])(
    "tells of a plan that fails, draws it on request, and ends with 1, of tier $tier",
    async ({ tier, words, plan, parse, invariant, seen, kinds, fault }) => {
      const file = inFolder(`${tier}.json`, JSON.stringify(plan));
      const svg = join(folder, `${tier}.svg`);
      const { code, stdout } = await run(...words, "--plan", file, "--svg", svg);
      expect(code).toBe(1);
      expect(stdout).toContain(`Seed ${plan.seed} breaks a rule: ${invariant}`);
      expect(stdout).toContain(`Again: npm run sim -- ${words.join(" ")} --plan ${file}`);
      expect(stdout).toMatch(new RegExp(`●[ │]+fault: ${fault}$`, "m"));
      expect(readFileSync(svg, "utf8")).toMatch(new RegExp(`^<svg [\\s\\S]*fault: ${fault}[\\s\\S]*</svg>$`));

      const drawn = pictures();
      expect(drawn).toContain(`${tier}.svg`);
      const json = await run(...words, "--plan", file, "--json");
      expect(json.code).toBe(1);
      expect(pictures()).toEqual(drawn);
      const found = JSON.parse(json.stdout) as { plan: unknown };
      expect(found).toMatchObject({
        ...{ tier, seed: plan.seed, invariant },
        seen: expect.stringMatching(seen),
        atMs: expect.any(Number),
      });
      // What it shrank to is a plan, which fails alike.
      const shrunk = parse(JSON.stringify(found.plan));
      expect(new Set(shrunk.faults.map(({ kind }) => kind))).toEqual(new Set(kinds));
      const again = inFolder(`${tier}-shrunk.json`, JSON.stringify(shrunk));
      const rerun = await run(...words, "--plan", again, "--json");
      expect(JSON.parse(rerun.stdout)).toMatchObject({ invariant });
    },
  );

  test("says that a plan which does not fail is not drawn", async () => {
    const { code, stderr } = await run("--seed", "s1", "--svg", join(folder, "passes.svg"));
    expect(code).toBe(0);
    expect(stderr).toMatch(/passes\.svg was not written: only a run that fails is drawn$/m);
    expect(pictures()).not.toContain("passes.svg");
  });

  test("tells of a failure though it cannot be drawn", async () => {
    const file = inFolder("undrawn.json", JSON.stringify(TOO_LATE));
    const { code, stdout, stderr } = await run("--plan", file, "--svg", join(folder, "nowhere", "x.svg"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/--svg cannot be written: ENOENT/);
    expect(stdout).toContain("breaks a rule");
  });

  test.each([
    ["--tier machine", "1"],
    ["--tier shell", "1"],
    ["--tier machine", "2"],
    ["--workload leases", "2"],
  ])("gives the summary so far when it is interrupted, of %s in %s OS processes", async (tier, jobs) => {
    const words = [...tier.split(" "), "--seeds", "1000000", "--jobs", jobs, "--json"];
    const simulator = new Simulator(words);
    // Progress is told only every few seconds where nobody looks on.
    await eventually(() => simulator.stderr.includes(" of 1000000 seeds"), { withinMs: 30_000 });
    simulator.interrupt();
    expect(await simulator.ended).toBe(130);
    const summary = JSON.parse(simulator.stdout) as Summary;
    expect(summary.seeds).toBeGreaterThan(0);
    expect(summary.seeds).toBeLessThan(1_000_000);
    expect(summary).toMatchObject({ failures: {}, violations: [] });
  });
});
