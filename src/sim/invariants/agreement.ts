import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import { differenceOf } from "../difference.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** When the faults are over and everything has come to rest, all nodes see the same, and it is true. */
export class Agreement implements Invariant {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  atRest(): void {
    const nodes = this.#world.present;
    for (const node of nodes) {
      if (!node.isReady) this.#world.fail("every node joins", `${node.id} has not`);
    }
    const [first, ...others] = nodes;
    if (first === undefined) return;
    this.#sameMembership(nodes);
    const [names, groups] = [namesOf(first), groupsOf(first)];
    for (const other of others) {
      this.#same("all nodes agree on the names", first, names, other, namesOf(other));
      this.#same("all nodes agree on the groups", first, groups, other, groupsOf(other));
    }
    for (const { name, pid } of first.machine.names(DEFAULT_SCOPE)?.list() ?? []) {
      if (!this.#runs(pid)) this.#world.fail("no name is held by the dead", `${name} by ${pid}`);
    }
    this.#unionOfTheTruth(nodes, groups);
  }

  #sameMembership(nodes: readonly SimNode[]): void {
    const ids = nodes.map(({ id }) => id).sort();
    for (const node of nodes) {
      const views = node.machine.nodes();
      const seen = views.map(({ id, state }) => (state === "up" ? id : `${id} (${state})`)).sort();
      if (seen.join() !== ids.join())
        this.#world.fail("all nodes find each other", `${node.id} sees ${seen.join()}, of ${ids.join()}`);
    }
  }

  #same(
    what: string,
    first: SimNode,
    expected: ReadonlyMap<string, string>,
    other: SimNode,
    found: ReadonlyMap<string, string>,
  ): void {
    const differing = differenceOf(expected, found);
    if (differing === undefined) return;
    const { key, left, right } = differing;
    this.#world.fail(what, `${key}: ${left} on ${first.id}, ${right} on ${other.id}`);
  }

  #runs(pid: string): boolean {
    return this.#world.present.some((node) =>
      [...node.processes].some(([one, end]) => one === pid && end === undefined),
    );
  }

  #unionOfTheTruth(nodes: readonly SimNode[], seen: ReadonlyMap<string, string>): void {
    const truth = new Map<string, string>();
    for (const node of nodes) {
      const reader = node.machine.groups(DEFAULT_SCOPE);
      for (const group of reader?.list() ?? []) {
        for (const { pid, joins, meta } of reader?.localMembers(group) ?? []) {
          truth.set(`${group} ${pid}`, `${joins} ${String(meta)}`);
          if (!this.#runs(pid)) this.#world.fail("no member is dead", `${pid} in ${group}`);
        }
      }
    }
    const differing = differenceOf(seen, truth);
    if (differing === undefined) return;
    const { key, left, right } = differing;
    this.#world.fail("groups are the union of what their nodes say", `${key}: ${left}, in truth ${right}`);
  }
}

function namesOf(node: SimNode): ReadonlyMap<string, string> {
  const reader = node.machine.names(DEFAULT_SCOPE);
  return new Map(
    [...(reader?.list() ?? [])].map(({ name, pid, revision, meta }) => [name, `${pid} ${revision} ${meta}`]),
  );
}

function groupsOf(node: SimNode): ReadonlyMap<string, string> {
  const reader = node.machine.groups(DEFAULT_SCOPE);
  return new Map(
    (reader?.list() ?? []).flatMap((group) =>
      (reader?.members(group) ?? []).map(
        ({ pid, joins, meta }) => [`${group} ${pid}`, `${joins} ${String(meta)}`] as const,
      ),
    ),
  );
}
