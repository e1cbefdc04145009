import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** A resolver that says nothing for so long is not waited for. */
const RESOLVER_MS = 4_000;

interface Hearing {
  readonly node: SimNode;
  readonly contenders: readonly string[];
  readonly sinceMs: number;
}

/** While a resolver makes up its mind, nobody else decides about those that it was shown. */
export class OneJudge implements Invariant {
  readonly #world: World;
  readonly #open = new Map<string, Hearing>();

  constructor(world: World) {
    this.#world = world;
  }

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    if (input.kind === "resolved") this.#open.delete(input.clash);
    for (const effect of effects) {
      if (effect.kind !== "resolve") continue;
      const contenders = effect.details.contenders.map(({ pid, registeredAt }) => `${pid} ${registeredAt}`);
      for (const other of this.#open.values()) this.#compare(effect.details.name, node, contenders, other);
      this.#open.set(effect.clash, { node, contenders, sinceMs: this.#world.nowMs });
    }
  }

  #compare(name: string, node: SimNode, contenders: readonly string[], other: Hearing): void {
    const { nowMs } = this.#world;
    if (other.node === node || !other.node.isAlive || nowMs - other.sinceMs > RESOLVER_MS) return;
    if (!contenders.some((one) => other.contenders.includes(one))) return;
    if (!this.#world.wasDisturbed(other.sinceMs, nowMs))
      this.#world.fail("a contender stands before one judge", `${name}: ${other.node.id} and ${node.id}`);
  }
}
