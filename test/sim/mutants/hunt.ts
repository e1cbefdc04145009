import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
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

type Trial = typeof trySeed;

/** Whether a seed fails without the bug. Each is tried once for all mutants that are given the same. */
const sound = new Map<string, { readonly trial: Trial; readonly failures: Map<number, boolean> }>();

async function soundOf(mutant: Mutant, folder: string): Promise<(seed: number) => boolean> {
  const key = JSON.stringify([mutant.given ?? [], mutant.workload]);
  let known = sound.get(key);
  if (known === undefined) {
    known = {
      trial: mutant.given === undefined ? trySeed : await trialOf(mutant, folder),
      failures: new Map(),
    };
    sound.set(key, known);
  }
  const { trial, failures } = known;
  return (seed) => {
    const failed = failures.get(seed) ?? trial(seed, mutant.workload) !== undefined;
    failures.set(seed, failed);
    return failed;
  };
}

async function trialOf(mutant: Mutant, folder: string): Promise<Trial> {
  const path = await bundleMutant({ ...mutant, edits: [] }, "trial", folder);
  return ((await import(pathToFileURL(path).href)) as { readonly trySeed: Trial }).trySeed;
}

/** @param untilFound or else all the seeds are tried, to measure how many find it */
export async function hunt(
  mutant: Mutant,
  folder: string,
  options: { readonly seeds: number; readonly untilFound: boolean },
): Promise<Finding> {
  const failsAnyway = await soundOf(mutant, folder);
  const bundle = await bundleMutant(mutant, "child", folder);
  const workload = mutant.workload === undefined ? [] : [mutant.workload];
  const child = spawn(process.execPath, [bundle, "0", String(options.seeds), ...workload], {
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
