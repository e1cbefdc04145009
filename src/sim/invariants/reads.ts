import type { NodeId, Pid } from "../../kernel/ids.ts";
import type { GroupReader, NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** Past this a group keeps its members in another way. */
const LARGE = 8;

/** A cut makes every node give up every other: to look at each time would cost more than all other rules. */
const DOWNS_PER_LOOK = 4;

/**
 * Whatever a node knows of names and groups, it says the same however it is asked: the lists, the counts, and what a single
 * process holds. Looked at when a process has ended, at some of the times when a node has gone, and at the end.
 */
export class ReadsAgree implements Invariant {
  readonly #world: World;
  #downs = 0;

  constructor(world: World) {
    this.#world = world;
  }

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    let isDue = input.kind === "exited";
    for (const effect of effects) {
      if (effect.kind !== "nodeEvent" || effect.event.kind !== "down") continue;
      this.#downs += 1;
      isDue ||= this.#downs % DOWNS_PER_LOOK === 1;
      this.#nothingIsLeftOf(effect.event.node.id, node);
    }
    if (isDue) this.#look(node);
  }

  atRest(): void {
    for (const node of this.#world.present) {
      const members = this.#look(node);
      const { counters } = node;
      const groups = node.machine.groups(DEFAULT_SCOPE)?.list().length;
      if (counters["tables.groups"] !== groups)
        this.#differ(node, "the count of groups", counters["tables.groups"], groups);
      if (counters["tables.members"] !== members)
        this.#differ(node, "the count of members", counters["tables.members"], members);
    }
  }

  /** How many memberships there are. */
  #look(node: SimNode): number {
    this.#names(node);
    const reader = node.machine.groups(DEFAULT_SCOPE);
    return reader === undefined ? 0 : this.#groups(node, reader);
  }

  #names(node: SimNode): void {
    const reader = node.machine.names(DEFAULT_SCOPE);
    if (reader === undefined) return;
    const perNode = new Map<NodeId, number>();
    const perProcess = new Map<Pid, string[]>();
    let total = 0;
    for (const { name, pid, node: owner } of reader.list()) {
      total += 1;
      perNode.set(owner, (perNode.get(owner) ?? 0) + 1);
      const names = perProcess.get(pid);
      if (names === undefined) perProcess.set(pid, [name]);
      else names.push(name);
    }
    if (reader.count() !== total) this.#differ(node, "names.count()", reader.count(), total);
    for (const [owner, count] of perNode) {
      const counted = reader.count(owner);
      if (counted !== count) this.#differ(node, `names.count(${owner})`, counted, count);
    }
    for (const [pid, names] of perProcess) {
      const found = reader.namesOf(pid);
      if (found.length !== names.length || !names.every((name) => found.includes(name)))
        this.#differ(node, `namesOf(${pid})`, found, names);
    }
  }

  #groups(node: SimNode, reader: GroupReader): number {
    const perProcess = new Map<Pid, number>();
    let total = 0;
    for (const group of reader.list()) {
      const perNode = new Map<NodeId, number>();
      const members = reader.members(group);
      total += members.length;
      for (const { pid, node: owner, joins } of members) {
        perNode.set(owner, (perNode.get(owner) ?? 0) + 1);
        perProcess.set(pid, (perProcess.get(pid) ?? 0) + 1);
        if (joins < 1) this.#differ(node, `joins of ${pid} in ${group}`, joins, "1 or more");
        if (!reader.has(group, pid)) this.#differ(node, `has(${group}, ${pid})`, false, true);
      }
      if (members.length > LARGE) this.#world.mark("a large group");
      if (members.length === 0) this.#differ(node, "list()", group, "no group without members");
      this.#counts(node, reader, group, members.length, perNode);
    }
    for (const [pid, count] of perProcess) {
      const found = reader.groupsOf(pid);
      if (found.length !== count) this.#differ(node, `groupsOf(${pid})`, found, `${count} groups`);
    }
    return total;
  }

  #counts(
    node: SimNode,
    reader: GroupReader,
    group: string,
    total: number,
    perNode: ReadonlyMap<NodeId, number>,
  ): void {
    if (reader.count(group) !== total) this.#differ(node, `count(${group})`, reader.count(group), total);
    const nodes = reader.nodesOf(group);
    if (nodes.size !== perNode.size) this.#differ(node, `nodesOf(${group})`, nodes.size, perNode.size);
    for (const [owner, count] of perNode) {
      const counted = reader.count(group, owner);
      if (nodes.get(owner) !== count) this.#differ(node, `nodesOf(${group})`, nodes.get(owner), count);
      if (counted !== count) this.#differ(node, `count(${group}, ${owner})`, counted, count);
      let pids = 0;
      for (const pid of reader.pidsOn(group, owner)) pids += reader.has(group, pid) ? 1 : 0;
      if (pids !== count) this.#differ(node, `pidsOn(${group}, ${owner})`, pids, count);
    }
    const here = reader.localMembers(group).length;
    const expected = perNode.get(node.id) ?? 0;
    if (here !== expected) this.#differ(node, `localMembers(${group})`, here, expected);
  }

  #nothingIsLeftOf(gone: NodeId, node: SimNode): void {
    if (node.machine.isUp(gone)) return;
    const groups = node.machine.groups(DEFAULT_SCOPE);
    const names = node.machine.names(DEFAULT_SCOPE)?.count(gone) ?? 0;
    const group = groups?.list().find((each) => groups.count(each, gone) > 0);
    const left = [
      ...(names === 0 ? [] : [`${names} names`]),
      ...(group === undefined ? [] : [`members of group ${group}`]),
    ];
    if (left.length > 0)
      this.#world.fail(
        "nothing is left of who is down",
        `${node.id} has given up ${gone}, and still shows ${left.join(" and ")} there`,
      );
  }

  #differ(node: SimNode, what: string, seen: unknown, expected: unknown): never {
    this.#world.fail("all ways to read say the same", `${what} is ${seen} on ${node.id}, not ${expected}`);
  }
}
