import type { Pid } from "../../kernel/ids.ts";
import type { Value } from "../../kernel/value.ts";
import type { NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

interface Membership {
  joins: number;
  meta: unknown;
}

/** On its own node a member is what it did: joined so often, less than it left, with the metadata given last; and nothing once it is dead. */
export class GroupsCount implements Invariant {
  readonly #world: World;
  /** What each process did, by group. */
  readonly #of = new Map<Pid, Map<string, Membership>>();

  constructor(world: World) {
    this.#world = world;
  }

  settled(node: SimNode, input: NodeInput): void {
    switch (input.kind) {
      case "join":
        for (const pid of input.pids) this.#joined(input.group, pid, input.meta);
        this.#compare(node, input.group, input.pids);
        return;
      case "leave":
        for (const pid of input.pids) this.#left(input.group, pid);
        this.#compare(node, input.group, input.pids);
        return;
      case "updateMember": {
        const membership = this.#of.get(input.pid)?.get(input.group);
        if (membership !== undefined) membership.meta = input.meta.get();
        this.#compare(node, input.group, [input.pid]);
        return;
      }
      case "exited":
        for (const group of node.machine.groups(DEFAULT_SCOPE)?.groupsOf(input.pid) ?? [])
          this.#world.fail("the dead are in no group", `${input.pid} in ${group}, on ${node.id}`);
        this.#of.delete(input.pid);
        return;
    }
  }

  #joined(group: string, pid: Pid, meta: Value | undefined): void {
    let groups = this.#of.get(pid);
    if (groups === undefined) {
      groups = new Map();
      this.#of.set(pid, groups);
    }
    const membership = groups.get(group);
    if (membership === undefined) {
      groups.set(group, { joins: 1, meta: meta?.get() });
      return;
    }
    membership.joins += 1;
    if (meta !== undefined) membership.meta = meta.get();
    this.#world.mark("a process joined a group more than once");
  }

  #left(group: string, pid: Pid): void {
    const groups = this.#of.get(pid);
    const membership = groups?.get(group);
    if (membership === undefined) return;
    membership.joins -= 1;
    if (membership.joins === 0) groups?.delete(group);
  }

  #compare(node: SimNode, group: string, pids: readonly Pid[]): void {
    const reader = node.machine.groups(DEFAULT_SCOPE);
    const members = reader?.localMembers(group) ?? [];
    for (const pid of pids) {
      const truth = this.#of.get(pid)?.get(group);
      const member = members.find((each) => each.pid === pid);
      const seen = `${group} ${pid}`;
      if (member?.joins !== truth?.joins)
        this.#world.fail("joins are counted", `${seen}: ${member?.joins}, in truth ${truth?.joins}`);
      if (member?.meta !== truth?.meta)
        this.#world.fail(
          "a member shows what it said last",
          `${seen}: ${member?.meta}, in truth ${truth?.meta}`,
        );
    }
  }
}
