import fc from "fast-check";
import { expect, test } from "vitest";
import type { GroupOperation, MemberPut } from "../../../src/groups/group-ops.ts";
import { GroupTable } from "../../../src/groups/group-table.ts";
import type { GroupEvent, Member } from "../../../src/groups/types.ts";
import { makeIncarnation, makeNodeId, makePid, type NodeId, type Pid } from "../../../src/kernel/ids.ts";
import type { Written } from "../../../src/replication/messages.ts";
import { metaOf } from "./meta.ts";

/*
 * Three owners change their own members; three replicas, one at each owner, learn of it through logs, snapshots and purges
 * in any interleaving. After every step each replica must show, of each owner, exactly what a model of that owner had at
 * the point of the log where the replica is. So convergence is only the special case in which all are at the end.
 */

const NODES = ["n1", "n2", "n3"].map((name, index) =>
  makeNodeId(name, makeIncarnation(1_700_000_000_000, [index, 0])),
);
// Enough processes for a group to outgrow the array in which a small one is kept.
const PROCESSES = 12;
const GROUPS = ["g", "__proto__", "h"];
const METAS = [undefined, "a", { b: 1 }];

/** What one owner's members are: its own, simple account, by group and serial. */
type Model = ReadonlyMap<string, { readonly joins: number; readonly meta: unknown }>;

type Command =
  | {
      readonly kind: "join";
      readonly group: string;
      readonly serials: readonly number[];
      readonly meta: unknown;
    }
  | { readonly kind: "leave"; readonly group: string; readonly serials: readonly number[] }
  | { readonly kind: "update"; readonly group: string; readonly serial: number; readonly meta: unknown }
  | { readonly kind: "exit"; readonly serial: number };

type Step =
  | { readonly kind: "command"; readonly owner: number; readonly command: Command }
  | { readonly kind: "deliver"; readonly owner: number; readonly replica: number; readonly most: number }
  | { readonly kind: "snapshot"; readonly owner: number; readonly replica: number; readonly age: number }
  | { readonly kind: "purge"; readonly owner: number; readonly replica: number };

const index = (length: number): fc.Arbitrary<number> => fc.nat({ max: length - 1 });
const group = fc.constantFrom(...GROUPS);
const serial = fc.integer({ min: 1, max: PROCESSES });
const serials = fc.oneof(
  fc.array(serial, { maxLength: 4 }),
  fc.constant(Array.from({ length: PROCESSES }, (_, position) => position + 1)),
);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("join" as const),
      group,
      serials,
      meta: fc.constantFrom(...METAS),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("leave" as const), group, serials }) },
  fc.record({ kind: fc.constant("update" as const), group, serial, meta: fc.constantFrom(...METAS) }),
  fc.record({ kind: fc.constant("exit" as const), serial }),
);
const pair = { owner: index(NODES.length), replica: index(NODES.length) };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("command" as const), owner: index(NODES.length), command }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("deliver" as const),
      ...pair,
      most: fc.integer({ min: 1, max: 20 }),
    }),
  },
  fc.record({ kind: fc.constant("snapshot" as const), ...pair, age: fc.nat({ max: 10 }) }),
  fc.record({ kind: fc.constant("purge" as const), ...pair }),
);

test("whatever arrives in whatever order, a replica shows each owner's members as they were at its point of the log", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), (steps) => {
      const world = new World();
      for (const each of steps) world.take(each);
      world.deliverAll();
      const ends = world.replicas.map((replica) => shownGroups(replica.table.snapshot()));
      expect(new Set(ends).size).toBe(1);
    }),
    { numRuns: 300 },
  );
});

test("the model, told only the commands, is what the owner's log adds up to", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      const owner = new LoggedOwner(NODES[0] as NodeId);
      let model: Model = new Map();
      for (const each of commands) {
        owner.obey(each);
        model = obeyed(model, each);
        expect(owner.history.at(-1)?.model).toStrictEqual(model);
      }
    }),
  );
});

class World {
  readonly owners = NODES.map((node) => new LoggedOwner(node));
  readonly replicas = NODES.map((node) => new Replica(node));
  readonly #statesByDigest = new Map<string, string>();
  readonly #digestsByState = new Map<string, string>();

  take(step: Step): void {
    const owner = this.owners[step.owner] as LoggedOwner;
    if (step.kind === "command") {
      owner.obey(step.command);
      return;
    }
    const replica = this.replicas[step.replica] as Replica;
    switch (step.kind) {
      case "deliver":
        replica.deliver(owner, step.most);
        break;
      case "snapshot":
        replica.reset(owner, Math.max(0, owner.history.length - 1 - step.age));
        break;
      case "purge":
        replica.purge(owner);
        break;
    }
    this.check(replica);
  }

  deliverAll(): void {
    for (const replica of this.replicas) {
      for (const owner of this.owners) {
        if (replica.positions.get(owner.node) === "away") replica.reset(owner, 0);
        replica.deliver(owner, Number.POSITIVE_INFINITY);
      }
      this.check(replica);
    }
  }

  check(replica: Replica): void {
    const models = this.owners.map((owner) => [owner.node, replica.modelOf(owner)] as const);
    expect(shownGroups(replica.table.snapshot())).toBe(shownModels(models));
    expect(shownGroups(replica.membersSeen())).toBe(shownModels(models));
    expect(readings(replica.table)).toStrictEqual(readingsExpected(models));
    for (const owner of this.owners) this.#checkDigest(replica.table, owner.node);
  }

  /** Equal digests of an owner, wherever and whenever, are equal entries with equal numbers; and the other way round. */
  #checkDigest(table: GroupTable, node: NodeId): void {
    const digest = `${node} ${table.digestOf(node)}`;
    const entries = [...table.entriesOf(node)].sort((left, right) => left.sequence - right.sequence);
    const state = `${node} ${JSON.stringify(entries.map(({ sequence, operation }) => [sequence, { ...operation, meta: operation.meta.get() }]))}`;
    if (!this.#statesByDigest.has(digest)) this.#statesByDigest.set(digest, state);
    if (!this.#digestsByState.has(state)) this.#digestsByState.set(state, digest);
    expect(this.#statesByDigest.get(digest)).toBe(state);
    expect(this.#digestsByState.get(state)).toBe(digest);
  }
}

/** The writing side: a table that plans, a log, and for each point of the log what the members and a snapshot were. */
class LoggedOwner {
  readonly #table: GroupTable;
  readonly log: GroupOperation[] = [];
  readonly history: { readonly model: Model; readonly snapshot: readonly Written<MemberPut>[] }[] = [
    { model: new Map(), snapshot: [] },
  ];

  constructor(readonly node: NodeId) {
    this.#table = new GroupTable(node);
  }

  obey(command: Command): void {
    for (const operation of this.#plan(command)) {
      this.log.push(operation);
      this.#table.apply(this.node, this.log.length, operation);
      const before = this.history.at(-1)?.model ?? new Map();
      this.history.push({
        model: logged(before, operation),
        snapshot: [...this.#table.entriesOf(this.node)],
      });
    }
  }

  #plan(command: Command): readonly GroupOperation[] {
    switch (command.kind) {
      case "join": {
        const meta = command.meta === undefined ? undefined : metaOf(command.meta);
        return this.#table.planJoin(
          command.group,
          command.serials.map((each) => makePid(this.node, each)),
          meta,
        );
      }
      case "leave":
        return this.#table.planLeave(
          command.group,
          command.serials.map((each) => makePid(this.node, each)),
        );
      case "update":
        return this.#table.planUpdate(
          command.group,
          makePid(this.node, command.serial),
          metaOf(command.meta),
        );
      case "exit":
        return [{ kind: "exit", serial: command.serial, reason: { kind: "normal" } }];
    }
  }
}

/** The reading side: a watched table, where it is in each log, and what its events add up to. */
class Replica {
  readonly table: GroupTable;
  readonly positions = new Map<NodeId, number | "away">(NODES.map((node) => [node, 0]));
  readonly #seen = new Map<string, Map<string, Member>>();

  constructor(node: NodeId) {
    this.table = new GroupTable(node);
    this.table.watched = true;
  }

  membersSeen(): ReadonlyMap<string, readonly Member[]> {
    return new Map([...this.#seen].map(([name, members]) => [name, [...members.values()]]));
  }

  modelOf(owner: LoggedOwner): Model {
    const position = this.positions.get(owner.node);
    return typeof position === "number" ? (owner.history[position]?.model ?? new Map()) : new Map();
  }

  /** What an owner that was purged writes is let in again only behind a snapshot: the replication sees to that. */
  deliver(owner: LoggedOwner, most: number): void {
    let position = this.positions.get(owner.node);
    if (typeof position !== "number") return;
    for (const operation of owner.log.slice(position, position + most)) {
      position += 1;
      this.#see(this.table.apply(owner.node, position, operation));
    }
    this.positions.set(owner.node, position);
  }

  reset(owner: LoggedOwner, position: number): void {
    const snapshot = owner.history[position]?.snapshot ?? [];
    this.#see(this.table.reset(owner.node, snapshot));
    this.positions.set(owner.node, position);
    expect(this.table.reset(owner.node, snapshot)).toStrictEqual([]);
  }

  purge(owner: LoggedOwner): void {
    this.#see(this.table.purge(owner.node, { kind: "nodeDown", node: owner.node, cause: "silent" }));
    this.positions.set(owner.node, "away");
    expect(this.table.digestOf(owner.node)).toBe(0);
  }

  #see(events: readonly GroupEvent[]): void {
    for (const event of events) {
      if ("groups" in event) throw new Error("a table makes no such event");
      const members = this.#seen.get(event.group) ?? new Map<string, Member>();
      this.#seen.set(event.group, members);
      expect(members.has(event.member.pid)).toBe(event.kind !== "joined");
      if (event.kind === "updated") expect(members.get(event.member.pid)).not.toStrictEqual(event.member);
      if (event.kind === "left") {
        expect(members.get(event.member.pid)).toStrictEqual(event.member);
        members.delete(event.member.pid);
      } else {
        members.set(event.member.pid, event.member);
      }
      if (members.size === 0) this.#seen.delete(event.group);
    }
  }
}

/** One command, as its meaning is told to users. */
function obeyed(model: Model, command: Command): Model {
  const next = new Map(model);
  if (command.kind === "exit") {
    for (const key of next.keys()) if (serialIn(key) === command.serial) next.delete(key);
    return next;
  }
  for (const each of command.kind === "update" ? [command.serial] : command.serials) {
    const key = `${command.group} ${each}`;
    const joined = next.get(key);
    const joins = (joined?.joins ?? 0) + (command.kind === "join" ? 1 : command.kind === "leave" ? -1 : 0);
    if (joins < 1) next.delete(key);
    else if (command.kind === "leave") next.set(key, { joins, meta: joined?.meta });
    else if (command.kind === "update") next.set(key, { joins, meta: command.meta });
    else next.set(key, { joins, meta: command.meta ?? joined?.meta });
  }
  return next;
}

/** One operation, as its words say. */
function logged(model: Model, operation: GroupOperation): Model {
  const next = new Map(model);
  if (operation.kind === "memberPut")
    next.set(`${operation.group} ${operation.serial}`, {
      joins: operation.joins,
      meta: operation.meta.get(),
    });
  else if (operation.kind === "memberDrop") next.delete(`${operation.group} ${operation.serial}`);
  else for (const key of next.keys()) if (serialIn(key) === operation.serial) next.delete(key);
  return next;
}

function serialIn(key: string): number {
  return Number(key.slice(key.lastIndexOf(" ") + 1));
}

/** What the reading methods say, in an order of its own. */
function readings(table: GroupTable): object {
  return {
    counters: table.counters,
    list: [...table.list()].sort(),
    counts: GROUPS.map((name) => [table.count(name), ...NODES.map((node) => table.count(name, node))]),
    nodes: GROUPS.map((name) => table.nodesOf(name)),
    pidsOn: GROUPS.map((name) => NODES.map((node) => [...table.pidsOn(name, node)].sort().join())),
    groupsOf: everyPid((pid) => [...table.groupsOf(pid)].sort().join()),
    has: everyPid((pid) =>
      GROUPS.filter((name) => table.has(name, pid))
        .sort()
        .join(),
    ),
  };
}

function readingsExpected(models: readonly (readonly [NodeId, Model])[]): object {
  const pids = (name: string, model: Model, node: NodeId): string[] =>
    [...model.keys()].filter((key) => groupIn(key) === name).map((key) => makePid(node, serialIn(key)));
  const members = GROUPS.map((name) => models.map(([node, model]) => pids(name, model, node).sort()));
  const counts = members.map((byNode) => byNode.map((there) => there.length));
  const groupsOf = everyPid((pid) =>
    GROUPS.filter((_, at) => members[at]?.flat().includes(pid))
      .sort()
      .join(),
  );
  return {
    counters: {
      groups: members.filter((byNode) => byNode.flat().length > 0).length,
      members: counts.flat().reduce((sum, count) => sum + count),
    },
    list: GROUPS.filter((_, at) => members[at]?.some((there) => there.length > 0)).sort(),
    counts: counts.map((byNode) => [byNode.reduce((sum, count) => sum + count), ...byNode]),
    nodes: counts.map(
      (byNode) =>
        new Map(NODES.map((node, at) => [node, byNode[at] ?? 0] as const).filter(([, count]) => count > 0)),
    ),
    pidsOn: members.map((byNode) => byNode.map((there) => there.join())),
    groupsOf,
    has: groupsOf,
  };
}

function everyPid(say: (pid: Pid) => string): string[] {
  const serials = Array.from({ length: PROCESSES }, (_, position) => position + 1);
  return NODES.flatMap((node) => serials.map((each) => say(makePid(node, each))));
}

function groupIn(key: string): string {
  return key.slice(0, key.lastIndexOf(" "));
}

function shownGroups(groups: ReadonlyMap<string, readonly Member[]>): string {
  const lines: string[] = [];
  for (const [name, members] of groups) {
    for (const { pid, joins, meta } of members) lines.push(JSON.stringify([name, pid, joins, meta]));
  }
  return lines.sort().join("\n");
}

function shownModels(models: readonly (readonly [NodeId, Model])[]): string {
  const lines: string[] = [];
  for (const [node, model] of models) {
    for (const [key, { joins, meta }] of model) {
      lines.push(JSON.stringify([groupIn(key), makePid(node, serialIn(key)), joins, meta]));
    }
  }
  return lines.sort().join("\n");
}
