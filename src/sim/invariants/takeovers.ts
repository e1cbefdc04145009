import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** Whose name is taken over is told so, in the same step in which it loses it. */
export class FormerHoldersAreTold implements Invariant {
  readonly #world: World;
  readonly #isCalm: boolean;

  constructor(world: World) {
    this.#world = world;
    this.#isCalm = isCalm(world.plan);
  }

  told(node: SimNode, _input: NodeInput, effects: readonly NodeEffect[]): void {
    // Where sides meet, whoever took it over may be gone by the time that its former holder hears of it.
    if (!this.#isCalm) return;
    for (const effect of effects) {
      if (effect.kind !== "nameEvent" || effect.event.kind !== "unregistered") continue;
      const { registration, reason } = effect.event;
      if (reason.kind !== "takenOver" || registration.node !== node.id || reason.by === registration.pid)
        continue;
      const { name, pid } = registration;
      // It was released in the same frame: nobody is left who took it over.
      if (node.machine.names(DEFAULT_SCOPE)?.whereis(name)?.pid !== reason.by) continue;
      const isTold = effects.some(
        (other) =>
          other.kind === "notify" &&
          other.pid === pid &&
          "name" in other.notice &&
          other.notice.name === name,
      );
      if (!isTold && node.isRunning(pid))
        this.#world.fail("who is taken over is told", `${name} of ${pid}, by ${reason.by}`);
    }
  }
}
