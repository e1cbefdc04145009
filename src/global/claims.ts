import type { NodeId, Pid } from "../kernel/ids.ts";
import type { Arbiter } from "./arbiter.ts";
import type { Handover } from "./handover.ts";
import { RETRY_MS } from "./limits.ts";
import type { ClaimMessage } from "./messages.ts";
import type { EntryRef } from "./name-entry.ts";
import type { Superseded } from "./name-ops.ts";

/** How a claim ended. */
export type ClaimEnd =
  /** Write it now, with the number of the claim. `current`: what the arbiters saw standing, and what that superseded. */
  | { readonly kind: "granted"; readonly claim: number; readonly current: readonly Superseded[] }
  | { readonly kind: "refused"; readonly holder: Pid | undefined };

/** @typeParam T whatever the claims are made for */
export interface ClaimsPort<T> {
  readonly self: NodeId;
  readonly scope: string;
  readonly arbiterTimeoutMs: number;
  readonly handover: Handover;
  readonly arbiter: Arbiter;
  isSuspect(node: NodeId): boolean;
  busConnected(): boolean;
  send(to: NodeId, message: ClaimMessage): void;
  /** The claim is over. After a grant, the registration is written before this returns; false when it was not. */
  ended(subject: T, end: ClaimEnd): boolean;
  /** What this node sees under the name, of others. */
  seen(name: string): readonly EntryRef[];
  /** Whether this node's entry of the name was written on this claim. */
  wroteOn(claim: number, name: string): boolean;
}

/** A claim under way. */
export interface OpenClaim<T> {
  readonly subject: T;
  /** Its number on the wire, a new one each time it starts over: a grant of an earlier start, given back since, must not count. */
  claim: number;
  readonly name: string;
  readonly takeover: boolean;
  readonly expect: EntryRef | undefined;
  view: number;
  arbiters: readonly NodeId[];
  /** How many of them have granted: the one at this index is being asked. */
  granted: number;
  current: readonly Superseded[];
  /** Arbiters that did not answer in time. */
  skipped: ReadonlySet<NodeId>;
  askedAtMs: number;
  /** When the arbiter being asked last gave a sign of life about it. */
  heardAtMs: number;
}

const NOBODY: ReadonlySet<NodeId> = new Set();
const NOTHING: readonly Superseded[] = [];

/** The claims of this node: each asks its arbiters in order, and gives back what it got when one of them refuses. */
export class Claims<T> {
  readonly #port: ClaimsPort<T>;
  /** By the numbers they have on the wire now. */
  readonly #open = new Map<number, OpenClaim<T>>();
  #last = 0;

  constructor(port: ClaimsPort<T>) {
    this.#port = port;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @param claim the number on the wire */
  isOpen(claim: number): boolean {
    return this.#open.has(claim);
  }

  oldestView(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const open of this.#open.values()) oldest = Math.min(oldest, open.view);
    return oldest;
  }

  /** Begins a claim. It may end before this returns. */
  begin(
    subject: T,
    name: string,
    takeover: boolean,
    expect: EntryRef | undefined,
    nowMs: number,
  ): OpenClaim<T> {
    this.#last += 1;
    const open: OpenClaim<T> = {
      subject,
      claim: this.#last,
      name,
      takeover,
      expect,
      view: 0,
      arbiters: [],
      granted: 0,
      current: NOTHING,
      skipped: NOBODY,
      askedAtMs: nowMs,
      heardAtMs: nowMs,
    };
    this.#open.set(open.claim, open);
    this.#start(open, nowMs);
    return open;
  }

  /** Gives up a claim, if it has not ended. */
  withdraw(open: OpenClaim<T>, nowMs: number): void {
    if (!this.#open.delete(open.claim)) return;
    this.#giveBack(open, nowMs);
  }

  /** An arbiter's word. */
  message(from: NodeId, message: ClaimMessage, nowMs: number): void {
    if (message.kind !== "granted" && message.kind !== "refused" && message.kind !== "parked") return;
    const open = this.#open.get(message.claim);
    if (open === undefined || open.arbiters[open.granted] !== from) {
      // A late grant, of a claim that is over or was asked elsewhere since: it must not stay.
      if (message.kind === "granted") this.#returnLate(from, message.claim, message.name, open);
      return;
    }
    open.heardAtMs = nowMs;
    switch (message.kind) {
      case "parked":
        return;
      case "granted":
        open.granted += 1;
        open.current = open.current.length === 0 ? message.current : [...open.current, ...message.current];
        // It knew every name given out without it when it granted: it said so before. Nobody further down need be asked.
        if (this.#port.handover.isActive(from)) this.#complete(open, nowMs);
        else this.#askNext(open, nowMs);
        return;
      case "refused":
        this.#open.delete(open.claim);
        this.#giveBack(open, nowMs);
        this.#port.ended(open.subject, { kind: "refused", holder: message.holder });
        return;
    }
  }

  /** Called after the handover knows. */
  peerDown(node: NodeId, nowMs: number): void {
    for (const open of [...this.#open.values()]) {
      if (open.arbiters.includes(node)) this.#again(open, nowMs);
    }
  }

  tick(nowMs: number): void {
    if (this.#open.size === 0) return;
    for (const open of [...this.#open.values()]) {
      const asked = open.arbiters[open.granted];
      if (asked === undefined || asked === this.#port.self) continue;
      if (nowMs - open.heardAtMs >= this.#port.arbiterTimeoutMs) {
        this.#skip(open, asked, nowMs);
      } else if (nowMs - open.askedAtMs >= RETRY_MS) {
        open.askedAtMs = nowMs;
        this.#sendClaim(open, asked);
      }
    }
  }

  /** Nobody is kept waiting by a node that hangs: the next in order is asked, and all others that hang are passed over too. */
  #skip(open: OpenClaim<T>, silent: NodeId, nowMs: number): void {
    const skipped = new Set(open.skipped).add(silent);
    for (const peer of this.#port.handover.peers) {
      if (this.#port.isSuspect(peer) || !this.#port.busConnected()) skipped.add(peer);
    }
    open.skipped = skipped;
    this.#again(open, nowMs);
  }

  #again(open: OpenClaim<T>, nowMs: number): void {
    this.#giveBack(open, nowMs);
    this.#open.delete(open.claim);
    this.#last += 1;
    open.claim = this.#last;
    this.#open.set(open.claim, open);
    this.#start(open, nowMs);
  }

  #start(open: OpenClaim<T>, nowMs: number): void {
    open.view = this.#port.handover.view;
    open.arbiters = this.#port.handover.arbitersOf(open.name, open.skipped);
    open.granted = 0;
    open.current = NOTHING;
    this.#askNext(open, nowMs);
  }

  #askNext(open: OpenClaim<T>, nowMs: number): void {
    const next = open.arbiters[open.granted];
    if (next === undefined) {
      this.#complete(open, nowMs);
      return;
    }
    open.askedAtMs = nowMs;
    open.heardAtMs = nowMs;
    if (next === this.#port.self) this.#askSelf(open, nowMs);
    else this.#sendClaim(open, next);
  }

  #complete(open: OpenClaim<T>, nowMs: number): void {
    this.#open.delete(open.claim);
    const end: ClaimEnd = { kind: "granted", claim: open.claim, current: open.current };
    if (!this.#port.ended(open.subject, end)) this.#giveBack(open, nowMs);
  }

  #askSelf(open: OpenClaim<T>, nowMs: number): void {
    const { claim, name, takeover, expect } = open;
    const seen = takeover ? [] : this.#port.seen(name);
    this.#port.arbiter.ask({ from: this.#port.self, claim, name, takeover, expect, seen }, nowMs);
  }

  #sendClaim(open: OpenClaim<T>, to: NodeId): void {
    const { claim, name, takeover, expect } = open;
    const seen = takeover ? [] : this.#port.seen(name);
    this.#port.send(to, { kind: "claim", scope: this.#port.scope, claim, name, takeover, expect, seen });
  }

  /** What was granted, and what may be granted while this is under way. */
  #giveBack(open: OpenClaim<T>, nowMs: number): void {
    const { claim, name } = open;
    for (let index = 0; index <= open.granted; index += 1) {
      const arbiter = open.arbiters[index];
      if (arbiter === this.#port.self) this.#port.arbiter.release(arbiter, claim, name, nowMs);
      else if (arbiter !== undefined)
        this.#port.send(arbiter, { kind: "claimReleased", scope: this.#port.scope, claim, name });
    }
  }

  /**
   * 1. The claim is sent again because the answer is slow. 2. It is refused. 3. The second copy finds the name free.
   * The grant would stand for nothing; unless it was written on, and the arbiter is about to read so.
   */
  #returnLate(from: NodeId, claim: number, name: string, open: OpenClaim<T> | undefined): void {
    const counted =
      open !== undefined && open.arbiters.indexOf(from) < open.granted && open.arbiters.includes(from);
    if (counted || this.#port.wroteOn(claim, name)) return;
    this.#port.send(from, { kind: "claimReleased", scope: this.#port.scope, claim, name });
  }
}
