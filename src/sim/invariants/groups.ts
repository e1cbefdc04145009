import type { Pid } from "../../kernel/ids.ts";
import type { NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** On its own node a member is what it did: joined so often, less than it left, and nothing once it is dead. */
export class GroupsCount implements Invariant {
  readonly #world: World;
  /** By group and pid. */
  readonly #joins = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  settled(node: SimNode, input: NodeInput): void {
    switch (input.kind) {
      case "join":
        for (const pid of input.pids) this.#change(node, input.group, pid, 1);
        return;
      case "leave":
        for (const pid of input.pids) this.#change(node, input.group, pid, -1);
        return;
      case "exited":
        for (const group of node.machine.groups(DEFAULT_SCOPE)?.groupsOf(input.pid) ?? [])
          this.#world.fail("the dead are in no group", `${input.pid} in ${group}, on ${node.id}`);
        for (const key of this.#joins.keys()) if (key.endsWith(` ${input.pid}`)) this.#joins.delete(key);
        return;
    }
  }

  #change(node: SimNode, group: string, pid: Pid, by: number): void {
    const key = `${group} ${pid}`;
    const joins = Math.max(0, (this.#joins.get(key) ?? 0) + by);
    this.#joins.set(key, joins);
    if (joins > 1) this.#world.mark("a process joined a group more than once");
    const local = node.machine
      .groups(DEFAULT_SCOPE)
      ?.localMembers(group)
      .find((member) => member.pid === pid);
    if ((local?.joins ?? 0) !== joins)
      this.#world.fail("joins are counted", `${key}: ${local?.joins ?? 0}, in truth ${joins}`);
  }
}
