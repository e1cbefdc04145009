import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { World } from "../machine/world.ts";
import { leftHalfDone } from "../nothing-left.ts";

/** Repairs that only a loss explains. */
const REPAIRS = ["tables.gaps", "tables.repairs", "monitors.repairs"] as const;

/** Nothing is left half done, nobody is kept waiting, and nothing was mended that was not broken. */
export class AtRest implements Invariant {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  atRest(): void {
    const world: World = this.#world;
    for (const asked of world.asked) {
      if (asked.answer === undefined && asked.node.isAlive)
        world.fail("every request is answered", `${JSON.stringify(asked.what)} of ${asked.node.id}`);
    }
    const lossFree = isCalm(world.plan);
    for (const node of world.present) {
      const { counters } = node;
      const [left] = leftHalfDone(counters);
      if (left !== undefined) world.fail("nothing is left half done", `${left} on ${node.id}`);
      for (const counter of REPAIRS) {
        if ((counters[counter] ?? 0) === 0) continue;
        if (lossFree)
          world.fail(
            "nothing is mended that was not broken",
            `${counter} is ${counters[counter]} on ${node.id}`,
          );
        world.mark(`mended: ${counter}`);
      }
      if ((counters["tables.snapshots"] ?? 0) > 0) world.mark("a snapshot was taken");
    }
  }
}
