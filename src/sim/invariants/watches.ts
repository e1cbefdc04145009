import { type NodeId, nodeOfPid, type Pid } from "../../kernel/ids.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** After the last fault: from then on each watcher may have to be asked once, if it has been silent for long. */
const MENDED_MS = 10_000;

/** A node keeps the monitors that have neither fired nor been cancelled, and holds for others the watches that these need: no more. */
export class NothingIsWatchedForNobody implements Invariant {
  readonly #world: World;
  readonly #isCalm: boolean;
  /** Open monitors, by number: of whom. */
  readonly #open = new Map<SimNode, Map<number, Pid | undefined>>();

  /** How often each had asked a watcher for all it watches, when the faults were long over. */
  readonly #repairs = new Map<SimNode, number>();

  constructor(world: World) {
    this.#world = world;
    this.#isCalm = isCalm(world.plan);
    world.clock.after(world.plan.restAtMs + MENDED_MS, () => {
      for (const node of world.present) this.#repairs.set(node, repairsOf(node));
    });
  }

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    if (input.kind === "monitor") this.#of(node).set(input.monitor, input.pid);
    else if (input.kind === "monitorNode") this.#of(node).set(input.monitor, undefined);
    else if (input.kind === "demonitor") this.#of(node).delete(input.monitor);
    for (const effect of effects) if (effect.kind === "down") this.#of(node).delete(effect.monitor);
  }

  atRest(): void {
    for (const [node, repairs] of this.#repairs) {
      if (repairsOf(node) > repairs + this.#world.present.length)
        this.#world.fail("what is watched is settled in the end", `${repairsOf(node)} repairs on ${node.id}`);
    }
    const needed = new Map<NodeId, number>();
    for (const node of this.#world.present) {
      const open = this.#of(node);
      this.#compare(node, "monitors", open.size);
      const watched = new Set<Pid>();
      for (const pid of open.values()) if (pid !== undefined && nodeOfPid(pid) !== node.id) watched.add(pid);
      for (const pid of watched) needed.set(nodeOfPid(pid), (needed.get(nodeOfPid(pid)) ?? 0) + 1);
    }
    for (const node of this.#world.present) this.#compare(node, "watchesHeld", needed.get(node.id) ?? 0);
  }

  #compare(node: SimNode, what: "monitors" | "watchesHeld", expected: number): void {
    const kept = node.counters[`monitors.${what}`] ?? 0;
    // That a watch has ended may be lost. Who holds it asks in time, which is later than a run looks.
    const isBeyondLook = what === "watchesHeld" && kept > expected && !this.#isCalm;
    if (kept !== expected && !isBeyondLook)
      this.#world.fail("nothing is watched for nobody", `${kept} ${what} on ${node.id}, not ${expected}`);
  }

  #of(node: SimNode): Map<number, Pid | undefined> {
    let open = this.#open.get(node);
    if (open === undefined) {
      open = new Map();
      this.#open.set(node, open);
    }
    return open;
  }
}

function repairsOf({ counters }: SimNode): number {
  return counters["monitors.repairs"] ?? 0;
}
