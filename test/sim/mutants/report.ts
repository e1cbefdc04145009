import { replayOf } from "../../../src/sim/report.ts";
import { TIERS } from "../../../src/sim/tiers.ts";
import type { Finding } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";

/** A row of the table. */
export function toRow({ mutant, found, failures, tried, unsound }: Finding): string {
  const seeds = tried - unsound.length;
  const others = [...failures]
    .sort(([, left], [, right]) => right - left)
    .map(([invariant, times]) => `${invariant}: ${times} of ${seeds}`);
  const at = found === undefined ? "never" : String(found.seed);
  return `| ${mutant.name} | ${found?.invariant ?? ""} | ${at} | ${mutant.seeds} | ${others.join("; ")} |`;
}

/** What has to be put right. */
export function failuresOf({ mutant, found, failures, tried, unsound }: Finding): readonly string[] {
  const wrong: string[] = [];
  if (found === undefined) {
    const others = [...failures.keys()].join(", ");
    wrong.push(
      others === ""
        ? `"${mutant.name}" survived ${tried} seeds`
        : `"${mutant.name}" was found only by what was not named for it: ${others}`,
    );
  }
  return [...wrong, ...unsoundOf(unsound, mutant)];
}

/** Of who only measures how rare a find is: that it was found is not asked. */
export function unsoundOf(seeds: Finding["unsound"], { workload }: Mutant): readonly string[] {
  const tier = TIERS[workload ?? "machine"];
  return seeds.map((seed) => `seed ${seed} fails without any mutant: ${replayOf(tier, `mutants:${seed}`)}`);
}
