import type { NameEvent } from "../../global/types.ts";
import type { GroupEvent, Member } from "../../groups/types.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { Registration } from "../../resolve/types.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

const RULE = "what watchers are told adds up";

/** What a watcher makes of what it is told. */
interface View {
  readonly names: Map<string, Registration>;
  /** By group and pid. */
  readonly members: Map<string, Member>;
}

/** Whoever watches from the beginning, and does as it is told, ends up with what the tables show; and is told nothing twice. */
export class ViewsAddUp implements Invariant {
  readonly #world: World;
  readonly #views = new Map<SimNode, View>();

  constructor(world: World) {
    this.#world = world;
  }

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    if (input.kind === "watching") this.#begin(node);
    const view = this.#views.get(node);
    if (view === undefined) return;
    for (const effect of effects) {
      if (effect.kind === "nameEvent") this.#nameEvent(node, view, effect.event);
      else if (effect.kind === "groupEvent") this.#groupEvent(node, view, effect.event);
    }
  }

  atRest(): void {
    for (const node of this.#world.present) {
      const view = this.#views.get(node);
      if (view !== undefined) this.#compare(node, view);
    }
  }

  #begin(node: SimNode): void {
    const view: View = { names: new Map(), members: new Map() };
    this.#views.set(node, view);
    for (const registration of node.machine.names(DEFAULT_SCOPE)?.list() ?? [])
      view.names.set(registration.name, registration);
    for (const [group, members] of node.machine.groups(DEFAULT_SCOPE)?.snapshot() ?? [])
      for (const member of members) view.members.set(`${group} ${member.pid}`, member);
  }

  #nameEvent(node: SimNode, { names }: View, event: NameEvent): void {
    if (event.kind !== "registered" && event.kind !== "updated" && event.kind !== "unregistered") return;
    const { name, pid } = event.registration;
    const before = names.get(name)?.pid;
    const expected = event.kind === "registered" ? undefined : pid;
    if (before !== expected)
      this.#world.fail(RULE, `${name} ${event.kind} on ${node.id}: it was ${before}'s`);
    if (event.kind === "unregistered") names.delete(name);
    else names.set(name, event.registration);
  }

  #groupEvent(node: SimNode, { members }: View, event: GroupEvent): void {
    if (event.kind !== "joined" && event.kind !== "updated" && event.kind !== "left") return;
    const key = `${event.group} ${event.member.pid}`;
    if (members.has(key) === (event.kind === "joined"))
      this.#world.fail(RULE, `${key} ${event.kind} on ${node.id}: it was told already, or never`);
    if (event.kind === "left") members.delete(key);
    else members.set(key, event.member);
  }

  #compare(node: SimNode, view: View): void {
    const world: World = this.#world;
    const names = node.machine.names(DEFAULT_SCOPE);
    let shown = 0;
    for (const { name, pid, meta } of names?.list() ?? []) {
      shown += 1;
      const told = view.names.get(name);
      if (told?.pid !== pid || told.meta !== meta)
        world.fail(
          RULE,
          `${name} is ${pid} with ${meta} on ${node.id}, told ${told?.pid} with ${told?.meta}`,
        );
    }
    if (shown !== view.names.size)
      world.fail(RULE, `${shown} names on ${node.id}, told of ${view.names.size}`);
    const groups = node.machine.groups(DEFAULT_SCOPE);
    shown = 0;
    for (const group of groups?.list() ?? []) {
      for (const { pid, joins, meta } of groups?.members(group) ?? []) {
        shown += 1;
        const told = view.members.get(`${group} ${pid}`);
        if (told?.joins !== joins || told.meta !== meta)
          world.fail(
            RULE,
            `${pid} in ${group}: ${joins}, ${meta} on ${node.id}, told ${told?.joins}, ${told?.meta}`,
          );
      }
    }
    if (shown !== view.members.size)
      world.fail(RULE, `${shown} members on ${node.id}, told of ${view.members.size}`);
  }
}
