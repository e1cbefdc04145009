import type { ExitReason } from "../kernel/exit-reason.ts";
import { type NodeId, nodeOfPid, type Pid } from "../kernel/ids.ts";
import { showMeta } from "../kernel/shown-meta.ts";
import type { Written } from "../replication/messages.ts";
import type { Contender, Verdict } from "../resolve/types.ts";
import type { ResolverOutcome } from "./clash-decider.ts";
import type { Commands } from "./commands.ts";
import type { Handover } from "./handover.ts";
import type { ClaimMessage, ClashMessage, NameMessage } from "./messages.ts";
import { type HolderChange, putOf, sameRegistration, toRegistration } from "./name-entry.ts";
import type { NameEnd, NameOperation, NamePut, SettledClash } from "./name-ops.ts";
import {
  makeNameParts,
  type NameCounts,
  type NameHooks,
  type NameMachinePort,
  type NameParts,
} from "./name-parts.ts";
import type { NameTable } from "./name-table.ts";
import type { NameEvent, UnregisterReason } from "./types.ts";

/** The available names of one scope on one node. */
export class NameMachine {
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
  readonly #parts: NameParts;
  /** Names to look at again before this step ends. */
  readonly #touched: string[] = [];
  /** How many of them have been. */
  #looked = 0;
  /** Messages of this node to itself. */
  readonly #toSelf: (ClaimMessage | ClashMessage)[] = [];
  #scopeResolver = 0;
  #nowMs = 0;

  constructor(port: NameMachinePort) {
    this.#port = port;
    const hooks: NameHooks = {
      nowMs: () => this.#nowMs,
      holderChanged: (change) => this.#holderChanged(change),
      touched: (name) => {
        // Often the same one several times in a row, which is looked at once.
        const isDue = this.#looked < this.#touched.length && this.#touched.at(-1) === name;
        if (!isDue) this.#touched.push(name);
      },
      toSelf: (message) => this.#toSelf.push(message),
      counted: (what) => {
        this.counts[what] += 1;
      },
      scopeResolver: () => this.#scopeResolver,
    };
    this.#parts = makeNameParts(port, hooks);
  }

  get table(): NameTable {
    return this.#parts.table;
  }

  get handover(): Handover {
    return this.#parts.handover;
  }

  /** Sizes now, for the counters. */
  get sizes(): {
    readonly claims: number;
    readonly dockets: number;
    readonly decisions: number;
    readonly strayPromises: number;
    readonly requests: number;
    readonly endedAhead: number;
  } {
    return {
      claims: this.#parts.claims.size,
      dockets: this.#parts.arbiter.size,
      decisions: this.#parts.decider.size,
      strayPromises: this.#parts.promises.stray,
      requests: this.#parts.commands.size,
      endedAhead: this.table.endedAhead,
    };
  }

  useResolver(resolver: number): void {
    if (this.#scopeResolver !== 0 && this.#scopeResolver !== resolver)
      this.#port.forgetResolver(this.#scopeResolver);
    this.#scopeResolver = resolver;
  }

  /** Whether a command given before this request has not been answered yet. */
  isBusyBefore(request: number): boolean {
    return this.#parts.commands.isBusyBefore(request);
  }

  suspicionChanged(nowMs: number): void {
    this.#begin(nowMs);
    this.handover.suspicionChanged();
    this.#finish();
  }

  /** Feeds one command of a caller on this node. */
  command(nowMs: number, give: (commands: Commands) => void): void {
    this.#begin(nowMs);
    give(this.#parts.commands);
    this.#finish();
  }

  message(from: NodeId, message: NameMessage, nowMs: number): void {
    this.#begin(nowMs);
    this.#message(from, message);
    this.#finish();
  }

  apply(owner: NodeId, sequence: number, operation: NameOperation): void {
    if (operation.kind === "namePut" && operation.settled !== undefined && this.watched) {
      this.#port.event(clashEvent(operation.name, operation.settled));
    }
    this.table.apply(owner, sequence, operation);
    if (operation.kind === "namePut" && operation.claim !== 0)
      this.#parts.arbiter.written(owner, operation.name, operation.claim);
  }

  reset(owner: NodeId, upTo: number, entries: readonly Written<NamePut>[]): void {
    this.table.reset(owner, upTo, entries);
    for (const { operation } of entries) this.#parts.arbiter.written(owner, operation.name, operation.claim);
  }

  /** What this node's own names amount to, for a snapshot. */
  *entriesOf(owner: NodeId): Iterable<Written<NamePut>> {
    for (const entry of this.table.entriesOf(owner))
      yield { sequence: entry.sequence, operation: putOf(entry) };
  }

  /** A log went further. Called when everything in it is applied. */
  advanced(owner: NodeId, nowMs: number): void {
    this.#begin(nowMs);
    this.#parts.arbiter.advanced(owner, this.#port.positionOf(owner), nowMs);
    this.#finish();
  }

  peerUp(node: NodeId, nowMs: number): void {
    this.#begin(nowMs);
    this.#parts.requests.peerUp(node);
    this.handover.peerUp(node, nowMs);
    this.#finish();
  }

  /** It had lost us, and knows nothing of what was agreed before. */
  peerRejoined(node: NodeId, nowMs: number): void {
    this.#begin(nowMs);
    this.#parts.arbiter.peerDown(node, nowMs);
    this.#parts.promises.peerDown(node);
    this.handover.peerUp(node, nowMs);
    this.#parts.claims.peerDown(node, nowMs);
    this.#finish();
  }

  peerDown(node: NodeId, reason: ExitReason, nowMs: number): void {
    this.#begin(nowMs);
    this.counts.purged += this.table.purge(node, { kind: "ended", reason });
    this.handover.peerDown(node);
    this.#parts.promises.peerDown(node);
    this.#parts.arbiter.peerDown(node, nowMs);
    this.#parts.claims.peerDown(node, nowMs);
    this.#parts.requests.peerDown(node);
    this.#parts.owner.sweep();
    this.#parts.decider.sweep();
    this.#finish();
  }

  /** A process of this node ends. True when entries of it are left, for the `exit` operation to take away. */
  prepareExit(pid: Pid, reason: ExitReason): boolean {
    return this.#parts.owner.prepareExit(pid, reason);
  }

  resolved(clash: string, outcome: ResolverOutcome, nowMs: number): void {
    this.#begin(nowMs);
    this.#parts.decider.resolved(clash, outcome, nowMs);
    this.#finish();
  }

  leave(nowMs: number): void {
    this.#begin(nowMs);
    this.handover.leave(nowMs);
    this.#finish();
  }

  tick(nowMs: number): void {
    this.#begin(nowMs);
    this.handover.tick(nowMs);
    this.#parts.claims.tick(nowMs);
    this.#parts.arbiter.tick(nowMs);
    this.#parts.requests.tick(nowMs);
    // Not at every step of a log: each time it looks at all there are.
    this.#parts.owner.sweep();
    this.#parts.decider.tick(nowMs);
    this.#finish();
  }

  /** Looks at what changed until nothing is left to look at. */
  settle(nowMs: number): void {
    this.#begin(nowMs);
    this.#finish();
  }

  #begin(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Looks at what the step has changed, until nothing is left to look at. */
  #finish(): void {
    const touched = this.#touched;
    while (this.#looked < touched.length || this.#toSelf.length > 0) {
      while (this.#looked < touched.length) {
        this.#looked += 1;
        this.#look(touched[this.#looked - 1] as string);
      }
      const next = this.#toSelf.shift();
      if (next !== undefined) this.#message(this.#port.self, next);
    }
    if (this.#looked > 0) {
      touched.length = 0;
      this.#looked = 0;
    }
    this.handover.review();
    this.#parts.commands.review();
  }

  #look(name: string): void {
    this.#parts.owner.nameTouched(name);
    this.#parts.promises.nameTouched(name);
    this.#parts.arbiter.nameTouched(name, this.#nowMs);
    this.#parts.decider.nameTouched(name, this.#nowMs);
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
        const { claim, name, takeover, expect, seen } = message;
        this.#parts.arbiter.ask({ from, claim, name, takeover, expect, seen }, nowMs);
        return;
      }
      case "claimReleased":
        this.#parts.arbiter.release(from, message.claim, message.name, nowMs);
        return;
      case "confirm":
        this.#confirm(from, message);
        return;
      case "confirmed":
        this.#parts.arbiter.confirmed(from, message, nowMs);
        return;
      case "granted":
      case "refused":
      case "parked":
        this.#parts.claims.message(from, message, nowMs);
        return;
      case "promise":
      case "unpromise":
      case "pin":
        this.#parts.promises.message(from, message);
        return;
      case "promised":
      case "pinned":
      case "promiseCheck":
        this.#parts.decider.message(from, message, nowMs);
        return;
      case "request":
      case "response":
      case "requestAbandoned":
      case "requestWithdrawn":
        this.#parts.requests.message(from, message);
        return;
    }
  }

  /** An arbiter asks about an entry, or an open claim, of this node. */
  #confirm(from: NodeId, message: Extract<NameMessage, { kind: "confirm" }>): void {
    const { scope, name, id, claim } = message;
    const stands = claim === 0 ? this.#parts.owner.entry(name)?.id === id : this.#parts.claims.isOpen(claim);
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
    const node = nodeOfPid(pid);
    const revisionThere = `${node}:${revision}`;
    return showMeta({ name, pid, meta: undefined, node, revision: revisionThere, registeredAt: stamp }, meta);
  });
  const verdict: Verdict =
    settled.winner === undefined || settled.losers === "none"
      ? { keep: "none", notify: true }
      : { keep: settled.winner, losers: settled.losers };
  return { kind: "clash", name, contenders, verdict };
}
