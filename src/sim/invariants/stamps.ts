import { MAX_AHEAD_MS, type Stamp } from "../../kernel/hlc.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

const WALL_DIGITS = 9;

/** What a node says is stamped later than all that it said, and believed, before: whatever its calendar does. */
export class StampsFollowCause implements Invariant {
  readonly #world: World;
  readonly #latest = new Map<SimNode, Stamp>();

  constructor(world: World) {
    this.#world = world;
  }

  stepped(node: SimNode, input: NodeInput, _effects: readonly NodeEffect[]): void {
    if (input.kind !== "frame") return;
    const wallMs = Number.parseInt(input.stamp.slice(0, WALL_DIGITS), 36);
    if (wallMs <= node.clock.now().wallMs + MAX_AHEAD_MS) this.#note(node, input.stamp);
  }

  sent(node: SimNode, stamp: Stamp): void {
    const latest = this.#latest.get(node);
    if (latest !== undefined && stamp <= latest)
      this.#world.fail("stamps follow cause", `${stamp} after ${latest} on ${node.id}`);
    this.#note(node, stamp);
  }

  #note(node: SimNode, stamp: Stamp): void {
    const latest = this.#latest.get(node);
    if (latest === undefined || stamp > latest) this.#latest.set(node, stamp);
  }
}
