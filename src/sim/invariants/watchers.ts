import type { NameEvent } from "../../global/types.ts";
import { type NodeId, nodeOfPid } from "../../kernel/ids.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** No log lags behind others for longer, where nothing is lost. */
const LAG_MS = 1_000;

interface Seen {
  /** What has ended here, with the revision that it had. */
  readonly ended: Map<string, number>;
  /** What was ever shown here. */
  readonly shown: Set<string>;
  /** When each name last changed here. */
  readonly changedAtMs: Map<string, number>;
}

/** What a node shows of names makes sense to who watches it. */
export class WatchersSeeSense implements Invariant {
  readonly #world: World;
  readonly #isCalm: boolean;
  readonly #seen = new Map<SimNode, Seen>();

  constructor(world: World) {
    this.#world = world;
    this.#isCalm = isCalm(world.plan);
  }

  told(node: SimNode, _input: NodeInput, effects: readonly NodeEffect[]): void {
    const owners = new Set<NodeId>();
    for (const effect of effects) {
      if (effect.kind === "nameEvent") this.#event(node, effect.event, owners);
      else if (effect.kind === "groupEvent" && "member" in effect.event && effect.event.kind !== "left")
        owners.add(effect.event.member.node);
      else if (effect.kind === "nodeEvent" && effect.event.kind === "down")
        owners.delete(effect.event.node.id);
      else if (effect.kind === "answer" && effect.answer.kind === "registration")
        this.#registered(node, effect.request, effect.answer.registration);
    }
    for (const owner of owners) {
      if (!node.machine.isUp(owner)) this.#world.fail("who is not up owns nothing", `${owner} on ${node.id}`);
    }
  }

  #event(node: SimNode, event: NameEvent, owners: Set<NodeId>): void {
    if (event.kind !== "registered" && event.kind !== "unregistered" && event.kind !== "updated") return;
    const { name, pid, node: owner, revision } = event.registration;
    const seen = this.#of(node);
    seen.changedAtMs.set(name, this.#world.nowMs);
    const key = `${name} ${owner}`;
    const sequence = Number(revision.slice(revision.lastIndexOf(":") + 1));
    if (event.kind === "unregistered") {
      seen.ended.set(key, sequence);
      return;
    }
    owners.add(owner);
    seen.shown.add(`${name} ${pid}`);
    // Where names clash, a contender may be hidden for a while.
    if (this.#isCalm && sequence <= (seen.ended.get(key) ?? 0) && !this.#hasSomeoneJustLeft())
      this.#world.fail("what is over does not come back", `${name} of ${pid}, on ${node.id}`);
  }

  /** Who is told that it has registered a name finds it, or finds that it has been and gone. */
  #registered(
    node: SimNode,
    request: number,
    { name, pid }: { readonly name: string; readonly pid: string },
  ): void {
    const asked = node.asked.get(request);
    if (asked?.what.kind !== "register" || asked.what.takeover) return;
    const owner = nodeOfPid(asked.what.pid);
    if (this.#world.nodeOf(owner)?.isRunning(asked.what.pid) !== true) return;
    // Here it may lose a clash in the same moment; and what a node wrote that is down by now has been and gone.
    if (owner === node.id || !node.machine.isUp(owner)) return;
    // It may have been released or handed on before word of it came here.
    if (!this.#isOnlyRegistered(name)) return;
    // It may have lost a clash elsewhere before word of it came here.
    if (this.#world.judgements.some(({ clash }) => clash.name === name)) return;
    const shown = node.machine.names(DEFAULT_SCOPE)?.whereis(name)?.pid;
    // Where nodes were parted, it may lose a clash before it is answered.
    if (shown === pid || (shown !== undefined && !this.#isCalm)) return;
    const seen = this.#of(node);
    const changedAtMs = seen.changedAtMs.get(name) ?? Number.NEGATIVE_INFINITY;
    if (!seen.shown.has(`${name} ${pid}`) && changedAtMs < asked.askedAtMs)
      this.#world.fail("a caller finds what it registered", `${name} of ${pid}, on ${node.id}`);
  }

  #isOnlyRegistered(name: string): boolean {
    return this.#world.asked.every(
      ({ what }) => !("name" in what) || what.name !== name || (what.kind === "register" && !what.takeover),
    );
  }

  /**
   * Who had taken a name over, and leaves, takes with it that the former holder is over: a reader that lags behind that one
   * shows it until it has read so.
   */
  #hasSomeoneJustLeft(): boolean {
    const sinceMs = this.#world.nowMs - LAG_MS;
    return this.#world.everyone.some(({ endedAtMs }) => endedAtMs !== undefined && endedAtMs >= sinceMs);
  }

  #of(node: SimNode): Seen {
    let seen = this.#seen.get(node);
    if (seen === undefined) {
      seen = { ended: new Map(), shown: new Set(), changedAtMs: new Map() };
      this.#seen.set(node, seen);
    }
    return seen;
  }
}
