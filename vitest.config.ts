import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// `unit` needs nothing but Node and stays fast: it is what `npm run check` runs. `real` starts servers and OS processes.
const unit = ["test/unit/**/*.test.ts", "test/style/**/*.test.ts"];

/** What takes a minute and more. Begun last, they would run alone at the end, one beside an idle processor. */
const LONG = [
  "slow/races",
  "lease/jetstream-faults",
  "real/strict-majority",
  "real/strict-storm",
  "slow/scale",
  "real/talk-page-faults",
  "real/guarantees-strict",
  "slow/",
  "lease/",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONG.findIndex((part) => moduleId.includes(`/test/${part}`));
      return found === -1 ? LONG.length : found;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

/** Examples import the package by its name: their tests run them on the sources, as all others do. */
const resolve = {
  alias: [{ find: /^rollcall$/, replacement: fileURLToPath(new URL("./src/index.ts", import.meta.url)) }],
};

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        resolve,
        test: {
          name: "unit",
          include: unit,
          pool: "forks",
          // Far above what any takes, because others may be at work on the machine.
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve,
        test: {
          name: "real",
          include: ["test/**/*.test.ts"],
          exclude: unit,
          pool: "forks",
          // Debian puts servers where the PATH of an ordinary user does not look.
          env: { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/bin:/usr/local/sbin` },
          // Each file has servers of its own, and what they say about time is only true on a machine that keeps up. Most of them
          // wait most of the time.
          maxWorkers: 3,
          // After `unit`, not beside it, for the same reason.
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
