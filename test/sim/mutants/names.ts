import type { Mutant } from "./mutant.ts";

const NAMES_DIFFER = ["all nodes agree on the names", "no name is held by the dead"];
const TWO_HOLD = [
  "no clash without partition or crash",
  "one of several racers wins",
  "a caller reads its own writes",
];

/** Of the names of one node, and of how they are given out. */
export const NAMES: readonly Mutant[] = [
  {
    name: "unregister ignores the process",
    edits: [
      {
        file: "src/global/owner.ts",
        find: "const mine = entry !== undefined && (command.pid === undefined || pidOf(entry) === command.pid);",
        replace: "const mine = entry !== undefined;",
      },
    ],
    by: ["a release is of what was asked for"],
    seeds: 1360,
  },
  {
    name: "the end of a process leaves its names",
    edits: [
      {
        file: "src/global/name-table.ts",
        find: "for (const entry of this.entriesOfSerial(owner, operation.serial)) this.#drop(table, entry.name, end);",
        replace: "void end;",
      },
    ],
    by: NAMES_DIFFER,
    seeds: 40,
  },
  {
    name: "the names of a node that is down stay",
    edits: [
      {
        file: "src/global/name-table.ts",
        find: "if (table !== undefined) for (const name of names) this.#remove(table, name, end);",
        replace: "",
      },
      { file: "src/global/name-table.ts", find: "    this.#owners.delete(owner);\n", replace: "" },
    ],
    by: NAMES_DIFFER,
    seeds: 50,
  },
  {
    name: "a takeover does not supersede",
    edits: [
      {
        file: "src/global/owner.ts",
        find: "const over = allOver(end.current, table.supersededUnder(command.name), taken);",
        replace: "const over: readonly Superseded[] = [];",
      },
    ],
    by: [...TWO_HOLD, "every request is answered"],
    seeds: 50,
  },
  {
    name: "a release leaves no trace of what it superseded",
    edits: [
      {
        file: "src/global/owner.ts",
        find: "if (supersedes.length > 0) this.#bury(",
        replace: "if (supersedes.length < 0) this.#bury(",
      },
    ],
    by: [...TWO_HOLD, "what is over does not come back"],
    seeds: 1360,
  },
  {
    name: "the arbiter grants a name twice",
    edits: [
      {
        file: "src/global/arbiter.ts",
        find: "if (docket.granted !== undefined) {\n        this.#askOwner(",
        replace: "if (docket.granted === first) {\n        this.#askOwner(",
      },
    ],
    by: TWO_HOLD,
    seeds: 80,
  },
  {
    name: "a newcomer is asked alone",
    edits: [{ file: "src/global/handover.ts", find: 'standing: "joining",', replace: 'standing: "active",' }],
    by: TWO_HOLD,
    seeds: 1020,
  },
  {
    name: "a leaver is asked alone",
    edits: [
      {
        file: "src/global/handover.ts",
        find: 'const active = peer.standing === "active";',
        replace: 'const active = peer.standing !== "joining";',
      },
    ],
    by: TWO_HOLD,
    seeds: 5_900,
  },
  {
    name: "claims overtake what was written",
    edits: [
      {
        file: "src/node/machine.ts",
        find: "if (this.#unsent && this.#mustFollowWrites(effect)) this.#flush();",
        replace: "",
      },
    ],
    by: [...TWO_HOLD, "nothing is mended that was not broken"],
    seeds: 2040,
  },
  {
    name: "a registration is answered before it is applied",
    edits: [
      {
        file: "src/global/commands.ts",
        find: "if (!this.#applied(owner, position)) return;\n    const { name }",
        replace: "const { name }",
      },
    ],
    by: ["a caller finds what it registered"],
    seeds: 580,
  },
  {
    name: "a registration that was given up is not withdrawn",
    edits: [
      {
        file: "src/global/requests.ts",
        find: "this.#owner.giveBack(serving.name, serving.registered);",
        replace: "",
      },
    ],
    by: ["what was given up does not stand"],
    seeds: 4080,
  },
];
