import type { NodeId } from "../../kernel/ids.ts";
import { DEFAULT_TIMES } from "../../monitor/settings.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** Clocks drift: on the fastest a time is over this much sooner. */
const FASTEST = 0.9;

interface Known {
  heardAtMs: number;
  hasLeft: boolean;
}

/** A node is given up only when it has been out of reach for as long as that takes; and monitors follow that, and nothing else. */
export class GivingUpTakesTime implements Invariant {
  readonly #world: World;
  readonly #known = new Map<SimNode, Map<NodeId, Known>>();

  constructor(world: World) {
    this.#world = world;
  }

  stepped(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    const { nowMs } = this.#world;
    if (input.kind === "frame") this.#of(node, input.from).heardAtMs = nowMs;
    for (const effect of effects) {
      if (effect.kind === "nodeEvent") this.#event(node, effect.event);
      else if (effect.kind === "down") this.#down(node, effect.down.reason);
    }
  }

  #event(node: SimNode, event: Extract<NodeEffect, { kind: "nodeEvent" }>["event"]): void {
    if (event.kind === "up") {
      const known = this.#of(node, event.node.id);
      known.heardAtMs = this.#world.nowMs;
      if (known.hasLeft) this.#world.fail("who has left stays away", `${event.node.id} on ${node.id}`);
    }
    if (event.kind !== "down" || event.reason.kind !== "nodeDown") return;
    const { cause } = event.reason;
    const known = this.#of(node, event.node.id);
    if (cause === "left") known.hasLeft = true;
    const leastMs =
      cause === "silent"
        ? DEFAULT_TIMES.deadAfterMs
        : cause === "disconnected"
          ? DEFAULT_TIMES.disconnectGraceMs
          : 0;
    const silentMs = this.#world.nowMs - known.heardAtMs;
    if (silentMs < leastMs * FASTEST) {
      const what = `${event.node.id} by ${node.id}: ${cause} for ${silentMs.toFixed(1)} ms`;
      this.#world.fail("a node is given up only after its time", what);
    }
  }

  #down(node: SimNode, reason: Extract<NodeEffect, { kind: "down" }>["down"]["reason"]): void {
    if (reason.kind === "nodeDown" && node.machine.isUp(reason.node))
      this.#world.fail("a node is down only to whom it is not up", `${reason.node} on ${node.id}`);
  }

  #of(node: SimNode, peer: NodeId): Known {
    let all = this.#known.get(node);
    if (all === undefined) {
      all = new Map();
      this.#known.set(node, all);
    }
    let known = all.get(peer);
    if (known === undefined) {
      known = { heardAtMs: Number.NEGATIVE_INFINITY, hasLeft: false };
      all.set(peer, known);
    }
    return known;
  }
}
