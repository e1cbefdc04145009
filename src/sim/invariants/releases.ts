import type { NameEvent } from "../../global/types.ts";
import { nodeOfPid } from "../../kernel/ids.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

type Unregistered = Extract<NameEvent, { kind: "unregistered" }>;

/** Who unregisters a name for one process takes it from no other; and a name is released while somebody waits for that. */
export class ReleasesAreAskedFor implements Invariant {
  readonly #world: World;
  readonly #isCalm: boolean;

  constructor(world: World) {
    this.#world = world;
    this.#isCalm = isCalm(world.plan);
  }

  told(node: SimNode, _input: NodeInput, effects: readonly NodeEffect[]): void {
    if (!this.#isCalm) return;
    for (const effect of effects) {
      if (effect.kind === "nameEvent" && effect.event.kind === "unregistered")
        this.#unregistered(node, effect.event);
    }
  }

  #unregistered(node: SimNode, { registration: { name, pid }, reason }: Unregistered): void {
    if (reason.kind !== "released" || nodeOfPid(pid) !== node.id) return;
    // Not `world.asked`: a request may be carried out before it is noted there.
    const asked = this.#world.everyone
      .flatMap((one) => [...one.asked.values()])
      .filter(({ what }) => "name" in what && what.name === name);
    const isAskedFor = asked.some(
      ({ what, answer }) =>
        what.kind === "unregister" &&
        (what.pid === undefined || what.pid === pid) &&
        (answer === undefined || answer === "gave up"),
    );
    // What another node took over and released is released here as well, whoever held it.
    const wentElsewhere = asked.some(({ what }) => {
      if (what.kind === "transfer") return nodeOfPid(what.to) !== node.id;
      return what.kind === "register" && what.takeover && nodeOfPid(what.pid) !== node.id;
    });
    if (isAskedFor) this.#world.mark("a release that somebody waits for");
    else if (!wentElsewhere) this.#world.fail("a release is of what was asked for", `${name} of ${pid}`);
  }
}
