import type { Commands } from "../../src/global/commands.ts";
import type { ExitReason } from "../../src/kernel/exit-reason.ts";
import { HybridClock } from "../../src/kernel/hlc.ts";
import { makePid, type NodeId, type Pid, serialOfPid } from "../../src/kernel/ids.ts";
import { Value } from "../../src/kernel/value.ts";
import { type ClusterMessage, clusterMessages } from "../../src/node/protocol.ts";
import { ScopeMachine } from "../../src/node/scope-machine.ts";
import type { Clash } from "../../src/resolve/types.ts";

/** What goes from one node to another here: the messages of a scope as bytes, and what is left of the handshake. */
export type Parcel =
  | { readonly kind: "messages"; readonly bytes: Uint8Array; readonly isRepair: boolean }
  /** `nonce` asks for an answer; `echo` proves that the sender saw the receiver's latest. 0: neither. */
  | { readonly kind: "hello"; readonly nonce: number; readonly echo: number };

export interface ScopeNodePort {
  nowMs(): number;
  post(to: NodeId, parcel: Parcel): void;
  postToAll(parcel: Parcel): void;
}

interface Unresolved {
  readonly clash: string;
  readonly details: Clash;
}

const SCOPE = "default";

/** One scope machine with a stand-in for membership and shell. It believes only those whose handshake was completed. */
export class ScopeNode {
  readonly scope: ScopeMachine;
  readonly unresolved: Unresolved[] = [];
  readonly pids: Pid[] = [];
  /** What this node's own processes have joined, by the rules a reader would expect: group, then pid, then how often. */
  readonly joined = new Map<string, Map<Pid, number>>();
  unanswered = 0;
  readonly #port: ScopeNodePort;
  readonly #up = new Set<NodeId>();
  readonly #gone = new Set<NodeId>();
  readonly #nonces = new Map<NodeId, number>();
  readonly #hlc = new HybridClock();
  readonly #ending: { readonly pid: Pid; readonly reason: ExitReason }[] = [];
  #serials = 0;
  #requests = 0;

  constructor(
    readonly id: NodeId,
    port: ScopeNodePort,
  ) {
    this.#port = port;
    this.scope = new ScopeMachine(SCOPE, {
      self: id,
      arbiterTimeoutMs: 3_000,
      resolverMs: 60_000,
      namesPerNode: 1_000,
      namesHere: () => this.scope.names.table.sizeOf(id),
      nextStamp: () => this.#hlc.next({ monotonicMs: port.nowMs(), wallMs: port.nowMs() }),
      isAlive: (pid) => this.pids.includes(pid),
      isSuspect: () => false,
      isGone: (node) => this.#gone.has(node),
      busConnected: () => true,
      send: (to, message) => {
        if (message.kind !== "claim" && message.kind !== "granted") this.scope.flush();
        if (this.#up.has(to)) port.post(to, parcelOf(message));
      },
      broadcast: (message) => port.postToAll(parcelOf(message)),
      answer: () => {
        this.unanswered -= 1;
      },
      exit: (pid, reason) => this.#ending.push({ pid, reason }),
      notify: () => {},
      event: () => {},
      groupEvent: () => {},
      resolve: (clash, _resolver, details) => this.unresolved.push({ clash, details }),
      forgetResolver: () => {},
      unsent: () => {},
      unsentEnd: () => {},
    });
  }

  /** Commands on names are for nodes that have joined; membership sees to that. */
  get mayRegister(): boolean {
    return this.scope.names.handover.joined;
  }

  isUp(node: NodeId): boolean {
    return this.#up.has(node);
  }

  spawn(): Pid {
    this.#serials += 1;
    const pid = makePid(this.id, this.#serials);
    this.pids.push(pid);
    return pid;
  }

  command(give: (commands: Commands, request: number) => void): void {
    this.#requests += 1;
    this.unanswered += 1;
    this.scope.command(this.#port.nowMs(), (commands) => give(commands, this.#requests));
    this.#endStep();
  }

  exit(pid: Pid): void {
    this.#ending.push({ pid, reason: { kind: "normal" } });
    this.#endStep();
  }

  join(group: string, pid: Pid): void {
    const members = this.joined.get(group) ?? new Map<Pid, number>();
    this.joined.set(group, members.set(pid, (members.get(pid) ?? 0) + 1));
    this.scope.join(group, [pid], Value.undefined, this.#port.nowMs());
    this.scope.flush();
  }

  leave(group: string, pid: Pid): void {
    const members = this.joined.get(group);
    const joins = members?.get(pid) ?? 0;
    if (joins > 1) members?.set(pid, joins - 1);
    else members?.delete(pid);
    this.scope.leaveGroup(group, [pid], this.#port.nowMs());
    this.scope.flush();
  }

  beat(): void {
    const { position } = this.scope;
    const digest = this.scope.digestOf(this.id);
    this.#port.postToAll(parcelOf({ kind: "beat", logs: [{ scope: SCOPE, position, digest }] }));
  }

  tick(): void {
    this.scope.tick(this.#port.nowMs());
    this.#endStep();
  }

  /** The resolver answers the clash it was shown first. */
  resolveOne(): void {
    const next = this.unresolved.shift();
    const winner = next?.details.contenders[0]?.pid;
    if (next === undefined || winner === undefined) return;
    const outcome = { kind: "keep", winner, meta: undefined, losers: "exit" } as const;
    this.scope.names.resolved(next.clash, outcome, this.#port.nowMs());
    this.scope.settle(this.#port.nowMs());
    this.#endStep();
  }

  greet(node: NodeId): void {
    if (!this.#up.has(node)) this.#port.post(node, { kind: "hello", nonce: this.#nonceFor(node), echo: 0 });
  }

  giveUp(node: NodeId): void {
    if (!this.#up.delete(node)) return;
    this.#gone.add(node);
    // An echo of what was asked before proves nothing any more.
    this.#nonces.set(node, this.#nonceFor(node) + 1);
    this.scope.peerDown(node, { kind: "nodeDown", node, cause: "silent" }, this.#port.nowMs());
    this.#endStep();
  }

  receive(from: NodeId, parcel: Parcel): void {
    if (parcel.kind === "hello") this.#hello(from, parcel.nonce, parcel.echo);
    else if (this.#up.has(from))
      for (const message of clusterMessages.decodeAll(parcel.bytes)) this.#message(from, message);
    this.#endStep();
  }

  #hello(from: NodeId, nonce: number, echo: number): void {
    if (this.#up.has(from)) {
      if (nonce === 0) return;
      this.#port.post(from, { kind: "hello", nonce: 0, echo: nonce });
      this.scope.peerRejoined(from, this.#port.nowMs());
    } else if (echo === this.#nonceFor(from)) {
      if (nonce !== 0) this.#port.post(from, { kind: "hello", nonce: 0, echo: nonce });
      this.#up.add(from);
      this.#gone.delete(from);
      this.scope.peerUp(from, this.#port.nowMs());
    } else if (nonce !== 0) {
      this.#port.post(from, { kind: "hello", nonce: this.#nonceFor(from), echo: nonce });
    }
  }

  #nonceFor(node: NodeId): number {
    return this.#nonces.get(node) ?? 1;
  }

  #message(from: NodeId, message: ClusterMessage): void {
    const nowMs = this.#port.nowMs();
    switch (message.kind) {
      case "operations":
      case "need":
      case "snapshot":
      case "snapshotMore":
        this.scope.replicationMessage(from, message, nowMs);
        return;
      case "beat":
        for (const log of message.logs) this.scope.beat(from, log.position, log.digest, nowMs);
        return;
      default:
        if (isOfNames(message)) this.scope.nameMessage(from, message, nowMs);
    }
  }

  /** Carries out what the step has brought about, and sends what it wrote. */
  #endStep(): void {
    for (let ended = this.#ending.shift(); ended !== undefined; ended = this.#ending.shift()) {
      const { pid, reason } = ended;
      const index = this.pids.indexOf(pid);
      if (index < 0) continue;
      this.pids.splice(index, 1);
      for (const members of this.joined.values()) members.delete(pid);
      this.scope.processExited(pid, serialOfPid(pid), reason, this.#port.nowMs());
    }
    this.scope.flush();
  }
}

type NameMessage = Parameters<ScopeMachine["nameMessage"]>[1];

function isOfNames(message: ClusterMessage): message is NameMessage {
  return "scope" in message && message.scope === SCOPE;
}

function parcelOf(message: ClusterMessage): Parcel {
  const isRepair = message.kind === "snapshot" || (message.kind === "operations" && message.answer);
  return { kind: "messages", bytes: clusterMessages.encode(message), isRepair };
}
