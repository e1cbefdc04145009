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
    by: [...NAMES_DIFFER, "nothing is left of who is down"],
    seeds: 30,
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
    name: "names are kept for one that is down",
    edits: [
      {
        file: "src/global/arbiter.ts",
        find: "      this.#unpark(docket, (waiting) => waiting.from === node);\n",
        replace: "",
      },
    ],
    by: ["nothing is left half done", "every request is answered"],
    seeds: 820,
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
    name: "a leaver waits for nobody",
    edits: [
      {
        file: "src/global/handover.ts",
        find: "if (!peer.leaveSynced && !this.#port.isSuspect(peer.id)) return false;",
        replace: "if (peer.leaveSynced) return true;",
      },
    ],
    by: TWO_HOLD,
    seeds: 5_990,
  },
  {
    name: "the first arbiter that grants is enough",
    edits: [
      {
        file: "src/global/claims.ts",
        find: "if (this.#port.handover.isActive(from)) this.#complete(open, nowMs);",
        replace: 'if (from !== "") this.#complete(open, nowMs);',
      },
    ],
    by: TWO_HOLD,
    seeds: 1_590,
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
  {
    name: "a name that goes is still counted for its node",
    edits: [
      {
        file: "src/global/name-table.ts",
        find: "this.#table(entry.owner).held += by;",
        replace: "if (by > 0) this.#table(entry.owner).held += by;",
      },
    ],
    by: ["all ways to read say the same"],
    seeds: 30,
  },
  {
    name: "a process that lost a name has it still",
    edits: [
      {
        file: "src/global/name-table.ts",
        find: "return holder !== undefined && holder.owner === owner && holder.serial === serial;",
        replace: "return holder !== undefined;",
      },
    ],
    by: ["all ways to read say the same"],
    seeds: 160,
  },
  {
    name: "a name handed to another node arrives without its metadata",
    edits: [
      {
        file: "src/global/owner.ts",
        find: "          : command.meta;\n    const takes",
        replace:
          '          : command.kind === "adopt"\n            ? Value.undefined\n            : command.meta;\n    const takes',
      },
    ],
    by: ["a name shows what was said of it"],
    seeds: 80,
  },
  {
    name: "who wins a clash loses what was said of it",
    edits: [
      {
        file: "src/global/owner.ts",
        find: "meta: meta ?? entry.meta,",
        replace: "meta: meta ?? Value.undefined,",
      },
    ],
    by: ["a name shows what was said of it"],
    seeds: 80,
  },
  {
    name: "an update is answered and not made",
    edits: [
      {
        file: "src/global/owner.ts",
        find: "if (entry.meta.equals(meta)) return entry.sequence;",
        replace: "if (entry.meta.equals(meta) || meta !== entry.meta) return entry.sequence;",
      },
    ],
    by: ["an update that succeeds is made"],
    seeds: 30,
  },
  {
    name: "the process that a name is taken from is not told",
    edits: [
      {
        file: "src/global/owner.ts",
        find: 'this.#port.notify(pid, { kind: "nameTakenOver", name, scope, by: taker });',
        replace: "void taker;",
      },
    ],
    by: ["who is taken over is told"],
    seeds: 60,
  },
  {
    name: "a release is answered before it is applied",
    edits: [
      {
        file: "src/global/commands.ts",
        find: "if (!this.#applied(pending.owner, outcome.position)) return;\n        if (!outcome.value",
        replace: "if (!outcome.value",
      },
    ],
    by: ["who releases a name does not find it again"],
    seeds: 2700,
  },
];
