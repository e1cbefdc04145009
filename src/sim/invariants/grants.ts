import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { World } from "../machine/world.ts";

/** Until all is answered that was asked last, and then until the last word about it has arrived. */
const ANSWERED_MS = 100;
const TOLD_MS = 1_100;

/** In calm weather arbiters keep nothing for claims that are over: nobody has to wait until they come to doubt it. */
export class GrantsEnd implements Invariant {
  readonly #world: World;
  #kept: string | undefined;

  constructor(world: World) {
    this.#world = world;
    if (isCalm(world.plan)) world.clock.after(world.plan.restAtMs + ANSWERED_MS, () => this.#wait());
  }

  atRest(): void {
    if (this.#kept !== undefined) this.#world.fail("a grant is not kept for nothing", this.#kept);
  }

  #wait(): void {
    const everyone = this.#world.present;
    const isAnswered = everyone.every((node) =>
      [...node.asked.values()].every(({ answer }) => answer !== undefined),
    );
    if (isAnswered) this.#world.clock.after(TOLD_MS - ANSWERED_MS, () => this.#look());
  }

  #look(): void {
    for (const node of this.#world.present) {
      const { counters } = node;
      const left = (counters["tables.dockets"] ?? 0) + (counters["tables.claims"] ?? 0);
      if (left > 0) this.#kept ??= `${left} on ${node.id}`;
    }
  }
}
