import type { NodeId } from "../../kernel/ids.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** Longer than anything takes to be given up for, from when it began. */
const FELT_MS = 25_000;

/** Nobody who is well is given up, and each comes and goes in order. */
export class NodesComeAndGo implements Invariant {
  readonly #world: World;
  readonly #seen = new Map<SimNode, Set<NodeId>>();

  constructor(world: World) {
    this.#world = world;
  }

  told(node: SimNode, _input: NodeInput, effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "nodeEvent") this.#event(node, effect.event);
      else if (effect.kind === "fatal")
        this.#world.fail("no node has to close", `${node.id}: ${effect.error.message}`);
    }
  }

  #event(node: SimNode, event: Extract<NodeEffect, { kind: "nodeEvent" }>["event"]): void {
    if (event.kind === "up") this.#of(node).add(event.node.id);
    if (event.kind !== "down") return;
    const seen = this.#of(node);
    const { id } = event.node;
    const world: World = this.#world;
    if (!seen.delete(id)) world.fail("only who was up goes down", `${id} on ${node.id}`);
    const peer = world.nodeOf(id);
    if (peer === undefined || !peer.isAlive) {
      world.mark(`a dead node is given up: ${event.reason.kind === "nodeDown" ? event.reason.cause : "?"}`);
      return;
    }
    if (!world.wasDisturbed(world.nowMs - FELT_MS, world.nowMs, [peer.place, node.place])) {
      world.fail("nobody who is well is given up", `${id} by ${node.id}: ${JSON.stringify(event.reason)}`);
    }
    world.mark("a living node is given up");
  }

  #of(node: SimNode): Set<NodeId> {
    let seen = this.#seen.get(node);
    if (seen === undefined) {
      seen = new Set();
      this.#seen.set(node, seen);
    }
    return seen;
  }
}
