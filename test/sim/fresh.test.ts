import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { AnyPlan } from "../../src/sim/any-plan.ts";
import { reportOf, textOfReport } from "../../src/sim/report.ts";
import type { Tier } from "../../src/sim/tier.ts";
import { onTier, type TierName } from "../../src/sim/tiers.ts";

/** Where the plans are that failed once, and for how long fresh seeds are run. */
const TRIED: readonly { readonly name: TierName; readonly folder: string; readonly freshMs: number }[] = [
  { name: "machine", folder: "./regressions/", freshMs: 10_000 },
  { name: "leases", folder: "./regressions/leases/", freshMs: 5_000 },
];

/** However slow the machine is just now. */
const LEAST_SEEDS = 51;

async function runFresh<P extends AnyPlan>(tier: Tier<P>, forMs: number): Promise<void> {
  // The moment is in the name, so that a failure can be run again: it is told with the command.
  const begun = `fresh-${Date.now().toString(36)}`;
  const beganMs = performance.now();
  let seeds = 0;
  for (; seeds < LEAST_SEEDS || performance.now() - beganMs < forMs; seeds += 1) {
    const plan = tier.generate(`${begun}-${seeds}`);
    if ((await tier.run(plan)).violation === undefined) continue;
    const report = await reportOf(plan, tier);
    expect.fail(report === undefined ? `${plan.seed} fails only once` : textOfReport(report));
  }
  process.stdout.write(`${seeds} fresh seeds of tier ${tier.name}, ${begun}-0 and on\n`);
}

async function rerun<P extends AnyPlan>({ parse, run }: Tier<P>, text: string): Promise<void> {
  expect((await run(parse(text))).violation).toBeUndefined();
}

describe.each(TRIED)("of tier $name", ({ name, folder, freshMs }) => {
  test(
    "seeds that were never run before break no rule",
    async () => {
      await onTier(name, (tier) => runFresh(tier, freshMs));
    },
    freshMs * 12,
  );

  const regressions = new URL(folder, import.meta.url);
  test.each(readdirSync(regressions).filter((file) => file.endsWith(".json")))(
    "%s, which failed once, does not fail again",
    async (file) => {
      const text = readFileSync(new URL(file, regressions), "utf8");
      await onTier(name, (tier) => rerun(tier, text));
    },
  );
});
