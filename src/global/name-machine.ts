import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Stamp } from "../kernel/hlc.ts";
import { makePid, type NodeId, type Pid } from "../kernel/ids.ts";
import type { Written } from "../replication/messages.ts";
import type { Clash, Contender, Verdict } from "../resolve/types.ts";
import { Arbiter } from "./arbiter.ts";
import { Claims } from "./claims.ts";
import { ClashDecider, type ResolverOutcome } from "./clash-decider.ts";
import { Commands, type NameAnswer } from "./commands.ts";
import { Handover } from "./handover.ts";
import type { ClaimMessage, ClashMessage, NameMessage } from "./messages.ts";
import { type HolderChange, type NameEntry, putOf, sameRegistration, toRegistration } from "./name-entry.ts";
import type { NameEnd, NameOperation, NamePut, SettledClash } from "./name-ops.ts";
import { NameTable } from "./name-table.ts";
import { Owner } from "./owner.ts";
import { Promises } from "./promises.ts";
import { Requests } from "./requests.ts";
import type { NameEvent, Notice, UnregisterReason } from "./types.ts";

/** The rest of the node, as the names of one scope see it. Called at once, inside the step. */
export interface NameMachinePort {
  readonly self: NodeId;
  readonly scope: string;
  readonly arbiterTimeoutMs: number;
  readonly resolverMs: number;
  readonly namesPerNode: number;
  nextStamp(): Stamp;
  isAlive(pid: Pid): boolean;
  /** Up or suspect, and with this scope open. */
  isUp(node: NodeId): boolean;
  isSuspect(node: NodeId): boolean;
  /** Known to be down, or to have left. */
  isGone(node: NodeId): boolean;
  busConnected(): boolean;
  positionOf(owner: NodeId): number;
  isSynced(owner: NodeId): boolean;
  /** Into this node's log and tables. */
  write(operation: NameOperation): number;
  send(to: NodeId, message: NameMessage): void;
  answer(request: number, answer: NameAnswer): void;
  wroteAt(owner: NodeId, position: number): void;
  exit(pid: Pid, reason: ExitReason): void;
  notify(pid: Pid, notice: Notice): void;
  event(event: NameEvent): void;
  resolve(clash: string, resolver: number, details: Clash): void;
  forgetResolver(resolver: number): void;
}

export interface NameCounts {
  clashes: number;
  resolverRuns: number;
  resolverFailures: number;
  resolverTimeouts: number;
  pins: number;
  purged: number;
  refused: number;
  granted: number;
}

/** The available names of one scope on one node. */
export class NameMachine {
  readonly table: NameTable;
  readonly handover: Handover;
  readonly counts: NameCounts = {
    clashes: 0,
    resolverRuns: 0,
    resolverFailures: 0,
    resolverTimeouts: 0,
    pins: 0,
    purged: 0,
    refused: 0,
    granted: 0,
  };
  /** Whether anyone wants events. */
  watched = false;
  readonly #port: NameMachinePort;
  readonly #arbiter: Arbiter;
  readonly #claims: Claims;
  readonly #owner: Owner;
  readonly #requests: Requests;
  readonly #promises: Promises;
  readonly #decider: ClashDecider;
  readonly #commands: Commands;
  /** Names to look at again before this step ends. */
  readonly #touched = new Set<string>();
  /** Messages of this node to itself. */
  readonly #toSelf: (ClaimMessage | ClashMessage)[] = [];
  #scopeResolver = 0;
  #nowMs = 0;

  constructor(port: NameMachinePort) {
    this.#port = port;
    const { self, scope } = port;
    const here = { self, scope, positionOf: port.positionOf.bind(port), isUp: port.isUp.bind(port) };
    this.table = new NameTable({
      holderChanged: (change) => this.#holderChanged(change),
      nameTouched: (name) => this.#touched.add(name),
      positionOf: (owner) => (port.isUp(owner) ? port.positionOf(owner) : Number.POSITIVE_INFINITY),
    });
    const { table } = this;
    const send = (to: NodeId, message: NameMessage) => port.send(to, message);
    const deliver = (to: NodeId, message: ClashMessage) => {
      if (to === self) this.#toSelf.push(message);
      else port.send(to, message);
    };
    const nowMs = () => this.#nowMs;
    this.handover = new Handover({
      ...here,
      send,
      isSuspect: (node) => port.isSuspect(node),
      isGone: (node) => port.isGone(node),
      isSynced: (node) => port.isSynced(node),
      oldestOpenView: () => this.#claims.oldestView(),
    });
    this.#arbiter = new Arbiter({
      ...here,
      table,
      arbiterTimeoutMs: port.arbiterTimeoutMs,
      send,
      answerSelf: (message) => this.#toSelf.push(message),
      isOpen: (claim) => this.#claims.isOpen(claim),
    });
    this.#claims = new Claims({
      ...here,
      arbiterTimeoutMs: port.arbiterTimeoutMs,
      handover: this.handover,
      arbiter: this.#arbiter,
      isSuspect: (node) => port.isSuspect(node),
      busConnected: () => port.busConnected(),
      send,
      ended: (handle, end) => {
        this.counts[end.kind] += 1;
        return this.#owner.claimEnded(handle, end);
      },
      wroteOn: (claim, name) => table.entryOf(self, name)?.claim === claim,
    });
    this.#owner = new Owner({
      ...here,
      table,
      claims: this.#claims,
      namesPerNode: port.namesPerNode,
      nowMs,
      nextStamp: () => port.nextStamp(),
      isAlive: (pid) => port.isAlive(pid),
      write: (operation) => port.write(operation),
      exit: (pid, reason) => port.exit(pid, reason),
      notify: (pid, notice) => port.notify(pid, notice),
      forgetResolver: (resolver) => port.forgetResolver(resolver),
      adopt: (to, entry, done) => this.#adopt(to, entry, done),
    });
    this.#requests = new Requests(
      { self, scope, send, giveBack: (name, id) => this.#giveBack(name, id) },
      this.#owner,
    );
    this.#promises = new Promises({ ...here, table, deliver }, this.#owner);
    this.#decider = new ClashDecider(
      {
        ...here,
        table,
        resolverMs: port.resolverMs,
        deliver,
        resolve: (clash, resolver, details) => port.resolve(clash, resolver, details),
        resolverOf: (name) => this.#owner.resolverOf(name) || this.#scopeResolver,
        counted: (what) => {
          this.counts[what] += 1;
        },
      },
      this.#owner,
    );
    this.#commands = new Commands(
      {
        self,
        table,
        nowMs,
        isUp: (node) => node === self || port.isUp(node),
        positionOf: here.positionOf,
        answer: (request, answer) => port.answer(request, answer),
        wroteAt: (owner, position) => port.wroteAt(owner, position),
      },
      this.#owner,
      this.#requests,
    );
  }

  /** Sizes now, for the counters. */
  get sizes(): {
    readonly claims: number;
    readonly dockets: number;
    readonly decisions: number;
    readonly requests: number;
  } {
    return {
      claims: this.#claims.size,
      dockets: this.#arbiter.size,
      decisions: this.#decider.size,
      requests: this.#commands.size,
    };
  }

  useResolver(resolver: number): void {
    if (this.#scopeResolver !== 0 && this.#scopeResolver !== resolver)
      this.#port.forgetResolver(this.#scopeResolver);
    this.#scopeResolver = resolver;
  }

  /** Whether a command given before this request has not been answered yet. */
  isBusyBefore(request: number): boolean {
    return this.#commands.isBusyBefore(request);
  }

  suspicionChanged(nowMs: number): void {
    this.#step(nowMs, () => this.handover.suspicionChanged());
  }

  /** Feeds one command of a caller on this node. */
  command(nowMs: number, give: (commands: Commands) => void): void {
    this.#step(nowMs, () => give(this.#commands));
  }

  message(from: NodeId, message: NameMessage, nowMs: number): void {
    this.#step(nowMs, () => this.#message(from, message));
  }

  apply(owner: NodeId, sequence: number, operation: NameOperation): void {
    if (operation.kind === "namePut" && operation.settled !== undefined && this.watched) {
      this.#port.event(clashEvent(operation.name, operation.settled));
    }
    this.table.apply(owner, sequence, operation);
    if (operation.kind === "namePut" && operation.claim !== 0) this.#arbiter.written(owner, operation.name, operation.claim);
  }

  reset(owner: NodeId, upTo: number, entries: readonly Written<NamePut>[]): void {
    this.table.reset(owner, upTo, entries);
    for (const { operation } of entries) this.#arbiter.written(owner, operation.name, operation.claim);
  }

  /** What this node's own names amount to, for a snapshot. */
  *entriesOf(owner: NodeId): Iterable<Written<NamePut>> {
    for (const entry of this.table.entriesOf(owner))
      yield { sequence: entry.sequence, operation: putOf(entry) };
  }

  /** A log went further. Called when everything in it is applied. */
  advanced(owner: NodeId, nowMs: number): void {
    this.#step(nowMs, () => {
      this.#arbiter.advanced(owner, this.#port.positionOf(owner), nowMs);
      this.#owner.sweep();
      this.#decider.sweep();
    });
  }

  peerUp(node: NodeId, nowMs: number): void {
    this.#step(nowMs, () => this.handover.peerUp(node, nowMs));
  }

  /** It had lost us, and knows nothing of what was agreed before. */
  peerRejoined(node: NodeId, nowMs: number): void {
    this.#step(nowMs, () => {
      this.#arbiter.peerDown(node, nowMs);
      this.#promises.peerDown(node);
      this.handover.peerUp(node, nowMs);
      this.#claims.peerDown(node, nowMs);
    });
  }

  peerDown(node: NodeId, reason: ExitReason, nowMs: number): void {
    this.#step(nowMs, () => {
      this.counts.purged += this.table.purge(node, { kind: "ended", reason });
      this.handover.peerDown(node);
      this.#promises.peerDown(node);
      this.#arbiter.peerDown(node, nowMs);
      this.#claims.peerDown(node, nowMs);
      this.#requests.peerDown(node);
      this.#owner.sweep();
      this.#decider.sweep();
    });
  }

  /** A process of this node ends. True when entries of it are left, for the `exit` operation to take away. */
  prepareExit(pid: Pid, reason: ExitReason): boolean {
    return this.#owner.prepareExit(pid, reason);
  }

  resolved(clash: string, outcome: ResolverOutcome, nowMs: number): void {
    this.#step(nowMs, () => this.#decider.resolved(clash, outcome, nowMs));
  }

  leave(nowMs: number): void {
    this.#step(nowMs, () => this.handover.leave(nowMs));
  }

  tick(nowMs: number): void {
    this.#step(nowMs, () => {
      this.handover.tick(nowMs);
      this.#claims.tick(nowMs);
      this.#arbiter.tick(nowMs);
      this.#requests.tick(nowMs);
      this.#decider.tick(nowMs);
    });
  }

  /** Looks at what changed until nothing is left to look at. */
  settle(nowMs: number): void {
    this.#step(nowMs, () => {});
  }

  #step(nowMs: number, run: () => void): void {
    this.#nowMs = nowMs;
    run();
    while (this.#touched.size > 0 || this.#toSelf.length > 0) {
      for (const name of this.#touched) {
        this.#touched.delete(name);
        this.#owner.nameTouched(name);
        this.#promises.nameTouched(name);
        this.#arbiter.nameTouched(name, nowMs);
        this.#decider.nameTouched(name, nowMs);
      }
      const next = this.#toSelf.shift();
      if (next !== undefined) this.#message(this.#port.self, next);
    }
    this.handover.review();
    this.#commands.review();
  }

  #message(from: NodeId, message: NameMessage): void {
    const nowMs = this.#nowMs;
    switch (message.kind) {
      case "joinAsk":
      case "joinAck":
      case "active":
      case "activeAsk":
      case "leaving":
      case "leaveAck":
      case "leaveSync":
      case "leaveSynced":
        this.handover.message(from, message, nowMs);
        return;
      case "claim": {
        const { claim, name, takeover, expect } = message;
        this.#arbiter.ask({ from, claim, name, takeover, expect }, nowMs);
        return;
      }
      case "claimReleased":
        this.#arbiter.release(from, message.claim, message.name, nowMs);
        return;
      case "confirm":
        this.#confirm(from, message);
        return;
      case "confirmed":
        this.#arbiter.confirmed(from, message, nowMs);
        return;
      case "granted":
      case "refused":
      case "parked":
        this.#claims.message(from, message, nowMs);
        return;
      case "promise":
      case "unpromise":
      case "pin":
        this.#promises.message(from, message);
        return;
      case "promised":
      case "pinned":
      case "promiseCheck":
        this.#decider.message(from, message, nowMs);
        return;
      case "request":
      case "response":
      case "requestAbandoned":
        this.#requests.message(from, message);
        return;
    }
  }

  /** An arbiter asks about an entry, or an open claim, of this node. */
  #confirm(from: NodeId, message: Extract<NameMessage, { kind: "confirm" }>): void {
    const { scope, name, id, claim } = message;
    const stands = claim === 0 ? this.#owner.entry(name)?.id === id : this.#claims.isOpen(claim);
    this.#port.send(from, {
      kind: "confirmed",
      scope,
      name,
      id,
      claim,
      stands,
      position: this.#port.positionOf(this.#port.self),
    });
  }

  #adopt(to: Pid, entry: NameEntry, done: Parameters<Requests["ask"]>[3]): () => void {
    const { name, meta, owner, id } = entry;
    const node = to.slice(0, to.lastIndexOf("/")) as NodeId;
    return this.#requests.ask(
      node,
      { kind: "adopt", name, pid: to, meta, from: { owner, id } },
      this.#nowMs,
      done,
    );
  }

  #giveBack(name: string, id: number): void {
    const entry = this.#owner.entry(name);
    if (entry?.id !== id) return;
    this.#owner.execute({ kind: "unregister", name, pid: makePid(entry.owner, entry.serial) }, 0, () => {});
  }

  #holderChanged(change: HolderChange): void {
    if (!this.watched) return;
    const { before, after } = change;
    if (before !== undefined && after !== undefined && sameRegistration(before, after)) {
      if (!before.meta.equals(after.meta))
        this.#port.event({ kind: "updated", registration: toRegistration(after) });
      return;
    }
    if (before !== undefined) {
      this.#port.event({
        kind: "unregistered",
        registration: toRegistration(before),
        reason: toReason(change.end),
      });
    }
    if (after !== undefined) this.#port.event({ kind: "registered", registration: toRegistration(after) });
  }
}

function toReason(end: NameEnd): UnregisterReason {
  return end.kind === "ended" ? end.reason : end;
}

function clashEvent(name: string, settled: SettledClash): NameEvent {
  const contenders: Contender[] = settled.contenders.map(({ pid, meta, stamp, revision }) => {
    const node = pid.slice(0, pid.lastIndexOf("/")) as NodeId;
    return { name, pid, meta: meta.get(), node, revision: `${node}:${revision}`, registeredAt: stamp };
  });
  const verdict: Verdict =
    settled.winner === undefined || settled.losers === "none"
      ? { keep: "none", notify: true }
      : { keep: settled.winner, losers: settled.losers };
  return { kind: "clash", name, contenders, verdict };
}
