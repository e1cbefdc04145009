import { CLASHES } from "./clashes.ts";
import { DETECTION } from "./detection.ts";
import { GROUPS } from "./groups.ts";
import { LEASES } from "./leases.ts";
import type { Mutant } from "./mutant.ts";
import { NAMES } from "./names.ts";
import { TABLES } from "./tables.ts";
import { THROWS } from "./trial.ts";

/** Proves that the alarm rings at all. */
export const CANARY: Mutant = {
  name: "the canary: always throws",
  edits: [
    {
      file: "src/node/machine.ts",
      find: "this.#take(input);",
      replace: 'throw new Error("the canary");',
    },
  ],
  by: [THROWS],
  seeds: 1,
};

export const MUTANTS: readonly Mutant[] = [
  CANARY,
  ...NAMES,
  ...CLASHES,
  ...TABLES,
  ...GROUPS,
  ...DETECTION,
  ...LEASES,
];
