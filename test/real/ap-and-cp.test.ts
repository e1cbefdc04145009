import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Timeline } from "../../examples/ap-and-cp/timeline.ts";
import { eventually } from "../support/eventually.ts";

/** What the script runs when it has built the package: these settings have Node find what was built, not the sources. */
const COMMAND = ["--tsconfig", "tsconfig.build.json", "examples/ap-and-cp/main.ts"];
const ROUND_MS = 60_000;
/** Two renewals of a lease are apart by that. */
const STALL_MS = 650;

describe("the example ap-and-cp", () => {
  let out: string;
  let example: ChildProcess | undefined;

  beforeEach(() => {
    mkdirSync(".tmp", { recursive: true });
    out = mkdtempSync(join(".tmp", "ap-and-cp-"));
  });

  afterEach(() => {
    example?.kill("SIGKILL");
    example = undefined;
    rmSync(out, { recursive: true, force: true });
  });

  function start(...args: readonly string[]) {
    const child = spawn(process.execPath, ["node_modules/tsx/dist/cli.mjs", ...COMMAND, ...args]);
    example = child;
    const output = { text: "" };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output.text += text;
      });
    }
    const ended = once(child, "close").then(([code]) => code as number | null);
    return { child, output, ended };
  }

  /** Available and strict. */
  function records(): readonly [Timeline, Timeline] {
    return JSON.parse(readFileSync(join(out, "timeline.json"), "utf8")) as [Timeline, Timeline];
  }

  test("is run by its script from what was built", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: object };
    expect(scripts).toMatchObject({
      "example:ap-and-cp": `npm run --silent build && tsx ${COMMAND.join(" ")}`,
    });
  });

  test(
    "with --once ends with 0, and has shown and written both timelines of one partition",
    async () => {
      const { output, ended } = start("--once", "--out", out);
      expect(await ended, output.text).toBe(0);
      const [, available = "", strict = ""] = output.text.split(/^(?:Available|Strict) names \(/m);
      expect(available).toMatch(/^west-\d +.*XXX/m);
      expect(available).toMatch(/^east-1 +.*XXX/m);
      expect(strict).toMatch(/^west-\d +.*█/m);
      expect(strict).not.toContain("XX");
      expect(output.text).not.toContain("\u001b[");
      const svg = readFileSync(join(out, "timeline.svg"), "utf8");
      for (const title of ["Available names (node.names)", "Strict names (node.strictNames)"])
        expect(svg).toContain(`>${title}`);

      const [ap, cp] = records();
      expect([ap.kind, cp.kind]).toEqual(["available", "strict"]);
      expect([cp.cutMs, cp.healMs]).toEqual([ap.cutMs, ap.healMs]);
      expectTwoThenOne(ap);
      expectNeverTwo(cp);
      // It began where the minority is, so it had to move.
      const [first, ...later] = cp.holdings;
      expect(first).toMatchObject({ node: "east-1", end: "leaseLost" });
      expect(later.map(({ node }) => node)).toContainEqual(expect.stringMatching(/^west-/));
      expect(cp.refusals.map(({ node }) => node.slice(0, 5))).toContain("east-");
      // The tokens that were shown are those of the run.
      for (const { token } of cp.holdings) expect(output.text).toContain(`with token ${token}`);
    },
    ROUND_MS,
  );

  test(
    "without --once goes on with one that keeps its majority, until Ctrl-C",
    async () => {
      const { child, output, ended } = start("--out", out);
      await eventually(() => output.text.includes("Round 3"), { withinMs: 2 * ROUND_MS });
      const [ap, cp] = records();
      child.kill("SIGINT");
      expect(await ended, output.text).toBe(130);
      expectTwoThenOne(ap);
      expectNeverTwo(cp);
      expect(cp.holdings[0]?.node).toBe("west-1");
      // A program that stood still for most of a lease may have lost it, partition or not.
      if (cp.stallMs < STALL_MS) expect(cp.holdings).toMatchObject([{ end: "stillRunning" }]);
    },
    2 * ROUND_MS,
  );

  test("answers an option that is none with the usage, and 2", async () => {
    const { output, ended } = start("--twice");
    expect([await ended, output.text]).toEqual([
      2,
      expect.stringContaining("Usage: npm run example:ap-and-cp"),
    ]);
  });
});

/** One on each side of the partition at the same time, and one in the end. */
function expectTwoThenOne({ cutMs, endMs, healMs, holdings, ticks }: Timeline): void {
  const [east, west] = ["east-", "west-"].map((side) =>
    holdings.find(({ node, fromMs, toMs }) => node.startsWith(side) && fromMs < healMs && toMs > cutMs),
  );
  expect(Math.max(east?.fromMs ?? Number.NaN, west?.fromMs ?? Number.NaN)).toBeLessThan(healMs);
  expect(Math.min(east?.toMs ?? Number.NaN, west?.toMs ?? Number.NaN)).toBeGreaterThan(healMs);
  expect(new Set(ticks.map(({ number }) => number)).size).toBeLessThan(ticks.length);
  expect(holdings.filter(({ toMs }) => toMs === endMs)).toHaveLength(1);
  expect(holdings.some(({ end }) => end === "nameClash")).toBe(true);
}

function expectNeverTwo({ holdings, ticks }: Timeline): void {
  const inOrder = [...holdings].sort((left, right) => left.fromMs - right.fromMs);
  expect(inOrder.length).toBeGreaterThan(0);
  for (const [index, next] of inOrder.entries()) {
    const before = inOrder[index - 1];
    if (before === undefined) continue;
    expect(next.fromMs).toBeGreaterThanOrEqual(before.toMs);
    expect(BigInt(next.token ?? 0)).toBeGreaterThan(BigInt(before.token ?? 0));
  }
  expect(ticks.length).toBeGreaterThan(20);
  expect(new Set(ticks.map(({ number }) => number)).size).toBe(ticks.length);
}
