import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RaceArena, type RaceReport } from "./race-arena.ts";

/** How long a frame is under way at most: in one building, and across an ocean. */
const MOST_DELAYS_MS = [4, 80];

/** What holds of races without partition or crash, shown on machines on virtual time. */
export function racesScenario(
  seeds: readonly string[],
  options: { readonly rounds: number; readonly withinMs: number },
): void {
  const { rounds, withinMs } = options;

  describe("five nodes race for names while others join and leave in good order", () => {
    const reports: RaceReport[] = [];
    const { stackTraceLimit } = Error;

    beforeAll(() => {
      // Four of five answers are errors that nobody reads: where they came from takes a tenth of the time.
      Error.stackTraceLimit = 0;
      for (const [index, seed] of seeds.entries()) {
        const mostDelayMs = MOST_DELAYS_MS[index % MOST_DELAYS_MS.length] ?? 1;
        reports.push(new RaceArena(seed, mostDelayMs).run(rounds));
      }
    }, withinMs);

    afterAll(() => {
      Error.stackTraceLimit = stackTraceLimit;
    });

    test(`there are ${seeds.length * rounds} races, with handovers, joins and leaves between them`, () => {
      expect(reports.length).toBe(seeds.length);
      for (const report of reports) {
        expect(report.rounds).toBeGreaterThanOrEqual(rounds);
        expect(Math.min(report.transfers, report.takeovers)).toBeGreaterThan(rounds / 10);
        expect(report.visits).toBeGreaterThan(rounds / 100);
      }
    });

    test("each is won by exactly one, and each handover and release does what it should", () => {
      expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
    });

    test("no reader ever finds nobody under a name that is transferred or taken over", () => {
      expect(reports.flatMap(({ gaps }) => gaps)).toEqual([]);
    });

    test("no reader ever finds a registration again that it has seen put aside", () => {
      expect(reports.flatMap(({ ghosts }) => ghosts)).toEqual([]);
    });

    test("there is no clash, no process is ended, and nobody is taken for dead", () => {
      expect(reports.map(({ clashes, exits }) => clashes + exits)).toEqual(seeds.map(() => 0));
      expect(reports.flatMap(({ downs }) => downs)).toEqual([]);
    });
  });
}
