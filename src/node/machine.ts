import type { NameMessage } from "../global/messages.ts";
import type { Now } from "../kernel/clock.ts";
import { DuplicateNodeError, IncompatibleVersionError, invariant } from "../kernel/errors.ts";
import type { ExitReason, NodeDownCause } from "../kernel/exit-reason.ts";
import { HybridClock, type Stamp } from "../kernel/hlc.ts";
import { type NodeId, nameOfNode, nodeOfPid, serialOfPid } from "../kernel/ids.ts";
import { LocalProcesses } from "../monitor/local-processes.ts";
import { Membership } from "../monitor/membership.ts";
import type { MembershipEffect, NewPeer } from "../monitor/membership-types.ts";
import { type MonitorEffect, type MonitorInput, Monitors } from "../monitor/monitors.ts";
import type { MembershipMessage } from "../monitor/protocol.ts";
import type { NodeView } from "../monitor/types.ts";
import type { ReplicationMessage } from "../replication/messages.ts";
import type { GroupReader, NameReader, NodeEffect, NodeInput, NodeMachinePort } from "./machine-types.ts";
import { Openings } from "./openings.ts";
import type { Operation } from "./operations.ts";
import { type ClusterMessage, PROTOCOL_VERSIONS, type TableMessage } from "./protocol.ts";
import { ScopeMachine } from "./scope-machine.ts";
import type { FailureDetection, Limits } from "./settings.ts";
import { Settlings } from "./settling.ts";

export interface NodeMachineOptions {
  readonly id: NodeId;
  readonly failureDetection: FailureDetection;
  readonly limits: Pick<Limits, "namesPerNode" | "resolverMs">;
  readonly versions?: { readonly min: number; readonly max: number };
}

/** The scope that every node has open. */
export const DEFAULT_SCOPE = "default";

/** The whole of a node's rules: membership, monitors and scopes, put together. It holds no rule of its own but the wiring. */
export class NodeMachine implements NodeMachinePort {
  readonly id: NodeId;
  readonly #options: NodeMachineOptions;
  readonly #hlc = new HybridClock();
  readonly #locals: LocalProcesses;
  readonly #membership: Membership;
  readonly #monitors: Monitors;
  readonly #scopes = new Map<string, ScopeMachine>();
  readonly #openings: Openings;
  readonly #settlings: Settlings;
  readonly #retirings = new Set<number>();
  #effects: NodeEffect[] = [];
  #now: Now = { monotonicMs: 0, wallMs: 0 };
  #busConnected = false;
  #discovered = false;
  #ready = false;
  #stampsRefused = 0;
  #strangerMessages = 0;

  constructor(options: NodeMachineOptions) {
    this.id = options.id;
    this.#options = options;
    this.#locals = new LocalProcesses(options.id);
    this.#membership = new Membership({
      self: options.id,
      times: options.failureDetection,
      versions: options.versions ?? PROTOCOL_VERSIONS,
    });
    this.#monitors = new Monitors({
      self: options.id,
      local: this.#locals,
      heartbeatMs: options.failureDetection.heartbeatMs,
    });
    this.#openings = new Openings({
      send: (to, message) => this.#send(to, message),
      joined: (scope) => this.#discovered && this.#scopes.get(scope)?.names.handover.joined === true,
      opened: (requests) => {
        for (const request of requests)
          this.#effects.push({ kind: "answer", request, answer: { kind: "done" } });
      },
    });
    this.#settlings = new Settlings({
      send: (to, message) => this.#send(to, message),
      wantsOf: (peer) => this.#wantsOf(peer),
      isBusyBefore: (request) => this.#isBusyBefore(request),
      peers: () => this.#membership.peers().map((peer) => peer.id),
      settled: (request) => this.#effects.push({ kind: "answer", request, answer: { kind: "done" } }),
    });
    this.#scopes.set(DEFAULT_SCOPE, this.#makeScope(DEFAULT_SCOPE));
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
      scopes: [...this.#scopes.keys()],
    };
    const peers = this.#membership.peers().map((peer) => viewOf(peer, peer.state));
    return [self, ...peers].sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  isUp(node: NodeId): boolean {
    return node === this.id || this.#membership.isUp(node);
  }

  lagging(request: number): readonly NodeId[] {
    if (this.#retirings.has(request)) {
      return [...new Set([...this.#scopes.values()].flatMap((scope) => scope.names.handover.waitingFor()))];
    }
    return [...this.#settlings.lagging(request), ...this.#openings.lagging(request)];
  }

  counters(): Readonly<Record<string, number>> {
    const counters: Record<string, number> = {
      stampsRefused: this.#stampsRefused,
      strangerMessages: this.#strangerMessages,
      processes: this.#locals.count,
      scopes: this.#scopes.size,
    };
    for (const [name, count] of Object.entries({
      ...this.#membership.counts,
      ...this.#membership.gauges(),
    })) {
      counters[`membership.${name}`] = count;
    }
    for (const [name, count] of Object.entries(this.#monitors.counts)) counters[`monitors.${name}`] = count;
    for (const scope of this.#scopes.values()) {
      for (const [name, count] of Object.entries(scope.counts)) {
        counters[`tables.${name}`] = (counters[`tables.${name}`] ?? 0) + count;
      }
      counters["tables.names"] = (counters["tables.names"] ?? 0) + scope.names.table.count();
    }
    return counters;
  }

  step(input: NodeInput, now: Now): readonly NodeEffect[] {
    this.#now = now;
    this.#take(input);
    this.#openings.review();
    this.#settlings.review();
    this.#reviewReady();
    this.#reviewRetiring();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  get #nowMs(): number {
    return this.#now.monotonicMs;
  }

  #take(input: NodeInput): void {
    switch (input.kind) {
      case "start":
        this.#busConnected = true;
        this.#member({
          kind: "start",
          serverId: input.serverId,
          scopes: [...this.#scopes.keys()],
          replaces: input.replaces,
        });
        return;
      case "tick":
        this.#tick();
        return;
      case "frame":
        this.#frame(input.from, input.stamp, input.messages);
        return;
      case "busConnected":
        this.#busConnected = true;
        this.#member({ kind: "busConnected", serverId: input.serverId });
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
      case "settle":
        this.#settlings.begin(input.request);
        return;
      case "retire":
        this.#retirings.add(input.request);
        for (const scope of this.#scopes.values()) {
          scope.names.leave(this.#nowMs);
          scope.settle(this.#nowMs);
        }
        return;
      case "abandon":
        this.#settlings.abandon(input.request);
        this.#retirings.delete(input.request);
        for (const scope of this.#scopes.values())
          scope.command(this.#nowMs, (names) => names.abandon(input.request));
        return;
      case "resolved":
        for (const scope of this.#scopes.values()) {
          scope.names.resolved(input.clash, input.outcome, this.#nowMs);
          scope.settle(this.#nowMs);
        }
        return;
      case "openScope":
        this.#openScope(input.scope, input.request, input.resolver);
        return;
      default:
        this.#takeInScope(input);
    }
  }

  #takeInScope(input: Extract<NodeInput, { scope: string }>): void {
    const scope = this.#scopes.get(input.scope);
    invariant(scope !== undefined, "a command names an open scope");
    const nowMs = this.#nowMs;
    switch (input.kind) {
      case "register":
        scope.command(nowMs, (names) =>
          names.register(input.request, input.name, input.pid, input.meta, input.takeover, input.resolver),
        );
        return;
      case "updateName":
        scope.command(nowMs, (names) => names.update(input.request, input.name, input.revision, input.meta));
        return;
      case "transfer":
        scope.command(nowMs, (names) => names.transfer(input.request, input.name, input.to));
        return;
      case "unregister":
        scope.command(nowMs, (names) => names.unregister(input.request, input.name, input.pid));
        return;
      case "join":
        scope.join(input.group, input.pids, input.meta, nowMs);
        return;
      case "leave":
        scope.leaveGroup(input.group, input.pids, nowMs);
        return;
      case "updateMember":
        scope.updateMember(input.group, input.pid, input.meta, nowMs);
        return;
      case "watching":
        scope.names.watched = input.names;
        scope.groups.watched = input.groups;
        return;
      case "openScope":
        return;
    }
  }

  #exited(pid: Pid, reason: ExitReason): void {
    if (!this.#locals.exited(pid, reason)) return;
    for (const scope of this.#scopes.values())
      scope.processExited(pid, serialOfPid(pid), reason, this.#nowMs);
    this.#monitor({ kind: "exited", pid, reason });
  }

  #openScope(name: string, request: number, resolver: number): void {
    const open = this.#scopes.get(name);
    if (open !== undefined) {
      open.names.useResolver(resolver);
      this.#openings.also(name, request);
      return;
    }
    const scope = this.#makeScope(name);
    scope.names.useResolver(resolver);
    this.#scopes.set(name, scope);
    const peers = this.#membership.peers();
    for (const peer of peers) {
      if (peer.scopes.includes(name)) scope.peerUp(peer.id, this.#nowMs);
    }
    this.#member({ kind: "scopes", scopes: [...this.#scopes.keys()] });
    this.#openings.begin(
      name,
      request,
      peers.map((peer) => peer.id),
      this.#nowMs,
    );
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
    const nowMs = this.#nowMs;
    switch (message.kind) {
      case "operations":
      case "need":
      case "snapshot":
      case "snapshotMore":
        this.#scopes.get(message.scope)?.replicationMessage(from, message, nowMs);
        return;
      case "beat":
        for (const log of message.logs)
          this.#scopes.get(log.scope)?.beat(from, log.position, log.digest, nowMs);
        return;
      case "scopeAsk":
      case "scopeAnswer":
      case "settleAsk":
      case "settled":
        this.#tableMessage(from, message);
        return;
      case "watch":
      case "unwatch":
      case "exited":
      case "watchCheck":
      case "watchResync":
      case "watchAll":
        this.#monitor({ kind: "message", from, message });
        return;
      default:
        this.#scopes.get(message.scope)?.nameMessage(from, message, nowMs);
    }
  }

  #tableMessage(from: NodeId, message: Exclude<TableMessage, { kind: "beat" }>): void {
    switch (message.kind) {
      case "scopeAsk":
        this.#send(from, {
          kind: "scopeAnswer",
          scope: message.scope,
          open: this.#scopes.has(message.scope),
        });
        return;
      case "scopeAnswer":
        this.#openings.answered(from, message.scope);
        return;
      case "settleAsk":
        if (message.wants.every((want) => this.#hasApplied(want)))
          this.#send(from, { kind: "settled", request: message.request });
        return;
      case "settled":
        this.#settlings.answered(from, message.request);
        return;
    }
  }

  /** A scope that is not open here, or an owner that is gone, leaves nothing to apply. */
  #hasApplied(want: { readonly scope: string; readonly owner: NodeId; readonly position: number }): boolean {
    const scope = this.#scopes.get(want.scope);
    if (scope === undefined || this.#membership.downCause(want.owner) !== undefined) return true;
    return scope.positionOf(want.owner) >= want.position;
  }

  #wantsOf(peer: NodeId) {
    return [...this.#scopes].flatMap(([name, scope]) =>
      scope.has(peer)
        ? [...scope.written].map(([owner, position]) => ({ scope: name, owner, position }))
        : [],
    );
  }

  #isBusyBefore(request: number): boolean {
    for (const scope of this.#scopes.values()) {
      if (scope.names.isBusyBefore(request)) return true;
    }
    return false;
  }

  #tick(): void {
    this.#member({ kind: "tick" });
    for (const scope of this.#scopes.values()) scope.tick(this.#nowMs);
    this.#monitor({ kind: "tick" });
    this.#openings.tick(this.#nowMs);
    this.#settlings.tick();
  }

  #reviewReady(): void {
    if (this.#ready || !this.#discovered) return;
    if (this.#scopes.get(DEFAULT_SCOPE)?.names.handover.joined !== true) return;
    this.#ready = true;
    this.#effects.push({ kind: "ready" });
  }

  #reviewRetiring(): void {
    if (this.#retirings.size === 0) return;
    for (const scope of this.#scopes.values()) {
      if (!scope.names.handover.left) return;
    }
    for (const request of this.#retirings)
      this.#effects.push({ kind: "answer", request, answer: { kind: "done" } });
    this.#retirings.clear();
  }

  #member(input: Parameters<Membership["step"]>[0]): void {
    for (const effect of this.#membership.step(input, this.#now)) this.#carryMembership(effect);
  }

  #carryMembership(effect: MembershipEffect): void {
    switch (effect.kind) {
      case "send":
      case "log":
        this.#effects.push(effect);
        return;
      case "broadcast":
        this.#effects.push({ kind: "broadcast", scope: undefined, message: effect.message });
        return;
      case "probe":
        this.#effects.push(effect);
        return;
      case "beat":
        this.#effects.push({ kind: "broadcast", scope: undefined, message: this.#beat() });
        return;
      case "up":
        this.#peerUp(effect.peer);
        return;
      case "suspect":
      case "alive":
        this.#nodeEvent(effect.kind === "alive" ? "up" : "suspect", effect.node);
        for (const scope of this.#scopes.values()) scope.suspicionChanged(this.#nowMs);
        return;
      case "down":
        this.#peerDown(effect.node, effect.cause);
        return;
      case "rejoined":
        for (const scope of this.#scopes.values()) scope.peerRejoined(effect.node, this.#nowMs);
        this.#monitor({ kind: "peerRejoined", node: effect.node });
        return;
      case "scopesOf":
        this.#joinScopes(effect.node, effect.scopes);
        return;
      case "discovered":
        this.#discovered = true;
        return;
      case "incompatible":
        if (this.#ready) return;
        this.#effects.push({
          kind: "fatal",
          error: new IncompatibleVersionError(effect.node, effect.theirs, [
            this.#versions.min,
            this.#versions.max,
          ]),
        });
        return;
      case "duplicate":
        this.#effects.push({ kind: "fatal", error: new DuplicateNodeError(effect.other) });
        return;
    }
  }

  get #versions() {
    return this.#options.versions ?? PROTOCOL_VERSIONS;
  }

  #beat(): ClusterMessage {
    const logs = [...this.#scopes].map(([scope, machine]) => ({
      scope,
      position: machine.position,
      digest: machine.digestOf(this.id),
    }));
    return { kind: "beat", logs };
  }

  #peerUp(peer: NewPeer): void {
    this.#effects.push({ kind: "nodeEvent", event: { kind: "up", node: viewOf(peer, "up") } });
    this.#joinScopes(peer.id, peer.scopes);
    this.#monitor({ kind: "peerUp", node: peer.id });
  }

  #joinScopes(node: NodeId, scopes: readonly string[]): void {
    for (const name of scopes) {
      const scope = this.#scopes.get(name);
      if (scope !== undefined && !scope.has(node)) scope.peerUp(node, this.#nowMs);
    }
  }

  #peerDown(node: NodeId, cause: NodeDownCause): void {
    const reason: ExitReason = { kind: "nodeDown", node, cause };
    for (const scope of this.#scopes.values()) scope.peerDown(node, reason, this.#nowMs);
    this.#openings.peerDown(node);
    this.#settlings.peerDown(node);
    const view: NodeView = { id: node, name: nameOfNode(node), state: "suspect", scopes: [] };
    this.#effects.push({ kind: "nodeEvent", event: { kind: "down", node: view, reason } });
    this.#monitor({ kind: "peerDown", node, cause });
  }

  #nodeEvent(kind: "up" | "suspect", node: NodeId): void {
    const peer = this.#membership.peer(node);
    if (peer !== undefined)
      this.#effects.push({ kind: "nodeEvent", event: { kind, node: viewOf(peer, kind) } });
  }

  #monitor(input: MonitorInput): void {
    for (const effect of this.#monitors.step(input, this.#now)) this.#carryMonitor(effect);
  }

  #carryMonitor(effect: MonitorEffect): void {
    if (effect.kind === "send") this.#send(effect.to, effect.message);
    else this.#effects.push({ kind: "down", monitor: effect.monitor, down: effect.down });
  }

  #send(to: NodeId, message: ClusterMessage): void {
    this.#effects.push({ kind: "send", to, message });
  }

  #makeScope(name: string): ScopeMachine {
    return new ScopeMachine(name, {
      self: this.id,
      arbiterTimeoutMs: this.#options.failureDetection.arbiterTimeoutMs,
      resolverMs: this.#options.limits.resolverMs,
      namesPerNode: this.#options.limits.namesPerNode,
      nextStamp: () => this.#hlc.next(this.#now),
      isAlive: (pid) => nodeOfPid(pid) === this.id && this.#locals.isAlive(serialOfPid(pid)),
      isSuspect: (node) => this.#membership.peer(node)?.state === "suspect",
      isGone: (node) => this.#membership.downCause(node) !== undefined,
      busConnected: () => this.#busConnected,
      send: (to: NodeId, message: NameMessage | ReplicationMessage<Operation>) => this.#send(to, message),
      broadcast: (message) => this.#effects.push({ kind: "broadcast", scope: name, message }),
      answer: (request, answer) => this.#effects.push({ kind: "answer", request, answer }),
      exit: (pid, reason) => this.#effects.push({ kind: "exit", pid, reason }),
      notify: (pid, notice) => this.#effects.push({ kind: "notify", pid, notice }),
      event: (event) => this.#effects.push({ kind: "nameEvent", scope: name, event }),
      groupEvent: (event) => this.#effects.push({ kind: "groupEvent", scope: name, event }),
      resolve: (clash, resolver, details) =>
        this.#effects.push({ kind: "resolve", clash, resolver, details }),
      forgetResolver: (resolver) => this.#effects.push({ kind: "forgetResolver", resolver }),
    });
  }
}

function viewOf(peer: NewPeer, state: "up" | "suspect"): NodeView {
  return { id: peer.id, name: nameOfNode(peer.id), state, scopes: peer.scopes };
}
