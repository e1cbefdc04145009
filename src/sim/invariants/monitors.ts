import type { NodeId, Pid } from "../../kernel/ids.ts";
import { nodeOfPid } from "../../kernel/ids.ts";
import type { Down } from "../../monitor/types.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** Longer than anything takes to be given up for, from when it began. */
const FELT_MS = 25_000;

interface Watch {
  readonly target: { readonly pid: Pid } | { readonly node: NodeId };
  state: "open" | "fired" | "cancelled";
}

/** Exactly one `down` for each monitor, never before a cause, never for somebody else. */
export class MonitorsFire implements Invariant {
  readonly #world: World;
  readonly #watches = new Map<SimNode, Map<number, Watch>>();

  constructor(world: World) {
    this.#world = world;
  }

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    if (input.kind === "monitor")
      this.#of(node).set(input.monitor, { target: { pid: input.pid }, state: "open" });
    else if (input.kind === "monitorNode")
      this.#of(node).set(input.monitor, { target: { node: input.node }, state: "open" });
    else if (input.kind === "demonitor") {
      const watch = this.#of(node).get(input.monitor);
      if (watch?.state === "open") watch.state = "cancelled";
    }
    for (const effect of effects) {
      if (effect.kind === "down") this.#down(node, effect.monitor, effect.down);
    }
  }

  atRest(): void {
    for (const [node, watches] of this.#watches) {
      if (!node.isAlive) continue;
      for (const [monitor, watch] of watches) {
        if (watch.state === "open" && this.#isOver(watch)) {
          this.#world.fail("every monitor fires", `${monitor} of ${node.id}, on ${nameOf(watch)}`);
        }
      }
    }
  }

  #down(node: SimNode, monitor: number, down: Down): void {
    const watch = this.#of(node).get(monitor);
    const world: World = this.#world;
    if (watch === undefined) world.fail("a down is for a monitor", `${monitor} on ${node.id}`);
    if (watch.state !== "open")
      world.fail(
        "one down for each monitor",
        `${monitor} of ${node.id}, on ${nameOf(watch)}, was ${watch.state}`,
      );
    watch.state = "fired";
    const owner = "pid" in watch.target ? nodeOfPid(watch.target.pid) : watch.target.node;
    if (down.node !== owner)
      world.fail("a down is about what is watched", `${down.node} for ${nameOf(watch)}`);
    if (this.#isOver(watch)) {
      world.mark(`a monitor fires: ${down.reason.kind}`);
      return;
    }
    const place = world.nodeOf(owner)?.place ?? -1;
    const mayBeOutOfReach = world.wasDisturbed(world.nowMs - FELT_MS, world.nowMs, [place, node.place]);
    // Of a node that it has never met a watcher can only say that it knows of no such process.
    const isUnknown = down.reason.kind === "noSuchProcess" && !node.machine.isUp(owner);
    if (!mayBeOutOfReach || (down.reason.kind !== "nodeDown" && !isUnknown)) {
      world.fail("no down before a cause", `${nameOf(watch)} runs; ${node.id} says ${down.reason.kind}`);
    }
    world.mark("a monitor fires for a node out of reach");
  }

  #isOver({ target }: Watch): boolean {
    const node = this.#world.nodeOf("pid" in target ? nodeOfPid(target.pid) : target.node);
    if (node === undefined || !node.isAlive) return true;
    return "pid" in target && !node.isRunning(target.pid);
  }

  #of(node: SimNode): Map<number, Watch> {
    let watches = this.#watches.get(node);
    if (watches === undefined) {
      watches = new Map();
      this.#watches.set(node, watches);
    }
    return watches;
  }
}

function nameOf({ target }: Watch): string {
  return "pid" in target ? target.pid : target.node;
}
