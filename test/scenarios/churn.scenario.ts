import { beforeAll, describe, expect, test } from "vitest";
import { type ChurnReport, churn } from "./churn-run.ts";

/** What holds, without partition or crash, whatever is commanded: shown on machines on virtual time. */
export function churnScenario(seeds: readonly string[], options: { readonly withinMs: number }): void {
  describe("random commands on names, while processes exit and nodes join and leave in good order", () => {
    let reports: readonly ChurnReport[] = [];

    beforeAll(() => {
      reports = churn(seeds);
    }, options.withinMs);

    test("some succeed, some are refused, and nodes come and go", () => {
      expect(reports.length).toBeGreaterThanOrEqual(seeds.length);
      for (const { succeeded, refused } of reports) {
        expect(succeeded).toBeGreaterThan(50);
        expect(refused.get("NAME_TAKEN")).toBeGreaterThan(10);
      }
      expect(reports.reduce((sum, { visits }) => sum + visits, 0)).toBeGreaterThan(3 * reports.length);
    });

    test("every command is answered, and refused only for a reason that its caller can act on", () => {
      expect(reports.flatMap(({ unanswered }) => unanswered)).toEqual([]);
      const codes = new Set(reports.flatMap(({ refused }) => [...refused.keys()]));
      expect([...codes].sort()).toEqual(["NAME_TAKEN", "NO_SUCH_NAME", "NO_SUCH_PROCESS"]);
    });

    test("nothing ever clashes, and no process is ended", () => {
      expect(reports.filter(({ clashes, exits }) => clashes + exits > 0)).toEqual([]);
    });

    test("in the end all nodes agree on what is true, and nothing is left half done", () => {
      expect(reports.flatMap(({ wrongAtRest }) => wrongAtRest ?? [])).toEqual([]);
    });
  });
}
