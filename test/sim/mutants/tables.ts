import type { Mutant } from "./mutant.ts";

const GROUPS_DIFFER = [
  "all nodes agree on the groups",
  "groups are the union of what their nodes say",
  "no member is dead",
];
const TABLES_DIFFER = [...GROUPS_DIFFER, "all nodes agree on the names", "no name is held by the dead"];

/** So short that nodes have to take snapshots of each other. */
const SHORT_TAIL = {
  file: "src/replication/limits.ts",
  find: "export const TAIL_OPERATIONS = 65_536;",
  replace: "export const TAIL_OPERATIONS = 2;",
} as const;

/** Of groups, and of the logs that all tables come from. */
export const TABLES: readonly Mutant[] = [
  {
    name: "the end of a process leaves its memberships",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "for (const entry of this.#owners.get(owner)?.entriesOf(operation.serial) ?? [])\n          this.#remove(entry, operation.reason, events);",
        replace: "",
      },
    ],
    by: ["the dead are in no group"],
    seeds: 30,
  },
  {
    name: "a snapshot only adds names",
    given: [SHORT_TAIL],
    edits: [
      {
        file: "src/global/name-table.ts",
        find: "if (!kept.has(name)) this.#drop(table, name, RELEASED);",
        replace: "",
      },
    ],
    by: ["all nodes agree on the names", "no name is held by the dead", "nothing is left half done"],
    seeds: 340,
  },
  {
    name: "a snapshot only adds members",
    given: [SHORT_TAIL],
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "this.#removeAll(owner, (entry) => !kept.has(entry), RELEASED, events);",
        replace: "",
      },
    ],
    by: [...GROUPS_DIFFER, "nothing is left half done"],
    seeds: 680,
  },
  {
    name: "the members of a node that is down stay",
    edits: [
      {
        file: "src/node/scope-machine.ts",
        find: "this.#emit(this.groups.purge(node, reason));",
        replace: "",
      },
    ],
    by: [...GROUPS_DIFFER, "nothing is left of who is down"],
    seeds: 50,
  },
  {
    name: "a join is counted once however often",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "joins: (entry?.joins ?? 0) + times,",
        replace: "joins: Math.min(1, (entry?.joins ?? 0) + times),",
      },
    ],
    by: ["joins are counted"],
    seeds: 30,
  },
  {
    name: "who leaves once has left as often as it joined",
    edits: [
      {
        file: "src/groups/group-table.ts",
        find: "const joins = entry.joins - times;",
        replace: "const joins = Math.min(0, entry.joins - times);",
      },
    ],
    by: ["joins are counted"],
    seeds: 140,
  },
  {
    name: "frames of who is not up touch the tables",
    edits: [
      {
        file: "src/node/machine.ts",
        find: "if (this.#membership.isUp(from)) this.#peerMessage(from, message);",
        replace: "if (from !== this.id) this.#peerMessage(from, message);",
      },
      {
        file: "src/replication/replication.ts",
        find: "const feed = this.#feeds.get(from);\n    if (feed === undefined) return;",
        replace:
          "const feed = this.#feeds.get(from) ?? this.#newFeed(from);\n    this.#feeds.set(from, feed);",
      },
    ],
    by: [...TABLES_DIFFER, "who is not up owns nothing"],
    seeds: 740,
  },
  {
    name: "a gap in a log is passed over",
    edits: [
      {
        file: "src/replication/feed.ts",
        find: "if (first > this.#position + 1 || this.#arriving !== undefined) {",
        replace: "if (this.#arriving !== undefined) {",
      },
    ],
    by: ["nothing is left half done", ...TABLES_DIFFER],
    seeds: 240,
  },
  {
    name: "a gap is passed over, and no digest compared",
    edits: [
      {
        file: "src/replication/feed.ts",
        find: "if (first > this.#position + 1 || this.#arriving !== undefined) {",
        replace: "if (this.#arriving !== undefined) {",
      },
      {
        file: "src/replication/feed.ts",
        find: "} else if (position === this.#position && digest !== this.#port.digest()) {",
        replace: "} else if (position < 0 && digest !== this.#port.digest()) {",
      },
    ],
    by: TABLES_DIFFER,
    seeds: 320,
  },
  {
    name: "the positions in heartbeats are not looked at",
    edits: [
      {
        file: "src/replication/feed.ts",
        find: "if (position > this.#position) {",
        replace: "if (position < 0) {",
      },
    ],
    by: [...TABLES_DIFFER, "every request is answered"],
    seeds: 150,
  },
  {
    name: "a question to a log is asked once only",
    edits: [
      {
        file: "src/replication/feed.ts",
        find: "if (this.#askedAtMs === undefined || nowMs < this.#askedAtMs + RETRY_MS) return;",
        replace: "if (this.#askedAtMs === undefined || nowMs >= 0) return;",
      },
    ],
    by: [...TABLES_DIFFER, "every request is answered", "every node joins"],
    seeds: 640,
  },
];
