import type { Mutant } from "./mutant.ts";

const OPEN_CLASH = [
  "a clash is judged once",
  "all nodes agree on the names",
  "nothing is left half done",
  "every request is answered",
  "no livelock",
  "a contender stands before one judge",
  "who loses a clash is told",
];

/** Of what becomes of two registrations that meet. */
export const CLASHES: readonly Mutant[] = [
  {
    name: "the winner is not pinned",
    edits: [
      {
        file: "src/global/promises.ts",
        find: "this.#owner.pin(\n        entry,",
        replace: "((..._: readonly unknown[]) => {})(\n        entry,",
      },
    ],
    by: OPEN_CLASH,
    seeds: 170,
  },
  {
    name: "the loser's process is not ended",
    edits: [
      {
        file: "src/global/owner.ts",
        find: 'if (how === "clashExit") this.#port.exit(pid, clash);',
        replace: 'if (how === "clashExit") void 0;',
      },
    ],
    by: ["who loses a clash is told"],
    seeds: 210,
  },
  {
    name: "the loser's process is not told",
    edits: [
      {
        file: "src/global/owner.ts",
        find: 'else if (how === "clashNotify" || how === "clashFreed") {',
        replace: 'else if (how === "clashFreed") {',
      },
    ],
    by: ["who loses a clash is told"],
    seeds: 2040,
  },
  {
    name: "the younger is ended before anybody has decided",
    edits: [
      {
        file: "src/global/owner.ts",
        find: "const by = this.#port.table.superseder(entry, name);",
        replace:
          'const [oldest] = this.#port.table.visible(name);\n      const by =\n        this.#port.table.superseder(entry, name) ??\n        (oldest === undefined || oldest.owner === entry.owner\n          ? undefined\n          : { entry: oldest, how: "clashExit" as const });',
      },
    ],
    by: ["nobody is ended without having been heard"],
    seeds: 130,
  },
  {
    name: "both sides decide",
    edits: [
      {
        file: "src/global/promises.ts",
        find: "held !== undefined && held.id === id && held.clash !== clash && held.decider !== from",
        replace: "false as boolean",
      },
      {
        file: "src/global/clash-decider.ts",
        find: "const ours = visible.length > 1 && oldest?.owner === this.#port.self;",
        replace:
          "const ours = visible.length > 1 && oldest !== undefined && visible.some((entry) => entry.owner === this.#port.self);",
      },
    ],
    by: OPEN_CLASH,
    seeds: 250,
  },
  {
    name: "the resolver runs twice",
    edits: [
      {
        file: "src/global/clash-decider.ts",
        find: "this.#port.resolve(decision.clash, this.#port.resolverOf(decision.name), {",
        replace:
          "for (let run = 0; run < 2; run += 1) this.#port.resolve(decision.clash, this.#port.resolverOf(decision.name), {",
      },
    ],
    by: ["a clash is judged once"],
    seeds: 230,
  },
  {
    name: "a resolver that never answers is waited for",
    edits: [
      {
        file: "src/global/clash-decider.ts",
        find: 'this.#judge(decision, { kind: "failed" }, nowMs);',
        replace: "",
      },
    ],
    by: OPEN_CLASH,
    seeds: 1020,
  },
  {
    name: "a promise outlives its decider",
    edits: [
      {
        file: "src/global/promises.ts",
        find: "if (promised.decider === node) this.#promised.delete(name);",
        replace: "if (promised.decider === this.#port.self) this.#promised.delete(name);",
      },
    ],
    by: ["nothing is left half done", "a clash is judged once", "who loses a clash is told"],
    seeds: 1_770,
  },
  {
    name: "stamps ignore what was heard",
    edits: [
      {
        file: "src/kernel/hlc.ts",
        find: "if (wallMs > this.#wallMs || (wallMs === this.#wallMs && counter > this.#counter)) {",
        replace: "if (counter < 0) {",
      },
    ],
    by: ["stamps follow cause"],
    seeds: 30,
  },
];
