import type { Mutant } from "./mutant.ts";

/** Bugs that the simulator has not found yet: each stands for a fault, a workload or an invariant that is missing. */
export const SURVIVORS: readonly Mutant[] = [
  {
    name: "a claim that is refused keeps earlier grants",
    edits: [
      {
        file: "src/global/claims.ts",
        find: 'this.#giveBack(open, nowMs);\n        this.#port.ended(open.subject, { kind: "refused"',
        replace: 'this.#port.ended(open.subject, { kind: "refused"',
      },
    ],
    by: ["a grant is not kept for nothing", "nothing is left half done"],
    seeds: 3_000,
  },
  {
    name: "every promise is given",
    edits: [
      {
        file: "src/global/promises.ts",
        find: "held !== undefined && held.id === id && held.clash !== clash && held.decider !== from",
        replace: "false as boolean",
      },
    ],
    by: ["a clash is judged once", "a contender stands before one judge"],
    seeds: 3_000,
  },
];
