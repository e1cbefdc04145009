import { describe, expect, test } from "vitest";
import type { GroupOperation } from "../../../src/groups/group-ops.ts";
import { GroupTable } from "../../../src/groups/group-table.ts";
import type { GroupEvent } from "../../../src/groups/types.ts";
import { makeIncarnation, makeNodeId, makePid, type NodeId, type Pid } from "../../../src/kernel/ids.ts";
import { Value } from "../../../src/kernel/value.ts";
import type { GroupReader } from "../../../src/node/machine-types.ts";
import { metaOf } from "./meta.ts";

const here = nodeNamed("here");
const there = nodeNamed("there");
const p1 = makePid(here, 1);
const p2 = makePid(here, 2);
const q1 = makePid(there, 1);
const q2 = makePid(there, 2);
const NODE_DOWN = { kind: "nodeDown", node: there, cause: "silent" } as const;

describe("joining and leaving", () => {
  test("a process joins, is listed at once, leaves, and the group is gone", () => {
    const { table, join, leave } = own();
    join("g", [p1]);
    expect(table.members("g")).toStrictEqual([{ pid: p1, meta: undefined, node: here, joins: 1 }]);
    expect(table.list()).toStrictEqual(["g"]);
    leave("g", [p1]);
    expect(table.members("g")).toStrictEqual([]);
    expect(table.list()).toStrictEqual([]);
  });

  test("joined three times, twice of them in one call, it is listed once and must leave three times", () => {
    const { table, join, leave } = own();
    join("g", [p1]);
    join("g", [p1, p1]);
    expect(table.members("g")).toMatchObject([{ pid: p1, joins: 3 }]);
    leave("g", [p1, p1]);
    expect(table.members("g")).toMatchObject([{ pid: p1, joins: 1 }]);
    leave("g", [p1]);
    expect(table.has("g", p1)).toBe(false);
  });

  test("leaving more often than joined is leaving", () => {
    const { table, join, leave } = own();
    join("g", [p1]);
    leave("g", [p1, p1, p1]);
    expect(table.count("g")).toBe(0);
  });

  test("who is no member does not leave: no operation comes of it", () => {
    const { table, join } = own();
    join("g", [p1]);
    expect(table.planLeave("g", [p2])).toStrictEqual([]);
    expect(table.planLeave("other", [p1])).toStrictEqual([]);
    expect(table.planLeave("g", [p2, p1])).toStrictEqual([{ kind: "memberDrop", group: "g", serial: 1 }]);
  });

  test("joining again keeps the metadata unless other is given", () => {
    const { table, join } = own();
    join("g", [p1], { role: "writer" });
    join("g", [p1]);
    expect(table.members("g")).toMatchObject([{ joins: 2, meta: { role: "writer" } }]);
    join("g", [p1], { role: "reader" });
    expect(table.members("g")).toMatchObject([{ joins: 3, meta: { role: "reader" } }]);
  });

  test("an update with equal metadata, or of no member, comes to nothing", () => {
    const { table, join } = own();
    join("g", [p1], { role: "writer" });
    expect(table.planUpdate("g", p1, metaOf({ role: "writer" }))).toStrictEqual([]);
    expect(table.planUpdate("g", p2, metaOf(1))).toStrictEqual([]);
    expect(table.planUpdate("g", p1, metaOf({ role: "reader" }))).toHaveLength(1);
  });

  test("planning changes nothing", () => {
    const { table, join } = own();
    join("g", [p1]);
    const before = table.snapshot();
    table.planJoin("g", [p1, p2]);
    table.planLeave("g", [p1]);
    table.planUpdate("g", p1, metaOf(1));
    expect(table.snapshot()).toStrictEqual(before);
    expect(table.planJoin("g", [])).toStrictEqual([]);
  });

  test("a process that ends is gone from all its groups at once", () => {
    const { table, join, apply } = own();
    join("g", [p1, p2]);
    join("h", [p1]);
    expect(table.groupsOf(p1)).toHaveLength(2);
    apply({ kind: "exit", serial: 1, reason: { kind: "killed" } });
    expect(table.groupsOf(p1)).toStrictEqual([]);
    expect(table.list()).toStrictEqual(["g"]);
    expect(table.members("g")).toMatchObject([{ pid: p2 }]);
  });
});

describe("what other nodes write", () => {
  test("members of all nodes are members, and only those of this node are local", () => {
    const { table, join } = own();
    join("g", [p1]);
    table.apply(there, 1, put("g", 1));
    expect(pids(table.members("g"))).toStrictEqual([p1, q1].sort());
    expect(pids(table.localMembers("g"))).toStrictEqual([p1]);
    expect([...table.pidsOn("g", there)]).toStrictEqual([q1]);
    expect(table.nodesOf("g")).toStrictEqual(
      new Map([
        [here, 1],
        [there, 1],
      ]),
    );
    expect([table.count("g"), table.count("g", there), table.count("g", nodeNamed("nowhere"))]).toStrictEqual(
      [2, 1, 0],
    );
  });

  test("two nodes' processes of one serial are two members", () => {
    const { table, join } = own();
    join("g", [p1]);
    table.apply(there, 1, put("g", 1));
    table.apply(there, 2, { kind: "memberDrop", group: "g", serial: 1 });
    expect(table.has("g", p1)).toBe(true);
    expect(table.has("g", q1)).toBe(false);
  });

  test("a node that is down takes its members with it, and nobody else's", () => {
    const { table, join } = own();
    join("g", [p1]);
    table.apply(there, 1, put("g", 1));
    table.apply(there, 2, put("h", 2));
    table.purge(there, NODE_DOWN);
    expect(pids(table.members("g"))).toStrictEqual([p1]);
    expect(table.list()).toStrictEqual(["g"]);
    expect(table.digestOf(there)).toBe(0);
  });

  test("a snapshot replaces all that was known of its owner, and only of its owner", () => {
    const { table, join } = own();
    join("g", [p1]);
    table.apply(there, 1, put("g", 1));
    table.reset(there, [{ sequence: 9, operation: put("h", 2, "new") }]);
    expect(pids(table.members("g"))).toStrictEqual([p1]);
    expect(table.members("h")).toStrictEqual([{ pid: q2, meta: "new", node: there, joins: 1 }]);
    table.reset(there, []);
    expect(table.list()).toStrictEqual(["g"]);
  });

  test("what it says of a member that is none, or of a node that is unknown, does no harm", () => {
    const { table } = own();
    table.watched = true;
    expect(table.apply(there, 1, { kind: "memberDrop", group: "g", serial: 1 })).toStrictEqual([]);
    expect(table.apply(there, 2, { kind: "exit", serial: 1, reason: { kind: "normal" } })).toStrictEqual([]);
    expect(table.purge(there, NODE_DOWN)).toStrictEqual([]);
    expect(table.reset(there, [])).toStrictEqual([]);
    expect(table.counters).toStrictEqual({ groups: 0, members: 0 });
  });
});

describe("reading", () => {
  test("a member whose metadata is no value, by a peer's fault, is shown without it", () => {
    const { table } = own();
    table.watched = true;
    const junk = { ...put("g", 1), meta: Value.fromBytes(Uint8Array.of(0xc1, 0xff)) };
    expect(table.apply(there, 1, junk)).toMatchObject([
      { kind: "joined", member: { pid: q1, meta: undefined } },
    ]);
    expect(table.members("g")).toStrictEqual([{ pid: q1, meta: undefined, node: there, joins: 1 }]);
    expect(table.apply(there, 2, put("g", 1, "sound"))).toMatchObject([
      { kind: "updated", member: { meta: "sound" } },
    ]);
  });

  test("unknown groups and processes are empty, not errors", () => {
    const { table } = own();
    expect(table.members("none")).toStrictEqual([]);
    expect(table.localMembers("none")).toStrictEqual([]);
    expect(table.groupsOf(q1)).toStrictEqual([]);
    expect(table.count("none")).toBe(0);
    expect(table.nodesOf("none").size).toBe(0);
    expect([...table.pidsOn("none", here)]).toStrictEqual([]);
    expect([...table.entriesOf(there)]).toStrictEqual([]);
    expect(table.snapshot("none")).toStrictEqual(new Map());
  });

  test("what was read does not change with the table", () => {
    const { table, join, leave } = own();
    join("g", [p1]);
    const read = [
      table.members("g"),
      table.localMembers("g"),
      table.list(),
      table.groupsOf(p1),
      table.snapshot(),
    ];
    const copy = structuredClone(read);
    join("g", [p1, p2], "later");
    leave("g", [p2]);
    join("h", [p1]);
    expect(read).toStrictEqual(copy);
  });

  test.each(["__proto__", "constructor", "a.b", ">", "\r\n", "💥", "toString"])(
    "%j is a group like another",
    (group) => {
      const { table, join, leave } = own();
      expect(table.has(group, p1)).toBe(false);
      join(group, [p1], group);
      expect(table.list()).toStrictEqual([group]);
      expect(table.snapshot(group).get(group)).toStrictEqual(table.members(group));
      expect(table.groupsOf(p1)).toStrictEqual([group]);
      leave(group, [p1]);
      expect(table.list()).toStrictEqual([]);
    },
  );
});

// From nine members on a group is kept in another way; what it does must not show that.
describe.each([1, 2, 8, 9, 10, 1_000])("a group of %i members on each of two nodes", (size) => {
  const serials = Array.from({ length: size }, (_, index) => index + 1);

  function filled(): ReturnType<typeof own> {
    const node = own();
    node.join(
      "g",
      serials.map((serial) => makePid(here, serial)),
    );
    for (const serial of serials) node.table.apply(there, serial, put("g", serial));
    return node;
  }

  test("lists, counts and finds them all", () => {
    const { table } = filled();
    expect(new Set(pids(table.members("g"))).size).toBe(2 * size);
    expect(pids(table.localMembers("g"))).toStrictEqual(
      pids(table.members("g")).filter((pid) => pid.startsWith(here)),
    );
    expect(table.nodesOf("g")).toStrictEqual(
      new Map([
        [here, size],
        [there, size],
      ]),
    );
    expect([...table.pidsOn("g", there)]).toHaveLength(size);
    expect(table.count("g", there)).toBe(size);
    expect(serials.every((serial) => table.has("g", makePid(there, serial)))).toBe(true);
    expect(table.has("g", makePid(there, size + 1))).toBe(false);
  });

  test("is gone when all have left, from either end", () => {
    const { table, leave } = filled();
    leave("g", serials.map((serial) => makePid(here, serial)).reverse());
    expect(table.nodesOf("g")).toStrictEqual(new Map([[there, size]]));
    for (const serial of serials)
      table.apply(there, size + serial, { kind: "memberDrop", group: "g", serial });
    expect(table.counters).toStrictEqual({ groups: 0, members: 0 });
  });
});

describe("events", () => {
  test("none are made while nobody watches", () => {
    const { table } = own();
    expect(table.apply(there, 1, put("g", 1))).toStrictEqual([]);
    expect(table.reset(there, [])).toStrictEqual([]);
  });

  test("joined, updated by another join and by metadata, left", () => {
    const events = watchedHistory([
      put("g", 1, "a", 1),
      put("g", 1, "a", 2),
      put("g", 1, "b", 2),
      put("g", 1, "b", 2),
      { kind: "memberDrop", group: "g", serial: 1 },
    ]);
    const member = { pid: q1, node: there };
    expect(events).toStrictEqual([
      { kind: "joined", group: "g", member: { ...member, meta: "a", joins: 1 } },
      { kind: "updated", group: "g", member: { ...member, meta: "a", joins: 2 } },
      { kind: "updated", group: "g", member: { ...member, meta: "b", joins: 2 } },
      { kind: "left", group: "g", member: { ...member, meta: "b", joins: 2 }, reason: { kind: "released" } },
    ]);
  });

  test("a process's end is a leaving of each of its groups, with its reason", () => {
    const reason = { kind: "error", error: "boom" } as const;
    const events = watchedHistory([
      put("g", 1),
      put("h", 1),
      put("g", 2),
      { kind: "exit", serial: 1, reason },
    ]);
    expect(brief(events).slice(3).sort()).toStrictEqual([
      ["left", "g", q1, reason],
      ["left", "h", q1, reason],
    ]);
  });

  test("a node's end is a leaving of all its members, in the order of its log", () => {
    const { table } = own();
    table.watched = true;
    table.reset(there, [
      { sequence: 7, operation: put("late", 1) },
      { sequence: 3, operation: put("early", 2) },
    ]);
    expect(brief(table.purge(there, NODE_DOWN))).toStrictEqual([
      ["left", "early", q2, NODE_DOWN],
      ["left", "late", q1, NODE_DOWN],
    ]);
  });

  test("a snapshot tells only what differs", () => {
    const { table } = own();
    table.watched = true;
    for (const [index, group] of ["same", "goes", "changes"].entries())
      table.apply(there, index + 1, put(group, 1, "a"));
    const snapshot = [
      { sequence: 1, operation: put("same", 1, "a") },
      { sequence: 5, operation: put("changes", 1, "b") },
      { sequence: 6, operation: put("comes", 2) },
    ];
    expect(brief(table.reset(there, snapshot))).toStrictEqual([
      ["left", "goes", q1, { kind: "released" }],
      ["updated", "changes", q1, undefined],
      ["joined", "comes", q2, undefined],
    ]);
    expect(table.reset(there, snapshot)).toStrictEqual([]);
  });
});

test("the table is what the node machine calls a group reader", () => {
  const reader: GroupReader = new GroupTable(here);
  expect(reader.list()).toStrictEqual([]);
});

/** A table with a log of its own: what the node machine does around it. */
function own() {
  const table = new GroupTable(here);
  let sequence = 0;
  const apply = (operation: GroupOperation): readonly GroupEvent[] => {
    sequence += 1;
    return table.apply(here, sequence, operation);
  };
  return {
    table,
    apply,
    join: (group: string, joining: readonly Pid[], meta?: unknown) =>
      table.planJoin(group, joining, meta === undefined ? undefined : metaOf(meta)).flatMap(apply),
    leave: (group: string, leaving: readonly Pid[]) => table.planLeave(group, leaving).flatMap(apply),
  };
}

function watchedHistory(operations: readonly GroupOperation[]): GroupEvent[] {
  const table = new GroupTable(here);
  table.watched = true;
  return operations.flatMap((operation, index) => table.apply(there, index + 1, operation));
}

function put(group: string, serial: number, meta?: unknown, joins = 1) {
  return { kind: "memberPut", group, serial, meta: metaOf(meta), joins } as const;
}

function pids(members: readonly { pid: Pid }[]): Pid[] {
  return members.map((member) => member.pid).sort();
}

function brief(events: readonly GroupEvent[]): unknown[] {
  return events.map((event) =>
    "member" in event
      ? [event.kind, event.group, event.member.pid, "reason" in event ? event.reason : undefined]
      : event,
  );
}

function nodeNamed(name: string): NodeId {
  return makeNodeId(name, makeIncarnation(1_700_000_000_000, [1, 2]));
}
