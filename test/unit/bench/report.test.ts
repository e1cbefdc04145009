import { describe, expect, test } from "vitest";
import type { ContestResult } from "../../../bench/contest-run.ts";
import { writeReport } from "../../../bench/report.ts";

const LONG = "a sentence that goes on and on, with much to say of what is done in a round, ".repeat(4).trim();
const rate = { median: 1_000, min: 900, max: 1_100 };
const contestant = { does: LONG, spans: [], rates: [], rate };
const joins: ContestResult = {
  name: "joins",
  unit: "joins",
  what: LONG,
  items: 100,
  rounds: 2,
  itemBytes: { toAll: 40, toOne: 0 },
  mark: 0.3,
  ours: { name: "rollcall", ...contestant },
  others: [
    { name: "plain publish", ...contestant, ratios: [], ratio: { median: 0.4, min: 0.35, max: 0.43 } },
    { name: "plain request", ...contestant, ratios: [], ratio: { median: 2, min: 1, max: 3 } },
  ],
};

function reportOf(quick: boolean): string {
  const machine = {
    cores: 2,
    processor: "some processor",
    system: "Linux",
    node: "v20",
    natsServer: "2.10",
    loadAverage: [0, 0, 0],
  };
  return writeReport({ startedAt: "", machine, quick, benchmarks: [joins] });
}

describe("the report of a bench", () => {
  test("has no detail lines that a terminal of 100 columns would break, and loses no word of them", () => {
    const report = reportOf(false);
    for (const line of report.split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
    expect(report.replace(/\s+/g, " ")).toContain(`plain request: ${LONG}`);
  });

  test("says whether the first mark was reached, and what that is", () => {
    const report = reportOf(false);
    expect(report).toMatch(/plain publish .* 0\.3 reached$/m);
    expect(report.replace(/\s+/g, " ")).toContain(
      "first mark: the least that we want of the ratio to the plain client (the first of the others), by its median",
    );
  });

  test("judges nothing after a quick run, and says so", () => {
    const report = reportOf(true);
    expect(report).not.toMatch(/reached|missed/);
    expect(report).toMatch(/plain publish .* 0\.3$/m);
    expect(report).toContain("a quick run: it shows that the bench works, and judges nothing");
  });
});
