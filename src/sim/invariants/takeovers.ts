import type { Pid } from "../../kernel/ids.ts";
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

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== "nameEvent" || effect.event.kind !== "unregistered") continue;
      const { registration, reason } = effect.event;
      const { name, pid } = registration;
      if (registration.node !== node.id || !node.isRunning(pid)) continue;
      const mustBeTold =
        reason.kind === "takenOver"
          ? this.#isCalm && reason.by !== pid && this.#isHeldBy(node, name, reason.by)
          : reason.kind === "released" && input.kind === "frame" && !this.#isGivenUp(name);
      const isTold = effects.some(
        (other) =>
          other.kind === "notify" &&
          other.pid === pid &&
          "name" in other.notice &&
          other.notice.name === name,
      );
      if (mustBeTold && !isTold)
        this.#world.fail("who is taken over is told", `${name} of ${pid}: ${reason.kind}`);
    }
  }

  /** Where sides meet, whoever took it over may be gone by the time that its former holder hears of it, or have released it. */
  #isHeldBy(node: SimNode, name: string, pid: Pid): boolean {
    return node.machine.names(DEFAULT_SCOPE)?.whereis(name)?.pid === pid;
  }

  /** Somebody asked for its release, or gave up asking for it. */
  #isGivenUp(name: string): boolean {
    return this.#world.everyone
      .flatMap((one) => [...one.asked.values()])
      .some(
        ({ node, what, answer }) =>
          "name" in what &&
          what.name === name &&
          (what.kind === "unregister" ||
            (what.kind === "register" &&
              (!node.isAlive || answer === "gave up" || answer?.kind === "error"))),
      );
  }
}
