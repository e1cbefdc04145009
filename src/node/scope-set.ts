import type { NameMessage } from "../global/messages.ts";
import type { Now } from "../kernel/clock.ts";
import { invariant } from "../kernel/errors.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Stamp } from "../kernel/hlc.ts";
import { type NodeId, type Pid, serialOfPid } from "../kernel/ids.ts";
import type { ReplicationMessage } from "../replication/messages.ts";
import type { NodeEffect, NodeInput } from "./machine-types.ts";
import { Openings } from "./openings.ts";
import type { Operation } from "./operations.ts";
import type { ClusterMessage, TableMessage } from "./protocol.ts";
import { ScopeMachine } from "./scope-machine.ts";
import { Settlings } from "./settling.ts";

/** The scope that every node has open. */
export const DEFAULT_SCOPE = "default";

export interface ScopeSetPort {
  readonly self: NodeId;
  readonly arbiterTimeoutMs: number;
  readonly resolverMs: number;
  readonly namesPerNode: number;
  emit(effect: NodeEffect): void;
  /** `flush` has something to send. */
  unsent(): void;
  /** So it has, and it is the end of an entry. */
  unsentEnd(): void;
  nextStamp(): Stamp;
  isAlive(pid: Pid): boolean;
  isSuspect(node: NodeId): boolean;
  isGone(node: NodeId): boolean;
  busConnected(): boolean;
  /** Whether this node has met the nodes that were there when it started. */
  discovered(): boolean;
  /** The live peers, each with the scopes it has open. */
  peers(): readonly { readonly id: NodeId; readonly scopes: readonly string[] }[];
  /** Tell the others which scopes are open here now. */
  scopesChanged(scopes: readonly string[]): void;
}

type ScopeCommand = Exclude<Extract<NodeInput, { scope: string }>, { kind: "openScope" | "resolved" }>;

/** The scopes that this node has open, and what concerns all of them: opening, settling, retiring. */
export class ScopeSet {
  readonly #port: ScopeSetPort;
  readonly #scopes = new Map<string, ScopeMachine>();
  readonly #openings: Openings;
  readonly #settlings: Settlings;
  readonly #retirings = new Set<number>();
  /** For good: a scope that is opened after that is left at once. */
  #isRetiring = false;
  #nowMs = 0;

  constructor(port: ScopeSetPort) {
    this.#port = port;
    const done = (request: number) => port.emit({ kind: "answer", request, answer: { kind: "done" } });
    const send = (to: NodeId, message: TableMessage) => this.#send(to, message);
    this.#openings = new Openings({
      send,
      joined: (scope) => port.discovered() && this.isJoined(scope),
      opened: (requests) => requests.forEach(done),
    });
    this.#settlings = new Settlings({
      send,
      wants: () => this.#wants(),
      hasOpen: (peer, scope) => this.#scopes.get(scope)?.has(peer) === true,
      isBusyBefore: (request) =>
        [...this.#scopes.values()].some((scope) => scope.names.isBusyBefore(request)),
      peers: () => port.peers().map((peer) => peer.id),
      settled: done,
    });
    this.#scopes.set(DEFAULT_SCOPE, this.#makeScope(DEFAULT_SCOPE));
  }

  get names(): readonly string[] {
    return [...this.#scopes.keys()];
  }

  get(scope: string): ScopeMachine | undefined {
    return this.#scopes.get(scope);
  }

  isJoined(scope: string): boolean {
    return this.#scopes.get(scope)?.names.handover.joined === true;
  }

  lagging(request: number): readonly NodeId[] {
    if (this.#retirings.has(request)) {
      return [...new Set([...this.#scopes.values()].flatMap((scope) => scope.names.handover.waitingFor()))];
    }
    return [...this.#settlings.lagging(request), ...this.#openings.lagging(request)];
  }

  counters(): Record<string, number> {
    const counters: Record<string, number> = { scopes: this.#scopes.size };
    const add = (name: string, count: number) => {
      counters[`tables.${name}`] = (counters[`tables.${name}`] ?? 0) + count;
    };
    for (const scope of this.#scopes.values()) {
      for (const [name, count] of Object.entries(scope.counts)) add(name, count);
      add("names", scope.names.table.count());
    }
    return counters;
  }

  open(name: string, request: number, resolver: number, now: Now): void {
    this.#nowMs = now.monotonicMs;
    const known = this.#scopes.get(name);
    if (known !== undefined) {
      known.names.useResolver(resolver);
      this.#openings.also(name, request);
      return;
    }
    const scope = this.#makeScope(name);
    scope.names.useResolver(resolver);
    this.#scopes.set(name, scope);
    // First: a peer takes no word about a scope from a node of which it does not know that it has it open.
    this.#port.scopesChanged(this.names);
    const peers = this.#port.peers();
    for (const peer of peers) {
      if (peer.scopes.includes(name)) scope.peerUp(peer.id, this.#nowMs);
    }
    if (this.#isRetiring) scope.leave(this.#nowMs);
    const asked = peers.map((peer) => peer.id);
    this.#openings.begin(name, request, asked, this.#nowMs);
  }

  command(input: ScopeCommand, now: Now): void {
    const nowMs = now.monotonicMs;
    const scope = this.#scopes.get(input.scope);
    invariant(scope !== undefined, "a command names an open scope");
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
    }
  }

  /** Sends what was written. */
  flush(): void {
    this.#each((scope) => scope.flush());
  }

  settle(request: number): void {
    this.#settlings.begin(request);
  }

  /** Hands arbitration over, in every scope. */
  retire(request: number, now: Now): void {
    this.#retirings.add(request);
    this.#isRetiring = true;
    this.#each((scope) => scope.leave(now.monotonicMs));
  }

  abandon(request: number, now: Now): void {
    this.#settlings.abandon(request);
    this.#openings.abandon(request);
    this.#retirings.delete(request);
    this.#each((scope) => scope.command(now.monotonicMs, (names) => names.abandon(request)));
  }

  resolved(input: Extract<NodeInput, { kind: "resolved" }>, now: Now): void {
    this.#scopes.get(input.scope)?.resolved(input.clash, input.outcome, now.monotonicMs);
  }

  processExited(pid: Pid, reason: ExitReason, now: Now): void {
    this.#each((scope) => scope.processExited(pid, serialOfPid(pid), reason, now.monotonicMs));
  }

  /** The peer is up, or has opened more scopes. */
  peerUp(node: NodeId, scopes: readonly string[], now: Now): void {
    for (const name of scopes) {
      const scope = this.#scopes.get(name);
      if (scope !== undefined && !scope.has(node)) scope.peerUp(node, now.monotonicMs);
    }
    this.#settlings.peerUp(node);
  }

  peerRejoined(node: NodeId, now: Now): void {
    this.#each((scope) => scope.peerRejoined(node, now.monotonicMs));
    this.#settlings.peerUp(node);
  }

  peerDown(node: NodeId, reason: ExitReason, now: Now): void {
    this.#each((scope) => scope.peerDown(node, reason, now.monotonicMs));
    this.#openings.peerDown(node);
    this.#settlings.peerDown(node);
  }

  suspicionChanged(now: Now): void {
    this.#each((scope) => scope.suspicionChanged(now.monotonicMs));
  }

  tick(now: Now): void {
    for (const scope of this.#scopes.values()) scope.tick(now.monotonicMs);
    this.#openings.tick(now.monotonicMs);
    this.#settlings.tick();
  }

  /** Answers what has come to be so. Called at the end of each step. */
  review(): void {
    this.#openings.review();
    this.#settlings.review();
    if (this.#retirings.size === 0) return;
    if (![...this.#scopes.values()].every((scope) => scope.names.handover.left)) return;
    for (const request of this.#retirings)
      this.#port.emit({ kind: "answer", request, answer: { kind: "done" } });
    this.#retirings.clear();
  }

  /** What goes with a heartbeat: where this node's logs stand. */
  beat(): ClusterMessage {
    const logs = [...this.#scopes].map(([scope, machine]) => ({
      scope,
      position: machine.position,
      digest: machine.digestOf(this.#port.self),
    }));
    return { kind: "beat", logs };
  }

  replicationMessage(from: NodeId, message: ReplicationMessage<Operation>, now: Now): void {
    this.#scopes.get(message.scope)?.replicationMessage(from, message, now.monotonicMs);
  }

  nameMessage(from: NodeId, message: NameMessage, now: Now): void {
    // 1. n2 opens a scope. 2. n1, which has it open, is told, and has a process of n2 registered there. 3. n2, which has not
    // heard of n1 there yet, would take itself for the only arbiter. It is asked again, when it may have joined.
    if (message.kind === "request" && this.#openings.isOpening(message.scope)) return;
    this.#scopes.get(message.scope)?.nameMessage(from, message, now.monotonicMs);
  }

  tableMessage(from: NodeId, message: TableMessage, now: Now): void {
    switch (message.kind) {
      case "beat":
        for (const log of message.logs) {
          this.#scopes.get(log.scope)?.beat(from, log.position, log.digest, now.monotonicMs);
        }
        return;
      case "scopeAsk":
        this.#send(from, {
          kind: "scopeAnswer",
          scope: message.scope,
          open: this.#scopes.has(message.scope),
        });
        return;
      case "scopeAnswer":
        // That it has the scope open too is told ahead of this. Was that lost, it is known before long: ask again.
        if (!message.open || this.#scopes.get(message.scope)?.has(from) === true)
          this.#openings.answered(from, message.scope);
        return;
      case "settleAsk":
        if (message.wants.every((want) => this.#hasApplied(want))) {
          this.#send(from, { kind: "settled", request: message.request });
        }
        return;
      case "settled":
        this.#settlings.answered(from, message.request);
        return;
    }
  }

  /** A scope that is not open here, or an owner that is gone, leaves nothing to apply. */
  #hasApplied(want: { readonly scope: string; readonly owner: NodeId; readonly position: number }): boolean {
    const scope = this.#scopes.get(want.scope);
    if (scope === undefined || this.#port.isGone(want.owner)) return true;
    return scope.positionOf(want.owner) >= want.position;
  }

  #wants() {
    return [...this.#scopes].flatMap(([name, scope]) =>
      [...scope.written].map(([owner, position]) => ({ scope: name, owner, position })),
    );
  }

  #each(run: (scope: ScopeMachine) => void): void {
    for (const scope of this.#scopes.values()) run(scope);
  }

  #send(to: NodeId, message: ClusterMessage): void {
    this.#port.emit({ kind: "send", to, message });
  }

  #countOwnNames(): number {
    let names = 0;
    for (const scope of this.#scopes.values()) names += scope.names.table.sizeOf(this.#port.self);
    return names;
  }

  #makeScope(name: string): ScopeMachine {
    const port = this.#port;
    return new ScopeMachine(name, {
      self: port.self,
      arbiterTimeoutMs: port.arbiterTimeoutMs,
      resolverMs: port.resolverMs,
      namesPerNode: port.namesPerNode,
      namesHere: () => this.#countOwnNames(),
      nextStamp: () => port.nextStamp(),
      isAlive: (pid) => port.isAlive(pid),
      isSuspect: (node) => port.isSuspect(node),
      isGone: (node) => port.isGone(node),
      busConnected: () => port.busConnected(),
      send: (to, message) => this.#send(to, message),
      broadcast: (message) => port.emit({ kind: "broadcast", scope: name, message }),
      answer: (request, answer) => port.emit({ kind: "answer", request, answer }),
      exit: (pid, reason) => port.emit({ kind: "exit", pid, reason }),
      notify: (pid, notice) => port.emit({ kind: "notify", pid, notice }),
      event: (event) => port.emit({ kind: "nameEvent", scope: name, event }),
      groupEvent: (event) => port.emit({ kind: "groupEvent", scope: name, event }),
      unsent: () => port.unsent(),
      unsentEnd: () => port.unsentEnd(),
      resolve: (clash, resolver, details) => port.emit({ kind: "resolve", clash, resolver, details }),
      forgetResolver: (resolver) => port.emit({ kind: "forgetResolver", resolver }),
    });
  }
}
