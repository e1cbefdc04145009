import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

const TIERS = ["machine", "shell"];

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
    ["is no JSON", "{ faults: ]", /plan\.json is no plan: .*JSON/],
    ["is another thing", "[]", /plan\.json is no plan: .*expected object/],
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
    for (const option of ["seeds", "from", "tier", "seed", "plan", "svg", "jobs", "json"])
      expect(stdout).toContain(`--${option} `);
  });

  test.each(TIERS)("gives its summary as JSON, of tier %s", async (tier) => {
    const { code, stdout } = await run("--tier", tier, "--seeds", "6", "--from", "40", "--json");
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
    async (tier) => {
      const one = ["--tier", tier, "--seed", "s7", "--json"];
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
      const other = await run("--tier", tier, "--seed", "s8", "--json");
      expect((JSON.parse(other.stdout) as { hash: string }).hash).not.toBe(
        (JSON.parse(first.stdout) as { hash: string }).hash,
      );
      const many = ["--tier", tier, "--seeds", "5", "--json"];
      const [whole, shared] = [await run(...many), await run(...many, "--jobs", "2")];
      const untimed = (stdout: string) => ({
        ...(JSON.parse(stdout) as Summary),
        elapsedMs: 0,
        seedsPerSecond: 0,
      });
      expect(untimed(shared.stdout)).toEqual(untimed(whole.stdout));
    },
  );

  test.each(TIERS)(
    "tells of a plan that fails, draws it on request, and ends with 1, of tier %s",
    async (tier) => {
      const file = inFolder(`${tier}.json`, JSON.stringify(TOO_LATE));
      const svg = join(folder, `${tier}.svg`);
      const { code, stdout } = await run("--tier", tier, "--plan", file, "--svg", svg);
      expect(code).toBe(1);
      expect(stdout).toContain("Seed too late breaks a rule: all nodes find each other");
      expect(stdout).toContain(`Again: npm run sim -- --tier ${tier} --plan ${file}`);
      expect(stdout).toMatch(/●[ │]+fault: crash$/m);
      expect(readFileSync(svg, "utf8")).toMatch(/^<svg [\s\S]*fault: crash[\s\S]*<\/svg>$/);

      const drawn = pictures();
      expect(drawn).toContain(`${tier}.svg`);
      const json = await run("--tier", tier, "--plan", file, "--json");
      expect(json.code).toBe(1);
      expect(pictures()).toEqual(drawn);
      const found = JSON.parse(json.stdout) as { plan: unknown };
      expect(found).toMatchObject({
        tier,
        seed: "too late",
        invariant: "all nodes find each other",
        seen: expect.stringMatching(/sees n0@/),
        atMs: 28_000,
      });
      // What it shrank to is a plan, which fails alike.
      const shrunk = parsePlan(JSON.stringify(found.plan));
      expect(shrunk.faults).toEqual([expect.objectContaining({ kind: "crash" })]);
      const again = await run(
        "--tier",
        tier,
        "--plan",
        inFolder(`${tier}-shrunk.json`, JSON.stringify(shrunk)),
        "--json",
      );
      expect(JSON.parse(again.stdout)).toMatchObject({ invariant: "all nodes find each other" });
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
    ["machine", "1"],
    ["shell", "1"],
    ["machine", "2"],
  ])("gives the summary so far when it is interrupted, of tier %s in %s OS processes", async (tier, jobs) => {
    const words = ["--tier", tier, "--seeds", "1000000", "--jobs", jobs, "--json"];
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
