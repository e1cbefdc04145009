import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RaceArena, type RaceReport } from "../support/race-arena.ts";

const SEEDS = ["marathon-1", "marathon-2", "marathon-3", "marathon-4"];
const ROUNDS = 25_000;
const WITHIN_MS = 240_000;

describe("100,000 races of five nodes, while others join and leave in good order", () => {
  const reports: RaceReport[] = [];
  const { stackTraceLimit } = Error;

  beforeAll(() => {
    // Four of five answers are errors that nobody reads: where they came from takes a tenth of the time.
    Error.stackTraceLimit = 0;
    for (const seed of SEEDS) reports.push(new RaceArena(seed).run(ROUNDS));
  }, WITHIN_MS);

  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  test("the races take place, and so do handovers, joins and leaves", () => {
    for (const report of reports) {
      expect(report.rounds).toBeGreaterThanOrEqual(ROUNDS);
      expect(Math.min(report.transfers, report.takeovers)).toBeGreaterThan(ROUNDS / 10);
      expect(report.visits).toBeGreaterThan(ROUNDS / 50);
    }
  });

  test("each round has one winner, and each handover and release does what it should", () => {
    expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
  });

  test("no reader ever finds nobody under a name that is transferred or taken over", () => {
    expect(reports.flatMap(({ gaps }) => gaps)).toEqual([]);
  });

  test("there is no clash, no process is ended, and nobody is taken for dead", () => {
    expect(reports.map(({ clashes, exits }) => clashes + exits)).toEqual(SEEDS.map(() => 0));
    expect(reports.flatMap(({ downs }) => downs)).toEqual([]);
  });
});
