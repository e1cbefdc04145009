import { beforeAll, describe, expect, test } from "vitest";
import { type PartitionReport, PartitionRun } from "./partition-run.ts";

/** What holds once a cluster that was cut, healed and lost nodes has come to rest: shown on machines on virtual time. */
export function partitionsScenario(seeds: readonly string[], options: { readonly withinMs: number }): void {
  describe("nodes go on through partitions and deaths; when all is healed and at rest", () => {
    const reports: PartitionReport[] = [];

    beforeAll(() => {
      for (const seed of seeds) reports.push(new PartitionRun(seed).run());
    }, options.withinMs);

    const failing = (field: keyof PartitionReport) =>
      reports.flatMap((report) => {
        const found = report[field];
        return Array.isArray(found) && found.length > 0 ? [{ seed: report.seed, found }] : [];
      });

    test("there were clashes, of which some ended a process", () => {
      expect(reports.length).toBe(seeds.length);
      const [clashes, exits] = [total(reports, "clashes"), total(reports, "exits")];
      expect(clashes).toBeGreaterThan(seeds.length);
      expect(exits).toBeGreaterThan(seeds.length / 2);
      expect(exits).toBeLessThan(clashes * 2);
    });

    test("all nodes see each other and agree on what is true, and nothing is left half done", () =>
      expect(failing("wrongAtRest")).toEqual([]));

    test("no set of contenders was judged twice, unless something broke or the winner died meanwhile", () => {
      expect(failing("judgedTwice")).toEqual([]);
      expect(total(reports, "judgedAgain")).toBeLessThan(total(reports, "clashes") / 20);
    });

    test("nobody was ended but by a clash, and nobody unheard", () => {
      expect(failing("strangeExits")).toEqual([]);
      expect(failing("unheard")).toEqual([]);
    });
  });
}

function total(reports: readonly PartitionReport[], field: "clashes" | "exits" | "judgedAgain"): number {
  return reports.reduce((sum, report) => sum + report[field], 0);
}
