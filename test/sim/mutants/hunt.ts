import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { bundleMutant } from "./bundle.ts";
import type { Mutant } from "./mutant.ts";
import { type Failure, trySeed } from "./trial.ts";

/** What came of a mutant. */
export interface Finding {
  readonly mutant: Mutant;
  /** By an invariant that was named. */
  readonly found: Failure | undefined;
  /** How many seeds failed by each invariant, those apart that fail without the mutant. */
  readonly failures: ReadonlyMap<string, number>;
  /** Seeds that fail without any mutant. */
  readonly unsound: readonly number[];
  readonly tried: number;
}

const withoutMutant = new Map<number, Failure | undefined>();

/** Whether this seed fails on the core as it is. */
function failsAnyway(seed: number): boolean {
  if (!withoutMutant.has(seed)) withoutMutant.set(seed, trySeed(seed));
  return withoutMutant.get(seed) !== undefined;
}

/** @param untilFound or else all the seeds are tried, to measure how many find it */
export async function hunt(
  mutant: Mutant,
  folder: string,
  options: { readonly seeds: number; readonly untilFound: boolean },
): Promise<Finding> {
  const child = spawn(process.execPath, [await bundleMutant(mutant, folder), "0", String(options.seeds)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const failures = new Map<string, number>();
  const unsound: number[] = [];
  let found: Failure | undefined;
  let tried: number | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as Failure | { readonly tried: number };
    if ("tried" in said) {
      tried = said.tried;
    } else if (failsAnyway(said.seed)) {
      unsound.push(said.seed);
    } else {
      failures.set(said.invariant, (failures.get(said.invariant) ?? 0) + 1);
      if (mutant.by.includes(said.invariant)) found ??= said;
      if (found === undefined || !options.untilFound) continue;
      tried = said.seed + 1;
      child.kill("SIGKILL");
      break;
    }
  }
  if (tried === undefined) throw new Error(`the run of mutant "${mutant.name}" broke off`);
  return { mutant, found, failures, unsound, tried };
}
