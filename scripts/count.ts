/** What is read of the report that the test runner writes with `--reporter=json`. */
export interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

export interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Files that failed without a failed test: they did not load, or a hook of theirs threw. One failure each. */
  readonly broken: readonly string[];
}

export function count(report: Report): Count {
  const broken = report.testResults
    .filter(({ status, assertionResults }) => {
      return status === "failed" && assertionResults.every((test) => test.status !== "failed");
    })
    .map(({ name }) => name);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests,
    broken,
  };
}
