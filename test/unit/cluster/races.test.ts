import { beforeAll, describe, expect, test } from "vitest";
import { RaceArena, type RaceReport } from "../../support/race-arena.ts";

const SEEDS = Array.from({ length: 10 }, (_, index) => `race-${index}`);
const ROUNDS = 200;

describe("five nodes race for names while others join and leave in good order", () => {
  const reports: RaceReport[] = [];

  beforeAll(() => {
    for (const seed of SEEDS) reports.push(new RaceArena(seed).run(ROUNDS));
  });

  test("the races take place, and so do handovers, joins and leaves", () => {
    for (const report of reports) {
      expect(report.rounds).toBeGreaterThanOrEqual(ROUNDS);
      expect(Math.min(report.transfers, report.takeovers)).toBeGreaterThan(ROUNDS / 10);
      expect(report.visits).toBeGreaterThan(3);
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
