import type { Mutant } from "./mutant.ts";

const READS = "all ways to read say the same";
const SAID_LAST = "a member shows what it said last";
const COUNTED = "joins are counted";
const ADDS_UP = "what watchers are told adds up";

/** Of what groups show: who is in, how often, with what metadata, and how it is counted. */
export const GROUPS: readonly Mutant[] = [
  {
    name: "who stands twice in one call has joined once",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "joins: (entry?.joins ?? 0) + times,",
        replace: "joins: (entry?.joins ?? 0) + Math.min(1, times),",
      },
    ],
    by: [COUNTED],
    seeds: 30,
  },
  {
    name: "of several that leave in one call one leaves",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: 'else operations.push({ kind: "memberDrop", group, serial });',
        replace: 'else operations.push({ kind: "memberDrop", group, serial });\n      break;',
      },
    ],
    by: [COUNTED],
    seeds: 460,
  },
  {
    name: "who joins again without metadata loses what it had",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "meta: meta ?? entry?.meta ?? Value.undefined,",
        replace: "meta: meta ?? Value.undefined,",
      },
    ],
    by: [SAID_LAST],
    seeds: 80,
  },
  {
    name: "the metadata of a member stays as it was",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "entry.meta = entry.owner.shared(operation.meta);",
        replace: "",
      },
    ],
    by: [SAID_LAST],
    seeds: 30,
  },
  {
    name: "metadata of the same length is taken for the same",
    edits: [
      {
        file: "src/groups/entry.ts",
        find: "known.bytes.length === meta.bytes.length && Buffer.compare(known.bytes, meta.bytes) === 0",
        replace: "known.bytes.length === meta.bytes.length",
      },
    ],
    by: [SAID_LAST],
    seeds: 30,
  },
  {
    name: "a group that all have left stays listed",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "if (group.size === 0) this.#groups.delete(group.name);",
        replace: "",
      },
    ],
    by: [READS],
    seeds: 30,
  },
  {
    name: "the members of a node are counted as often as they joined",
    edits: [
      {
        file: "src/groups/group.ts",
        find: "(entry.owner.id === node ? count + 1 : count)",
        replace: "(entry.owner.id === node ? count + entry.joins : count)",
      },
    ],
    by: [READS],
    seeds: 30,
  },
  {
    name: "a large group forgets the first member of a node",
    edits: [
      {
        file: "src/groups/group.ts",
        find: "new Map([there, entry].map",
        replace: "new Map([entry].map",
      },
    ],
    by: [READS, COUNTED],
    seeds: 140,
  },
  {
    name: "a large group goes on counting a node that has none left",
    edits: [
      {
        file: "src/groups/group.ts",
        find: "      this.#byNode.delete(node);\n      this.counts.delete(node);",
        replace: "      this.#byNode.delete(node);",
      },
    ],
    by: [READS, "nothing is left of who is down"],
    seeds: 380,
  },
  {
    name: "members go with their node, and nobody is told",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "this.#removeAll(owner, () => true, reason, events);",
        replace: "this.#removeAll(owner, () => true, reason, undefined);",
      },
    ],
    by: [ADDS_UP],
    seeds: 50,
  },
  {
    name: "members that joined often outlive their node",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "this.#removeAll(owner, () => true, reason, events);",
        replace: "this.#removeAll(owner, (entry) => entry.joins < 3, reason, events);",
      },
    ],
    by: ["nothing is left of who is down"],
    seeds: 340,
  },
  {
    name: "watchers are told that who has ended has left",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "this.#remove(entry, operation.reason, events);",
        replace: "this.#remove(entry, RELEASED, events);",
      },
    ],
    by: ["a reason is true"],
    seeds: 30,
  },
];
