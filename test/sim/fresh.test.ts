import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { generate } from "../../src/sim/generate.ts";
import { parsePlan } from "../../src/sim/plan.ts";
import { reportOf, textOfReport } from "../../src/sim/report.ts";
import { runSeed } from "../../src/sim/run.ts";
import { TIERS } from "../../src/sim/tiers.ts";

const FRESH_MS = 10_000;

const regressions = new URL("./regressions/", import.meta.url);

test(
  "seeds that were never run before break no rule",
  async () => {
    // The moment is in the name, so that a failure can be run again: `npm run sim -- --seed NAME`.
    const begun = `fresh-${Date.now().toString(36)}`;
    const beganMs = performance.now();
    let seeds = 0;
    for (; performance.now() - beganMs < FRESH_MS; seeds += 1) {
      const plan = generate(`${begun}-${seeds}`);
      if (runSeed(plan).violation === undefined) continue;
      const report = await reportOf(plan, TIERS.machine);
      expect.fail(report === undefined ? `${plan.seed} fails only once` : textOfReport(report));
    }
    process.stdout.write(`${seeds} fresh seeds, ${begun}-0 and on\n`);
    expect(seeds).toBeGreaterThan(50);
  },
  FRESH_MS * 12,
);

test.each(readdirSync(regressions).filter((file) => file.endsWith(".json")))(
  "%s, which failed once, does not fail again",
  (file) => {
    const { violation } = runSeed(parsePlan(readFileSync(new URL(file, regressions), "utf8")));
    expect(violation).toBeUndefined();
  },
);
