import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { Invariant } from "../invariant.ts";
import type { Asked } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** A caller that was told of a failure, or gave up, does not turn out to have the name after all. */
export class NothingStandsForNobody implements Invariant {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  atRest(): void {
    const [first] = this.#world.present;
    for (const { name, pid } of first?.machine.names(DEFAULT_SCOPE)?.list() ?? []) {
      const wanted = this.#world.asked.filter(
        ({ what }) =>
          (what.kind === "register" && what.name === name && what.pid === pid) ||
          (what.kind === "transfer" && what.name === name && what.to === pid),
      );
      if (wanted.length === 0) this.#world.fail("what stands was asked for", `${name} of ${pid}`);
      if (wanted.every(hasFailed)) this.#world.fail("what was given up does not stand", `${name} of ${pid}`);
    }
  }
}

/** And whoever asked is there to know it. A transfer goes over a third node, which may die with the news. */
function hasFailed({ node, what, answer }: Asked): boolean {
  if (!node.isAlive || what.kind !== "register" || answer === undefined) return false;
  return answer === "gave up" || answer.kind === "error";
}
