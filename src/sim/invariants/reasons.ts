import type { ExitReason } from "../../kernel/exit-reason.ts";
import { type NodeId, nodeOfPid, type Pid } from "../../kernel/ids.ts";
import type { Down } from "../../monitor/types.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

type NodeEvent = Extract<NodeEffect, { kind: "nodeEvent" }>["event"];
type Left = Extract<Extract<NodeEffect, { kind: "groupEvent" }>["event"], { kind: "left" }>;

/** Why something is over is the same for everybody who is told: that with which the process ended, or that its node went. */
export class ReasonsAreTrue implements Invariant {
  readonly #world: World;
  readonly #isCalm: boolean;
  /** Why each node gave up each other. */
  readonly #causes = new Map<SimNode, Map<NodeId, string>>();
  /** The members that left by themselves, by group and pid. */
  readonly #leavers = new Set<string>();

  constructor(world: World) {
    this.#world = world;
    this.#isCalm = isCalm(world.plan);
  }

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    if (input.kind === "leave") for (const pid of input.pids) this.#leavers.add(`${input.group} ${pid}`);
    const gone: NodeId[] = [];
    for (const effect of effects) {
      if (effect.kind !== "nodeEvent") continue;
      if (effect.event.kind === "down") gone.push(effect.event.node.id);
      this.#nodeEvent(node, effect.event);
    }
    for (const effect of effects) {
      if (effect.kind === "down") this.#down(node, effect.down);
      else if (effect.kind === "groupEvent" && effect.event.kind === "left")
        this.#left(node, input, effect.event, gone);
      else if (effect.kind === "nameEvent" && effect.event.kind === "unregistered")
        this.#ended(node, effect.event.registration.name, effect.event.registration.pid, effect.event.reason);
    }
  }

  #nodeEvent(node: SimNode, event: NodeEvent): void {
    if (!("node" in event)) return;
    let causes = this.#causes.get(node);
    if (causes === undefined) {
      causes = new Map();
      this.#causes.set(node, causes);
    }
    const { id } = event.node;
    if (event.kind !== "down") {
      causes.delete(id);
      return;
    }
    const cause = event.reason.kind === "nodeDown" ? event.reason.cause : event.reason.kind;
    causes.set(id, cause);
    const peer = this.#world.nodeOf(id);
    if (cause === "left" && peer?.isAlive === true)
      this.#world.fail("a reason is true", `${id} has left, says ${node.id}, and it runs`);
    // Its successor may be heard before its own last words.
    if (cause !== "left" && cause !== "replaced" && this.#isCalm && peer?.isLeaving === true)
      this.#world.fail("a reason is true", `${id} has left; ${node.id} says ${cause}`);
  }

  #down(node: SimNode, { pid, node: owner, reason }: Down): void {
    if (reason.kind === "nodeDown") this.#nodeDown(node, owner, reason, "down");
    else if (pid !== undefined && reason.kind === "noSuchProcess") {
      // It began to watch one of whom it could have known.
      if (node.machine.isUp(owner)) this.#wrong(node, `down of ${pid}`, reason);
    } else if (pid !== undefined) this.#ended(node, "down", pid, reason);
  }

  #left(node: SimNode, input: NodeInput, { group, member, reason }: Left, gone: readonly NodeId[]): void {
    const { pid } = member;
    const what = `${pid} left ${group}`;
    if (reason.kind !== "released") {
      this.#ended(node, what, pid, reason);
      return;
    }
    // What a snapshot lacks has left: why is not known any more.
    const mayBeUnknown = !this.#isCalm && member.node !== node.id;
    const isTrue =
      member.node === node.id ? input.kind === "leave" : mayBeUnknown || this.#leavers.has(`${group} ${pid}`);
    if (!isTrue || gone.includes(member.node)) this.#wrong(node, what, reason);
  }

  #ended(node: SimNode, what: string, pid: Pid, reason: { readonly kind: string }): void {
    if (reason.kind === "released" || reason.kind === "takenOver") return;
    // A name may go while its process lives on.
    if (reason.kind === "nameClash" && what !== "down") return;
    const owner = nodeOfPid(pid);
    if (reason.kind === "nodeDown") this.#nodeDown(node, owner, reason as ExitReason, what);
    else if (this.#world.nodeOf(owner)?.processes.get(pid)?.kind !== reason.kind)
      this.#wrong(node, `${what}, ${pid}`, reason);
  }

  #nodeDown(node: SimNode, owner: NodeId, reason: ExitReason, what: string): void {
    if (reason.kind !== "nodeDown") return;
    const known = this.#causes.get(node)?.get(owner);
    if (reason.node !== owner || (known !== undefined && reason.cause !== known))
      this.#wrong(node, `${what} of ${owner}, which is ${known}`, { kind: `${reason.node} ${reason.cause}` });
  }

  #wrong(node: SimNode, what: string, { kind }: { readonly kind: string }): never {
    this.#world.fail("a reason is true", `${what}, on ${node.id}: ${kind}`);
  }
}
