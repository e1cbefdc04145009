import { ITEMS_PER_REQUEST, MAX_IN_FLIGHT, MAX_OWED } from "../limits.ts";
import {
  type AcquireItem,
  type AcquireResult,
  type ConfirmItem,
  type ConfirmResult,
  type Guarded,
  type LeaseReply,
  type LeaseRequest,
  makeSessionId,
  type ReleaseItem,
  type SessionId,
} from "../requests.ts";
import type { QuorumCore } from "./core.ts";

/** What one server's link tells the rest of the machine. */
export interface LinkHooks {
  /** The session has just been opened or renewed: whatever waits for this server can go on. */
  onKept(link: ServerLink): void;
  /** The session is gone, and every vote given to it. */
  onSessionLost(link: ServerLink): void;
  onGuarded(link: ServerLink, guarded: Guarded): void;
  /** Whether a name would be lost without the votes that hang on this session. */
  isNeeded(link: ServerLink): boolean;
}

/** When something was sent, by the monotonic clock and by the one that leases count by. */
interface Sent {
  readonly atMs: number;
  readonly elapsedMs: number;
}

interface InFlight {
  readonly sentMs: number;
  readonly session: SessionId | undefined;
  /** Undefined: there will be no answer, and whether it was carried out is not known. */
  readonly done: (reply: LeaseReply | undefined) => void;
}

/** A vote, or a ticket, that this node does not want (any more), until the server has said that it is gone. */
interface Owed {
  readonly item: ReleaseItem;
  readonly sinceMs: number;
  readonly done: Released | undefined;
}

/** @param next whose turn the server says it is */
type Released = (next: SessionId | undefined) => void;

interface Acquiring {
  readonly item: AcquireItem;
  readonly done: (result: AcquireResult | undefined) => void;
}

type InSession = Extract<LeaseRequest, { readonly session: SessionId }>["kind"];

/** One server, as this node knows it: the connection, the session, and what is under way. */
export class ServerLink {
  readonly index: number;
  readonly bit: number;
  readonly #core: QuorumCore;
  readonly #hooks: LinkHooks;
  readonly #inFlight = new Map<number, InFlight>();
  /** Votes that are asked for in this step. */
  #acquiring: Acquiring[] = [];
  /** By claim, the oldest first. */
  readonly #owed = new Map<number, Owed>();
  /** Those of them that no request is under way for. */
  readonly #unsent = new Set<Owed>();
  /** Whether something was owed in this step. What could not be paid is tried again with the next renewal, not at once. */
  #isPaymentDue = false;
  /** So much is overdue that nothing new is asked for. */
  #isOverdrawn = false;
  /** Those who want to know when a session that was given up is gone. Undefined: there is none, or its end was not heard of. */
  #closing: Released[] | undefined;
  #isConnected = false;
  #connection = 0;
  #session: SessionId | undefined;
  #sessions = 0;
  /** Until when, of the core's `elapsedMs`, the session is certainly kept. Undefined: it has not been opened. */
  #deadlineMs: number | undefined;
  #heardMs = Number.NEGATIVE_INFINITY;
  #tendedMs = Number.NEGATIVE_INFINITY;
  #withdraw: (() => void) | undefined;
  #lastKept: { readonly serverMs: number; readonly elapsedMs: number } | undefined;
  #misconfigured = false;
  /** It keeps out: what it promised before still counts, and it will promise nothing more for now. */
  #isGuarded = false;
  /** Until when it said that it does, by the monotonic clock. Given from then on until it has opened a session, or renewed it. */
  #keepsOutUntilMs: number | undefined;

  constructor(core: QuorumCore, index: number, hooks: LinkHooks) {
    this.#core = core;
    this.index = index;
    this.bit = 2 ** index;
    this.#hooks = hooks;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Which session votes are given to now. Votes of another one are gone. */
  get session(): SessionId | undefined {
    return this.#deadlineMs === undefined ? undefined : this.#session;
  }

  /** How long the session is certainly kept. */
  get leftMs(): number {
    return (this.#deadlineMs ?? Number.NEGATIVE_INFINITY) - this.#core.elapsedMs;
  }

  /** Whether it makes sense to ask for a vote. A server that owes an answer for long has enough to do. */
  get isUsable(): boolean {
    return this.isReachable && !this.#isGuarded && !this.#isOverdrawn && this.leftMs > 0;
  }

  /** Whether it can be asked what needs no session. */
  get isReachable(): boolean {
    return this.#isConnected && this.#isResponsive;
  }

  /** Until when at least it keeps out, though it answers. In the past: that is not known. */
  get keepsOutUntilMs(): number | undefined {
    return this.isReachable ? this.#keepsOutUntilMs : undefined;
  }

  /** Its guard lasts for so long still. */
  keepsOutFor(waitMs: number): void {
    const { monotonicMs } = this.#core.now;
    // Once the wait is over it may lack a floor for ever: that moment stays where it was.
    if (waitMs > 0) this.#keepsOutUntilMs = monotonicMs + waitMs;
    else this.#keepsOutUntilMs ??= monotonicMs;
  }

  connected(): void {
    this.#isConnected = true;
    this.#connection += 1;
    this.#tend();
  }

  disconnected(): void {
    this.#isConnected = false;
    const lost = [...this.#inFlight.values()];
    this.#inFlight.clear();
    for (const { done } of lost) done(undefined);
  }

  reply(id: number, reply: LeaseReply): void {
    const request = this.#inFlight.get(id);
    if (request === undefined) return;
    this.#inFlight.delete(id);
    this.#heardMs = this.#core.now.monotonicMs;
    this.#giveUpBefore(id);
    this.#isGuarded = reply.kind === "guarded";
    if (reply.kind === "guarded") this.#hooks.onGuarded(this, reply);
    if (reply.kind === "misconfigured") this.#warnOfConfiguration(reply.theirs);
    const isGone = reply.kind === "noSession" || reply.kind === "stale";
    if (isGone && request.session !== undefined && request.session === this.#session) this.#sessionLost();
    request.done(reply);
  }

  /** A request that is about no session. */
  ask(request: LeaseRequest, done: (reply: LeaseReply | undefined) => void): void {
    this.sendAcquires();
    if (!this.#isConnected || this.#inFlight.size >= MAX_IN_FLIGHT) {
      done(undefined);
      return;
    }
    const id = this.#core.nextId();
    const session = "session" in request ? request.session : undefined;
    this.#inFlight.set(id, { sentMs: this.#core.now.monotonicMs, session, done });
    this.#core.emit({ kind: "send", server: this.index, id, request });
  }

  /** Sent with others of the same step, or before whatever else is sent. */
  acquire(item: AcquireItem, done: (result: AcquireResult | undefined) => void): void {
    // What was owed for an earlier attempt goes ahead on the same connection, and must not come again behind this.
    this.#payOwed();
    this.#forget(item.claim);
    this.#acquiring.push({ item, done });
    if (this.#acquiring.length >= ITEMS_PER_REQUEST) this.sendAcquires();
  }

  /** Sends what has come together in this step: what takes votes back goes behind what asks for them. */
  endStep(): void {
    this.sendAcquires();
    if (!this.#isPaymentDue) return;
    this.#isPaymentDue = false;
    this.#payOwed();
    this.#boundOwed();
  }

  sendAcquires(): void {
    const batch = this.#acquiring;
    if (batch.length === 0) return;
    this.#acquiring = [];
    this.#askInSession("acquire", { items: batch.map(({ item }) => item) }, (reply) => {
      for (const [index, { done }] of batch.entries()) {
        done(reply?.kind === "acquired" ? reply.items[index] : undefined);
      }
    });
  }

  /** @param done undefined: not answered */
  store(
    kind: "confirm" | "attach",
    items: readonly ConfirmItem[],
    done: (results: readonly ConfirmResult[] | undefined) => void,
  ): void {
    this.#askInSession(kind, { items }, (reply) => {
      done(reply?.kind === "confirmed" ? reply.items : undefined);
    });
  }

  /**
   * Has a vote, or ticket, taken back, for as long as it takes. That is forgotten only with the session: then they are gone. Sent
   * with others of the same step, or before the next vote is asked for.
   * @param done called once that is so
   */
  owe(item: ReleaseItem, done?: Released): void {
    if (this.session === undefined) {
      if (this.#closing === undefined) done?.(undefined);
      else if (done !== undefined) this.#closing.push(done);
      return;
    }
    this.#forget(item.claim);
    const owed: Owed = { item, sinceMs: this.#core.now.monotonicMs, done };
    this.#owed.set(item.claim, owed);
    this.#unsent.add(owed);
    this.#isPaymentDue = true;
  }

  /** Ends the session: there will be nothing more to say. */
  close(): void {
    this.#withdraw?.();
    if (this.#session !== undefined) this.#askInSession("close", {}, () => {});
  }

  /** Another look at the server, soon. */
  lookAgain(inMs: number): void {
    this.#tendAt(this.#core.now.monotonicMs + inMs);
  }

  get #isResponsive(): boolean {
    const [oldest] = this.#inFlight.values();
    if (oldest === undefined) return true;
    const sinceMs = Math.max(oldest.sentMs, this.#heardMs);
    return this.#core.now.monotonicMs - sinceMs <= this.#core.times.requestMs;
  }

  /** What is still not answered when something sent much later is, has been lost. */
  #giveUpBefore(id: number): void {
    const beforeMs = this.#core.now.monotonicMs - this.#core.times.requestMs;
    for (const [earlier, { done, sentMs }] of this.#inFlight) {
      if (earlier > id || sentMs > beforeMs) return;
      this.#inFlight.delete(earlier);
      done(undefined);
    }
  }

  #payOwed(): void {
    if (this.#unsent.size === 0 || !this.isReachable || this.session === undefined) return;
    // Not all over again for each vote that is asked for while there is no room.
    if (this.#inFlight.size >= MAX_IN_FLIGHT) return;
    const unpaid = [...this.#unsent];
    this.#unsent.clear();
    for (let from = 0; from < unpaid.length; from += ITEMS_PER_REQUEST) {
      const batch = unpaid.slice(from, from + ITEMS_PER_REQUEST);
      this.#askInSession("release", { items: batch.map(({ item }) => item) }, (reply) => {
        this.#paid(batch, reply);
      });
    }
  }

  #paid(batch: readonly Owed[], reply: LeaseReply | undefined): void {
    for (const [index, owed] of batch.entries()) {
      const isOwed = this.#owed.get(owed.item.claim) === owed;
      if (reply?.kind === "released") {
        if (isOwed) this.#owed.delete(owed.item.claim);
        owed.done?.(reply.items[index]?.next);
      } else if (isOwed) {
        this.#unsent.add(owed);
      }
    }
    if (this.#owed.size <= MAX_OWED) this.#isOverdrawn = false;
  }

  #forget(claim: number): void {
    const owed = this.#owed.get(claim);
    if (owed === undefined) return;
    this.#owed.delete(claim);
    this.#unsent.delete(owed);
  }

  /**
   * What is on its way is not too much: a node that ends may give all its names back at once. Only what a server has left unanswered
   * for long counts. And the session is kept as long as names depend on it: 1. two servers of three are slow; 2. both sessions are
   * given up; 3. every name of the node is lost, also those that nobody wanted to give back. Until then nothing new is asked for
   * there, so what is owed grows by no more than this node has; and either the server answers, or the session runs out.
   */
  #boundOwed(): void {
    if (this.#owed.size <= MAX_OWED) return;
    const beforeMs = this.#core.now.monotonicMs - this.#core.times.requestMs;
    let overdue = 0;
    for (const { sinceMs } of this.#owed.values()) {
      if (sinceMs >= beforeMs) break;
      overdue += 1;
    }
    if (overdue <= MAX_OWED) return;
    if (this.leftMs <= 0 || !this.#hooks.isNeeded(this)) this.#abandon();
    else this.#isOverdrawn = true;
  }

  #askInSession(kind: InSession, rest: object, done: (reply: LeaseReply | undefined) => void): void {
    if (this.#session === undefined) {
      done(undefined);
      return;
    }
    const request = { kind, session: this.#session, connection: this.#connection, ...rest } as LeaseRequest;
    this.ask(request, done);
  }

  /** Opens the session, or renews it; and comes back in time to do so again. */
  #tend(): void {
    const { now, times } = this.#core;
    if (!this.#isConnected) return;
    const sent = { atMs: now.monotonicMs, elapsedMs: this.#core.elapsedMs };
    if (this.#deadlineMs === undefined) {
      // Each opening has an id of its own. With the old one a late copy of the request could make a session anew that had expired,
      // votes and all, without this node's knowing that it was gone meanwhile.
      this.#sessions += 1;
      this.#session = makeSessionId(this.#core.owner, this.#sessions);
    }
    const session = this.#session;
    this.#tendedMs = now.monotonicMs;
    this.#tendAt(now.monotonicMs + times.requestMs);
    this.#askInSession(this.#deadlineMs === undefined ? "open" : "renew", {}, (reply) => {
      if (reply?.kind === "kept" && session === this.#session) this.#kept(sent, reply);
    });
  }

  #kept(sent: Sent, { maxToken, serverMs }: Extract<LeaseReply, { kind: "kept" }>): void {
    const { lifeMs, renewEveryMs } = this.#core.times;
    this.#core.sawToken(maxToken);
    this.#keepsOutUntilMs = undefined;
    if (this.#hasStepped(sent, serverMs)) {
      this.#abandon();
      return;
    }
    this.#deadlineMs = Math.max(this.#deadlineMs ?? 0, sent.elapsedMs + lifeMs);
    if (sent.atMs >= this.#tendedMs) this.#tendAt(sent.atMs + renewEveryMs);
    this.#payOwed();
    this.#hooks.onKept(this);
  }

  /**
   * A server whose clock has gone ahead by more than is allowed for may have let sessions expire that this node still counts on.
   * It is seen too late to be sure, but what it does from here on can be known: so votes there are given up and made anew.
   */
  #hasStepped(sent: Sent, serverMs: number): boolean {
    const last = this.#lastKept;
    const { clockRateBound, serverStepMs } = this.#core.settings;
    this.#lastKept = { serverMs, elapsedMs: sent.elapsedMs };
    if (last === undefined) return false;
    const elapsedMs = this.#core.elapsedMs - last.elapsedMs;
    const aheadMs = serverMs - last.serverMs - elapsedMs * (1 + clockRateBound);
    if (aheadMs <= serverStepMs + CLOCK_GRAIN_MS) return false;
    const message = `its clock went ahead by ${Math.round(aheadMs)} ms more than time did; steps of up to ${serverStepMs} ms are allowed for`;
    this.#core.emit({ kind: "warning", server: this.index, message });
    return true;
  }

  /** Nothing in it counts any more, so it need not keep anyone out. */
  #abandon(): void {
    // That what was owed is gone is known once the server has said so.
    const closing = [...this.#owed.values()].flatMap(({ done }) => (done === undefined ? [] : [done]));
    this.#forgetAll();
    this.#closing = closing;
    this.#askInSession("close", {}, (reply) => {
      if (this.#closing === closing) this.#closing = undefined;
      if (reply?.kind === "closed" || reply?.kind === "noSession")
        for (const done of closing) done(undefined);
    });
    this.#sessionLost();
  }

  #sessionLost(): void {
    // For the session that has ended: not sent to the next one.
    const acquiring = this.#acquiring;
    this.#acquiring = [];
    const owed = [...this.#owed.values()];
    this.#session = undefined;
    this.#deadlineMs = undefined;
    this.#lastKept = undefined;
    this.#forgetAll();
    this.#hooks.onSessionLost(this);
    for (const { done } of owed) done?.(undefined);
    for (const { done } of acquiring) done(undefined);
    this.#tend();
  }

  #forgetAll(): void {
    this.#owed.clear();
    this.#unsent.clear();
    this.#isOverdrawn = false;
  }

  #tendAt(atMs: number): void {
    this.#withdraw?.();
    this.#withdraw = this.#core.agenda.at(atMs, () => this.#tend());
  }

  #warnOfConfiguration(theirs: string): void {
    if (this.#misconfigured) return;
    this.#misconfigured = true;
    const message = `it is used by nodes with other settings: ${theirs}`;
    this.#core.emit({ kind: "warning", server: this.index, message });
  }
}

/** Servers tell whole milliseconds. */
const CLOCK_GRAIN_MS = 1;
