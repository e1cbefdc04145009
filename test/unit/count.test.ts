import { expect, test } from "vitest";
import { count, type Report } from "../../scripts/count.ts";

function reportOf(files: Readonly<Record<string, readonly string[]>>, failed: readonly string[]): Report {
  const all = Object.values(files).flat();
  const having = (status: string) => all.filter((found) => found === status).length;
  return {
    numPassedTests: having("passed"),
    numFailedTests: having("failed"),
    numPendingTests: having("skipped"),
    testResults: Object.entries(files).map(([name, statuses]) => ({
      name,
      status: failed.includes(name) ? "failed" : "passed",
      assertionResults: statuses.map((status) => ({ status })),
    })),
  };
}

test("tests are counted as the runner counted them", () => {
  const report = reportOf({ a: ["passed", "failed", "skipped"], b: ["passed", "passed"] }, ["a"]);
  expect(count(report)).toEqual({ passed: 3, failed: 1, skipped: 1, broken: [] });
});

test("a file that did not load is one failure", () => {
  expect(count(reportOf({ a: [], b: ["passed"] }, ["a"]))).toEqual({
    passed: 1,
    failed: 1,
    skipped: 0,
    broken: ["a"],
  });
});

test("a file whose hook threw, so that its tests were skipped, is one failure", () => {
  const report = reportOf({ a: ["skipped", "skipped"] }, ["a"]);
  expect(count(report)).toEqual({ passed: 0, failed: 1, skipped: 2, broken: ["a"] });
});
