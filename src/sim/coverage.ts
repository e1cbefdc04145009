import type { NameEvent, UnregisterReason } from "../global/types.ts";
import type { NodeEffect, NodeInput } from "../node/machine-types.ts";
import type { ClusterMessage } from "../node/protocol.ts";
import { DEFAULT_SCOPE } from "../node/scope-set.ts";
import type { Verdict } from "../resolve/types.ts";
import type { Invariant } from "./invariant.ts";
import type { SimNode } from "./machine/node.ts";
import type { World } from "./machine/world.ts";

/** Asks for nothing, and marks what a run came by. The list of what all runs together have to come by is in `marks.ts`. */
export class Coverage implements Invariant {
  readonly #world: World;
  /** The claims that each node has sent, to whom first: another asked is one passed over. */
  readonly #firstAsked = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
  }

  stepped(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    const world: World = this.#world;
    switch (input.kind) {
      case "frame":
        for (const message of input.messages) this.#heard(message);
        break;
      case "start":
        if (this.#isAnyAsking()) world.mark("a node comes while names are asked for");
        break;
      case "abandon":
        world.mark("a caller gives up");
        break;
      case "retire":
        if (this.#isAnyAsking()) world.mark("a node leaves while names are asked for");
        break;
      case "busDisconnected":
        if (this.#isAnyAsking(node)) world.mark("the bus goes while an answer is awaited");
        break;
      case "noResponders":
        if (world.nodeOf(input.node)?.isAlive === true) world.mark("no responders, and it lives");
        break;
    }
    for (const effect of effects) this.#effect(node, effect);
  }

  #effect(node: SimNode, effect: NodeEffect): void {
    switch (effect.kind) {
      case "answer":
        this.#answer(node, effect);
        return;
      case "nameEvent":
        this.#nameEvent(effect.event);
        return;
      case "send":
        this.#said(node, effect.message, effect.to);
        return;
      case "exit":
        this.#world.mark("a loser is ended");
        return;
      case "notify":
        this.#world.mark(`a process is told: ${effect.notice.kind}`);
        return;
    }
  }

  #answer(node: SimNode, { request, answer }: Extract<NodeEffect, { kind: "answer" }>): void {
    const world: World = this.#world;
    const asked = node.asked.get(request);
    if (asked === undefined || asked.answer !== undefined) return;
    const { what } = asked;
    if (answer.kind === "error") world.mark(`${what.kind} fails: ${codeOf(answer.error)}`);
    if (answer.kind === "conflict") world.mark("an update meets another");
    if (answer.kind !== "registration") return;
    const { registration } = answer;
    if (registration.node !== node.id) world.mark(`${what.kind} for a process of another node`);
    if (what.kind !== "register") return;
    if (what.takeover) world.mark("a takeover");
    if (node.connected) this.#otherHolders(node, registration.name);
    else world.mark("a node without a bus decides alone");
  }

  /** Each node knows best what its own processes hold. */
  #otherHolders(node: SimNode, name: string): void {
    for (const other of this.#world.present) {
      if (other === node || other.machine.names(DEFAULT_SCOPE)?.whereis(name)?.node !== other.id) continue;
      if (!this.#world.network.reaches(node, other))
        this.#world.mark("both sides of a cut register one name");
    }
  }

  #nameEvent(event: NameEvent): void {
    if (event.kind === "unregistered") {
      this.#world.mark(`a name ends: ${endOf(event.reason)}`);
    } else if (event.kind === "clash") {
      this.#world.mark(`a verdict is told: ${outcomeOf(event.verdict)}`);
    }
  }

  #said(node: SimNode, message: ClusterMessage, to: string): void {
    if (message.kind !== "claim") return;
    const key = `${node.id} ${message.name}`;
    const first = this.#firstAsked.get(key);
    if (first === undefined) this.#firstAsked.set(key, to);
    else if (
      first !== to &&
      this.#isAnyAsking(node) &&
      this.#world.nodeOf(first as SimNode["id"])?.isPaused === true
    )
      this.#world.mark("an arbiter that stands still is passed over");
  }

  #heard(message: ClusterMessage): void {
    const world: World = this.#world;
    switch (message.kind) {
      case "snapshot":
        if (message.index > 0) world.mark("a snapshot in several parts");
        return;
      case "parked":
        world.mark("a claim waits for another");
        return;
      case "refused":
        world.mark("an arbiter refuses");
        return;
      case "confirm":
        world.mark("a suspected holder is asked");
        return;
      case "promised":
        world.mark(`a promise is asked for: ${message.status.kind}`);
        return;
      case "pinned":
        world.mark(message.done ? "a winner is pinned" : "a winner cannot be pinned");
        return;
      case "unpromise":
        world.mark("a promise is given back");
        return;
      case "requestAbandoned":
        world.mark("a request to another node is withdrawn");
        return;
    }
  }

  #isAnyAsking(node?: SimNode): boolean {
    return this.#world.asked.some(
      (asked) =>
        asked.answer === undefined && asked.node.isAlive && (node === undefined || asked.node === node),
    );
  }
}

export function endOf(reason: UnregisterReason): string {
  return reason.kind === "nodeDown" ? `nodeDown, ${reason.cause}` : reason.kind;
}

export function outcomeOf(verdict: Verdict): string {
  return "losers" in verdict ? `keep one, ${verdict.losers}` : "keep none";
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : error.name;
}
