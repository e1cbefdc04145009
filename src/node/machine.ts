import type { Now } from "../kernel/clock.ts";
import { DuplicateNodeError, IncompatibleVersionError } from "../kernel/errors.ts";
import type { ExitReason, NodeDownCause } from "../kernel/exit-reason.ts";
import { HybridClock, type Stamp } from "../kernel/hlc.ts";
import { type NodeId, nameOfNode, nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import { LocalProcesses } from "../monitor/local-processes.ts";
import { Membership } from "../monitor/membership.ts";
import type { MembershipEffect, MembershipInput, NewPeer } from "../monitor/membership-types.ts";
import { type MonitorEffect, type MonitorInput, Monitors } from "../monitor/monitors.ts";
import type { MembershipMessage } from "../monitor/protocol.ts";
import type { NodeView } from "../monitor/types.ts";
import type { GroupReader, NameReader, NodeEffect, NodeInput, NodeMachinePort } from "./machine-types.ts";
import { type ClusterMessage, PROTOCOL_VERSIONS } from "./protocol.ts";
import { DEFAULT_SCOPE, ScopeSet } from "./scope-set.ts";
import type { FailureDetection, Limits } from "./settings.ts";

export interface NodeMachineOptions {
  readonly id: NodeId;
  readonly failureDetection: FailureDetection;
  readonly limits: Pick<Limits, "namesPerNode" | "resolverMs">;
  readonly versions?: { readonly min: number; readonly max: number };
}

/** What many steps have to show: most of those in which only time has passed. */
const NONE: readonly NodeEffect[] = [];

/** The whole of a node's rules: membership, monitors and scopes, put together. It holds no rule of its own but the wiring. */
export class NodeMachine implements NodeMachinePort {
  readonly id: NodeId;
  readonly #versions: { readonly min: number; readonly max: number };
  readonly #hlc = new HybridClock();
  readonly #locals: LocalProcesses;
  readonly #membership: Membership;
  readonly #monitors: Monitors;
  readonly #scopes: ScopeSet;
  #effects: NodeEffect[] = [];
  #now: Now = { monotonicMs: 0, wallMs: 0 };
  #busConnected = false;
  #discovered = false;
  #ready = false;
  /** Something was written that has not been sent. */
  #unsent = false;
  #unsentEnd = false;
  #stampsRefused = 0;
  #strangerMessages = 0;

  constructor(options: NodeMachineOptions) {
    const { id: self, failureDetection, limits, versions = PROTOCOL_VERSIONS } = options;
    this.id = self;
    this.#versions = versions;
    this.#locals = new LocalProcesses(self);
    this.#membership = new Membership({ self, times: failureDetection, versions });
    this.#monitors = new Monitors({ self, local: this.#locals, heartbeatMs: failureDetection.heartbeatMs });
    this.#scopes = new ScopeSet({
      self,
      arbiterTimeoutMs: failureDetection.arbiterTimeoutMs,
      resolverMs: limits.resolverMs,
      namesPerNode: limits.namesPerNode,
      emit: (effect) => this.#emit(effect),
      unsent: () => this.#wrote(),
      unsentEnd: () => {
        this.#unsentEnd = true;
      },
      nextStamp: () => this.#hlc.next(this.#now),
      isAlive: (pid) => nodeOfPid(pid) === self && this.#locals.isAlive(serialOfPid(pid)),
      isSuspect: (node) => this.#membership.peer(node)?.state === "suspect",
      isGone: (node) => this.#membership.downCause(node) !== undefined,
      busConnected: () => this.#busConnected,
      discovered: () => this.#discovered,
      peers: () => this.#membership.peers(),
      scopesChanged: (scopes) => this.#member({ kind: "scopes", scopes }),
    });
  }

  get deadlineMs(): number | undefined {
    return this.#membership.deadlineMs;
  }

  stamp(now: Now): Stamp {
    return this.#hlc.next(now);
  }

  names(scope: string): NameReader | undefined {
    return this.#scopes.get(scope)?.names.table;
  }

  groups(scope: string): GroupReader | undefined {
    return this.#scopes.get(scope)?.groups;
  }

  nodes(): readonly NodeView[] {
    const self: NodeView = {
      id: this.id,
      name: nameOfNode(this.id),
      state: "up",
      scopes: this.#scopes.names,
    };
    const peers = this.#membership.peers().map((peer) => viewOf(peer, peer.state));
    return [self, ...peers].sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  isUp(node: NodeId): boolean {
    return node === this.id || this.#membership.isUp(node);
  }

  lagging(request: number): readonly NodeId[] {
    return this.#scopes.lagging(request);
  }

  counters(): Readonly<Record<string, number>> {
    const counters: Record<string, number> = {
      stampsRefused: this.#stampsRefused,
      strangerMessages: this.#strangerMessages,
      processes: this.#locals.count,
      ...this.#scopes.counters(),
    };
    const membership = { ...this.#membership.counts, ...this.#membership.gauges() };
    for (const [name, count] of Object.entries(membership)) counters[`membership.${name}`] = count;
    const monitors = { ...this.#monitors.counts, ...this.#monitors.gauges() };
    for (const [name, count] of Object.entries(monitors)) counters[`monitors.${name}`] = count;
    return counters;
  }

  step(input: NodeInput, now: Now): readonly NodeEffect[] {
    this.#now = now;
    this.#take(input);
    this.#scopes.review();
    if (!this.#ready && this.#discovered && this.#scopes.isJoined(DEFAULT_SCOPE)) {
      this.#ready = true;
      this.#emit({ kind: "ready" });
    }
    if (this.#effects.length === 0) return NONE;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #take(input: NodeInput): void {
    switch (input.kind) {
      case "start":
      case "tick":
      case "busConnected":
      case "busDisconnected":
      case "noResponders":
      case "advisory":
      case "goodbye":
        this.#takeFromBus(input);
        return;
      case "frame":
        this.#frame(input.from, input.stamp, input.messages);
        return;
      case "spawned":
        this.#monitor(input);
        return;
      case "exited":
        this.#exited(input.pid, input.reason);
        return;
      case "monitor":
        this.#monitor({ kind: "watch", monitor: input.monitor, pid: input.pid });
        return;
      case "monitorNode":
        this.#monitor({ kind: "watchNode", monitor: input.monitor, node: input.node });
        return;
      case "demonitor":
        this.#monitor({ kind: "unwatch", monitor: input.monitor });
        return;
      case "openScope":
        this.#scopes.open(input.scope, input.request, input.resolver, this.#now);
        return;
      case "settle":
        this.#scopes.settle(input.request);
        return;
      case "flush":
        this.#flush();
        return;
      case "retire":
        this.#scopes.retire(input.request, this.#now);
        return;
      case "abandon":
        this.#scopes.abandon(input.request, this.#now);
        return;
      case "resolved":
        this.#scopes.resolved(input, this.#now);
        return;
      default:
        this.#scopes.command(input, this.#now);
    }
  }

  #takeFromBus(
    input: Extract<
      NodeInput,
      {
        kind: "start" | "tick" | "busConnected" | "busDisconnected" | "noResponders" | "advisory" | "goodbye";
      }
    >,
  ): void {
    switch (input.kind) {
      case "start":
        this.#busConnected = true;
        this.#member({ ...input, scopes: this.#scopes.names });
        return;
      case "tick":
        this.#member(input);
        this.#scopes.tick(this.#now);
        this.#monitor(input);
        return;
      case "busConnected":
        this.#busConnected = true;
        this.#member(input);
        this.#monitor({ kind: "busConnected" });
        return;
      case "busDisconnected":
        this.#busConnected = false;
        this.#member(input);
        return;
      case "noResponders":
      case "advisory":
      case "goodbye":
        this.#member(input);
        return;
    }
  }

  #emit(effect: NodeEffect): void {
    if (this.#unsent && this.#mustFollowWrites(effect)) this.#flush();
    this.#effects.push(effect);
  }

  #mustFollowWrites(effect: NodeEffect): boolean {
    if (effect.kind === "broadcast") return effect.message.kind !== "operations";
    return effect.kind === "send" && (this.#unsentEnd || !mayOvertake(effect.message));
  }

  #wrote(): void {
    if (this.#unsent) return;
    this.#unsent = true;
    this.#effects.push({ kind: "wrote" });
  }

  #flush(): void {
    this.#unsent = false;
    this.#unsentEnd = false;
    this.#scopes.flush();
  }

  #exited(pid: Pid, reason: ExitReason): void {
    if (!this.#locals.isAlive(serialOfPid(pid))) return;
    // Dead before anything else is decided; but told of only behind the news that its names and memberships are gone.
    const told = this.#monitors.step({ kind: "exited", pid, reason }, this.#now);
    this.#scopes.processExited(pid, reason, this.#now);
    for (const effect of told) this.#carryMonitor(effect);
  }

  #frame(from: NodeId, stamp: Stamp, messages: readonly ClusterMessage[]): void {
    if (from === this.id) return;
    if (!this.#hlc.observe(stamp, this.#now)) this.#stampsRefused += 1;
    this.#member({ kind: "heard", from });
    for (const message of messages) this.#message(from, message);
  }

  #message(from: NodeId, message: ClusterMessage): void {
    switch (message.kind) {
      case "hello":
      case "goodbye":
      case "rumour":
      case "pulse":
      case "scopesChanged":
      case "duplicate":
      case "nodeNameAsk":
      case "nodeNameHeld":
        this.#member({ kind: "message", from, message });
        return;
      default:
        // Whoever has not come up by a handshake touches no table.
        if (this.#membership.isUp(from)) this.#peerMessage(from, message);
        else this.#strangerMessages += 1;
    }
  }

  #peerMessage(from: NodeId, message: Exclude<ClusterMessage, MembershipMessage>): void {
    switch (message.kind) {
      case "operations":
      case "need":
      case "snapshot":
      case "snapshotMore":
        this.#scopes.replicationMessage(from, message, this.#now);
        return;
      case "beat":
      case "scopeAsk":
      case "scopeAnswer":
      case "settleAsk":
      case "settled":
        this.#scopes.tableMessage(from, message, this.#now);
        return;
      case "watch":
      case "unwatch":
      case "exited":
      case "watchCheck":
      case "watchResync":
      case "watchAll":
        this.#monitor({ kind: "message", from, message });
        return;
      case "leaseAsk":
      case "leaseAnswer":
      case "leaseTurn":
        this.#emit({ kind: "leaseMessage", from, message });
        return;
      default:
        this.#scopes.nameMessage(from, message, this.#now);
    }
  }

  #member(input: MembershipInput): void {
    for (const effect of this.#membership.step(input, this.#now)) this.#carryMembership(effect);
  }

  #carryMembership(effect: MembershipEffect): void {
    switch (effect.kind) {
      case "send":
      case "probe":
      case "log":
        this.#emit(effect);
        return;
      case "broadcast":
        this.#emit({ kind: "broadcast", scope: undefined, message: effect.message });
        return;
      case "beat":
        this.#emit({ kind: "broadcast", scope: undefined, message: this.#scopes.beat() });
        return;
      case "discovered":
        this.#discovered = true;
        return;
      case "incompatible":
        this.#incompatible(effect.node, effect.theirs);
        return;
      case "duplicate":
        this.#emit({ kind: "fatal", error: new DuplicateNodeError(effect.other) });
        return;
      default:
        this.#carryPeerChange(effect);
    }
  }

  #carryPeerChange(
    effect: Extract<
      MembershipEffect,
      { kind: "up" | "suspect" | "alive" | "down" | "rejoined" | "scopesOf" }
    >,
  ): void {
    switch (effect.kind) {
      case "up":
        this.#emit({ kind: "nodeEvent", event: { kind: "up", node: viewOf(effect.peer, "up") } });
        this.#monitor({ kind: "peerUp", node: effect.peer.id });
        this.#scopes.peerUp(effect.peer.id, effect.peer.scopes, this.#now);
        return;
      case "suspect":
      case "alive":
        this.#suspicionChanged(effect.node, effect.kind === "alive" ? "up" : "suspect");
        return;
      case "down":
        this.#peerDown(effect.node, effect.cause);
        return;
      case "rejoined":
        this.#scopes.peerRejoined(effect.node, this.#now);
        this.#monitor({ kind: "peerRejoined", node: effect.node });
        return;
      case "scopesOf":
        this.#scopes.peerUp(effect.node, effect.scopes, this.#now);
        return;
    }
  }

  /** Once it runs, a node that finds one it cannot speak with leaves it alone. */
  #incompatible(node: NodeId, theirs: readonly [number, number]): void {
    if (this.#ready) return;
    const ours = [this.#versions.min, this.#versions.max] as const;
    this.#emit({ kind: "fatal", error: new IncompatibleVersionError(node, theirs, ours) });
  }

  #suspicionChanged(node: NodeId, kind: "up" | "suspect"): void {
    const peer = this.#membership.peer(node);
    if (peer !== undefined) this.#emit({ kind: "nodeEvent", event: { kind, node: viewOf(peer, kind) } });
    this.#scopes.suspicionChanged(this.#now);
  }

  #peerDown(node: NodeId, cause: NodeDownCause): void {
    const reason: ExitReason = { kind: "nodeDown", node, cause };
    this.#scopes.peerDown(node, reason, this.#now);
    const view: NodeView = { id: node, name: nameOfNode(node), state: "suspect", scopes: [] };
    this.#emit({ kind: "nodeEvent", event: { kind: "down", node: view, reason } });
    this.#monitor({ kind: "peerDown", node, cause });
  }

  #monitor(input: MonitorInput): void {
    for (const effect of this.#monitors.step(input, this.#now)) this.#carryMonitor(effect);
  }

  #carryMonitor(effect: MonitorEffect): void {
    if (effect.kind === "send") this.#emit(effect);
    else this.#emit({ kind: "down", monitor: effect.monitor, down: effect.down });
  }
}

/**
 * What a message tells of must not be overtaken by it. Claims and grants tell of nothing but what others wrote; they are also
 * what comes up between two writes when many names are registered at once, and each write would go out alone. They wait for the
 * end of a registration only:
 *
 * 1. n1 has released a name, which nobody knows yet, and claims it again. 2. The claim overtakes the release: its arbiter has
 * it wait with the claims of others for what n1 wrote before. 3. It reads of that registration first, and refuses all of them;
 * then of its release. Everybody has lost to a registration that was over before they began.
 */
function mayOvertake(message: ClusterMessage): boolean {
  return message.kind === "claim" || message.kind === "granted";
}

function viewOf(peer: NewPeer, state: "up" | "suspect"): NodeView {
  return { id: peer.id, name: nameOfNode(peer.id), state, scopes: peer.scopes };
}
