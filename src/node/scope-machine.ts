import type { Commands } from "../global/commands.ts";
import type { NameMessage } from "../global/messages.ts";
import { NameMachine } from "../global/name-machine.ts";
import type { NameMachinePort } from "../global/name-parts.ts";
import { GroupTable } from "../groups/group-table.ts";
import type { GroupEvent } from "../groups/types.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";
import type { Value } from "../kernel/value.ts";
import type { ReplicationMessage, Written } from "../replication/messages.ts";
import { Replication } from "../replication/replication.ts";
import { type Operation, sizeOfOperation } from "./operations.ts";

/** The rest of the node, as one scope sees it. */
export interface ScopePort
  extends Omit<NameMachinePort, "isUp" | "positionOf" | "isSynced" | "write" | "send" | "scope" | "wroteAt"> {
  send(to: NodeId, message: NameMessage | ReplicationMessage<Operation>): void;
  broadcast(message: ReplicationMessage<Operation>): void;
  groupEvent(event: GroupEvent): void;
  /** `flush` has something to send. */
  unsent(): void;
  /** So it has, and it is the end of an entry. */
  unsentEnd(): void;
}

/** One scope on one node: the logs, and the tables of names and groups that they amount to. */
export class ScopeMachine {
  readonly names: NameMachine;
  readonly groups: GroupTable;
  /** The latest that this node wrote, or had others write, by owner: what `settled` is about. */
  readonly written = new Map<NodeId, number>();
  readonly #port: ScopePort;
  readonly #replication: Replication<Operation>;
  /** Owners whose logs went further in this step. */
  readonly #advanced: NodeId[] = [];

  constructor(scope: string, port: ScopePort) {
    this.#port = port;
    this.groups = new GroupTable(port.self);
    this.#replication = new Replication<Operation>(scope, port.self, {
      apply: (owner, sequence, operation) => this.#apply(owner, sequence, operation),
      reset: (owner, entries) => this.#reset(owner, entries),
      ownEntries: () => this.#ownEntries(),
      digestOf: (owner) => this.digestOf(owner),
      sizeOf: sizeOfOperation,
      send: (to, message) => port.send(to, message),
      broadcast: (message) => port.broadcast(message),
      advanced: (owner) => {
        if (!this.#advanced.includes(owner)) this.#advanced.push(owner);
      },
      unsent: () => port.unsent(),
    });
    this.names = new NameMachine({
      ...namePort(port),
      scope,
      isUp: (node) => this.#replication.follows(node),
      positionOf: (owner) => this.#replication.positionOf(owner),
      isSynced: (owner) => this.#replication.isSynced(owner),
      write: (operation) => this.#write(operation),
      send: (to, message) => port.send(to, message),
      wroteAt: (owner, position) => this.#wrote(owner, position),
    });
  }

  get counts(): Readonly<Record<string, number>> {
    return {
      ...this.#replication.counts,
      ...this.names.counts,
      ...this.names.sizes,
      ...this.groups.counters,
    };
  }

  get position(): number {
    return this.#replication.positionOf(this.#port.self);
  }

  has(node: NodeId): boolean {
    return this.#replication.follows(node);
  }

  positionOf(owner: NodeId): number {
    return this.#replication.positionOf(owner);
  }

  /** Of the entries of one owner. Names and groups count through disjoint sequence numbers, so their sum pins both. */
  digestOf(owner: NodeId): number {
    return (this.names.table.digestOf(owner) + this.groups.digestOf(owner)) >>> 0;
  }

  peerUp(node: NodeId, nowMs: number): void {
    this.#replication.peerUp(node, nowMs);
    this.names.peerUp(node, nowMs);
    this.settle(nowMs);
  }

  peerRejoined(node: NodeId, nowMs: number): void {
    if (!this.has(node)) return;
    this.names.peerRejoined(node, nowMs);
    this.settle(nowMs);
  }

  peerDown(node: NodeId, reason: ExitReason, nowMs: number): void {
    if (!this.has(node)) return;
    this.#replication.peerDown(node);
    this.written.delete(node);
    this.#emit(this.groups.purge(node, reason));
    this.names.peerDown(node, reason, nowMs);
    this.settle(nowMs);
  }

  beat(from: NodeId, position: number, digest: number, nowMs: number): void {
    this.#replication.beat(from, position, digest, nowMs);
  }

  replicationMessage(from: NodeId, message: ReplicationMessage<Operation>, nowMs: number): void {
    this.#replication.message(from, message, nowMs);
    this.settle(nowMs);
  }

  nameMessage(from: NodeId, message: NameMessage, nowMs: number): void {
    if (!this.has(from)) return;
    this.names.message(from, message, nowMs);
    this.settle(nowMs);
  }

  command(nowMs: number, give: (commands: Commands) => void): void {
    this.names.command(nowMs, give);
    this.settle(nowMs);
  }

  join(group: string, pids: readonly Pid[], meta: Value | undefined, nowMs: number): void {
    for (const operation of this.groups.planJoin(group, pids, meta)) this.#write(operation);
    this.settle(nowMs);
  }

  leaveGroup(group: string, pids: readonly Pid[], nowMs: number): void {
    for (const operation of this.groups.planLeave(group, pids)) this.#write(operation);
    this.settle(nowMs);
  }

  updateMember(group: string, pid: Pid, meta: Value, nowMs: number): void {
    for (const operation of this.groups.planUpdate(group, pid, meta)) this.#write(operation);
    this.settle(nowMs);
  }

  /** A process of this node ended. */
  processExited(pid: Pid, serial: number, reason: ExitReason, nowMs: number): void {
    const named = this.names.prepareExit(pid, reason);
    if (named || this.groups.groupsOf(pid).length > 0) this.#write({ kind: "exit", serial, reason });
    this.settle(nowMs);
  }

  resolved(clash: string, outcome: Parameters<NameMachine["resolved"]>[1], nowMs: number): void {
    this.names.resolved(clash, outcome, nowMs);
    this.settle(nowMs);
  }

  /** Hands arbitration over. */
  leave(nowMs: number): void {
    this.names.leave(nowMs);
    this.settle(nowMs);
  }

  /** A peer fell silent, or was heard again: whoever waited for it may not have to. */
  suspicionChanged(nowMs: number): void {
    this.names.suspicionChanged(nowMs);
    this.settle(nowMs);
  }

  tick(nowMs: number): void {
    this.#replication.tick(nowMs);
    this.names.tick(nowMs);
    this.settle(nowMs);
  }

  /** Sends what was written. */
  flush(): void {
    this.#replication.flush();
  }

  /** Goes round until nothing that changed has been left unlooked at. */
  settle(nowMs: number): void {
    do {
      for (let owner = this.#advanced.pop(); owner !== undefined; owner = this.#advanced.pop())
        this.names.advanced(owner, nowMs);
      this.names.settle(nowMs);
    } while (this.#advanced.length > 0);
    if (this.position > 0) this.#wrote(this.#port.self, this.position);
  }

  #write(operation: Operation): number {
    if (isEnd(operation)) this.#port.unsentEnd();
    return this.#replication.write(operation);
  }

  #wrote(owner: NodeId, position: number): void {
    // Of a node that is gone nothing stands any more, and who never met it can never have applied it.
    if (owner !== this.#port.self && !this.has(owner)) return;
    if (position > (this.written.get(owner) ?? 0)) this.written.set(owner, position);
  }

  #apply(owner: NodeId, sequence: number, operation: Operation): void {
    switch (operation.kind) {
      case "namePut":
      case "nameDrop":
        this.names.apply(owner, sequence, operation);
        return;
      case "memberPut":
      case "memberDrop":
        this.#emit(this.groups.apply(owner, sequence, operation));
        return;
      case "exit":
        this.names.apply(owner, sequence, operation);
        this.#emit(this.groups.apply(owner, sequence, operation));
        return;
      case "unknown":
        return;
    }
  }

  #reset(owner: NodeId, entries: readonly Written<Operation>[]): void {
    const names = [];
    const members = [];
    for (const { sequence, operation } of entries) {
      if (operation.kind === "namePut") names.push({ sequence, operation });
      else if (operation.kind === "memberPut") members.push({ sequence, operation });
    }
    this.names.reset(owner, this.#replication.positionOf(owner), names);
    this.#emit(this.groups.reset(owner, members));
  }

  *#ownEntries(): Iterable<Written<Operation>> {
    yield* this.names.entriesOf(this.#port.self);
    yield* this.groups.entriesOf(this.#port.self);
  }

  #emit(events: readonly GroupEvent[]): void {
    for (const event of events) this.#port.groupEvent(event);
  }
}

/** Of a name, as far as it matters: whether the name may be free after it. */
function isEnd(operation: Operation): boolean {
  return (
    operation.kind === "nameDrop" ||
    operation.kind === "exit" ||
    (operation.kind === "namePut" && operation.serial === 0)
  );
}

/** What names need of the node, as it is: bound here, because a port may be a class. */
function namePort(port: ScopePort) {
  return {
    self: port.self,
    arbiterTimeoutMs: port.arbiterTimeoutMs,
    resolverMs: port.resolverMs,
    namesPerNode: port.namesPerNode,
    namesHere: () => port.namesHere(),
    nextStamp: () => port.nextStamp(),
    isAlive: (pid: Pid) => port.isAlive(pid),
    isSuspect: (node: NodeId) => port.isSuspect(node),
    isGone: (node: NodeId) => port.isGone(node),
    busConnected: () => port.busConnected(),
    answer: (...[request, answer]: Parameters<NameMachinePort["answer"]>) => port.answer(request, answer),
    exit: (pid: Pid, reason: ExitReason) => port.exit(pid, reason),
    notify: (...[pid, notice]: Parameters<NameMachinePort["notify"]>) => port.notify(pid, notice),
    event: (...[event]: Parameters<NameMachinePort["event"]>) => port.event(event),
    resolve: (...[clash, resolver, details]: Parameters<NameMachinePort["resolve"]>) =>
      port.resolve(clash, resolver, details),
    forgetResolver: (resolver: number) => port.forgetResolver(resolver),
  };
}
