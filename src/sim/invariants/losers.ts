import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

interface Loser {
  readonly node: SimNode;
  readonly name: string;
  readonly pid: string;
}

/** Whose name goes to another contender is ended, or told so; unless the verdict was to tell nobody. */
export class LosersAreTold implements Invariant {
  readonly #world: World;
  readonly #untold = new Map<string, Loser>();

  constructor(world: World) {
    this.#world = world;
  }

  told(node: SimNode, _input: NodeInput, effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "nameEvent") this.#event(node, effect.event);
    }
    for (const effect of effects) {
      if (effect.kind === "notify" && "name" in effect.notice)
        this.#untold.delete(`${effect.notice.name} ${effect.pid}`);
      else if (effect.kind === "exit") this.#forget(effect.pid);
    }
  }

  atRest(): void {
    const { resolver } = this.#world.plan;
    if (resolver === "none" || resolver === "moody") return;
    for (const { node, name, pid } of this.#untold.values()) {
      const runs = [...node.processes].some(([one, end]) => one === pid && end === undefined);
      // Its registration may have been given back before anything was decided about it.
      const wasGivenUp = this.#world.asked.some(
        ({ what, answer }) =>
          what.kind === "register" &&
          what.name === name &&
          what.pid === pid &&
          (answer === "gave up" || answer?.kind !== "registration"),
      );
      // Or it was released, or taken over by one that has ended since.
      const mayBeReleased = this.#world.asked.some(
        ({ what }) => "name" in what && what.name === name && (what.kind !== "register" || what.takeover),
      );
      if (node.isAlive && runs && !wasGivenUp && !mayBeReleased)
        this.#world.fail("who loses a clash is told", `${pid} has lost ${name}`);
    }
  }

  #event(node: SimNode, event: Extract<NodeEffect, { kind: "nameEvent" }>["event"]): void {
    if (event.kind !== "registered" && event.kind !== "updated" && event.kind !== "unregistered") return;
    const { name, pid } = event.registration;
    if (event.registration.node !== node.id) return;
    if (event.kind !== "unregistered") this.#untold.delete(`${name} ${pid}`);
    else if (event.reason.kind === "nameClash") this.#untold.set(`${name} ${pid}`, { node, name, pid });
  }

  #forget(pid: string): void {
    for (const [key, loser] of this.#untold) if (loser.pid === pid) this.#untold.delete(key);
  }
}
