import type { Notice } from "../global/types.ts";
import type { Cancel, Clock } from "../kernel/clock.ts";
import { LimitExceededError, TimeoutError } from "../kernel/errors.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Pid } from "../kernel/ids.ts";
import { keyOf } from "../node/strict/key.ts";
import type { Lease } from "../node/strict/types.ts";
import type { ClusterNode, HandlerContext, Monitor, Process, Scope } from "../node/types.ts";
import { Inbox, type InboxEvent } from "./inbox.ts";
import { toJson } from "./json.ts";
import type { ServiceLimits } from "./limits.ts";
import { ServiceError } from "./problem.ts";

export interface SessionOptions {
  readonly id: string;
  readonly node: ClusterNode;
  readonly clock: Clock;
  readonly limits: ServiceLimits;
  /** Those that it can hold something in. */
  readonly scopes: Iterable<Pick<Scope, "groups" | "names">>;
  /** How long it lives without a sign of life, in milliseconds. */
  readonly ttlMs: number;
  readonly onEnd: (session: Session) => void;
}

/** Whoever a session's events go to. A new one takes the place of the last. */
export interface Reader {
  /** There is something to be taken. */
  wake(): void;
  /** Another reader has come, or the session has ended. */
  end(why: "replaced" | "ended"): void;
}

interface PendingCall {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly cancel: Cancel;
}

/**
 * A process that a client of the service has: whatever it holds is held by a process of this node, which ends when the session
 * does. It lives for `ttlMs` from the last sign of life, and for as long as somebody keeps it (`keep`).
 */
export class Session {
  readonly id: string;
  readonly ttlMs: number;
  readonly process: Process;
  readonly leases = new Map<string, Lease>();
  readonly monitors = new Map<string, Monitor>();
  readonly #options: SessionOptions;
  readonly #inbox: Inbox;
  readonly #calls = new Map<string, PendingCall>();
  #lastCall = 0;
  #lastMonitor = 0;
  #asked = 0;
  /** Names that it is giving back, by key. */
  readonly #freeing = new Set<string>();
  #reader: Reader | undefined;
  #keepers = 0;
  #expiresAtMs: number;
  #withdrawExpiry: Cancel | undefined;
  /** When that timer looks whether it has expired. */
  #looksAtMs = 0;
  #hasEnded = false;

  constructor(options: SessionOptions) {
    const { clock, id, limits, node, ttlMs } = options;
    this.#options = options;
    this.id = id;
    this.ttlMs = ttlMs;
    const essentialEvents = limits.holdings + limits.inboxEvents;
    this.#inbox = new Inbox({ ...limits, essentialEvents });
    this.#expiresAtMs = clock.now().monotonicMs + ttlMs;
    this.process = node.spawn((message, context) => this.#handle(message, context), {
      // A call waits for the client, and what comes after it must not.
      concurrency: limits.pendingReplies + 1,
      mailbox: limits.inboxEvents,
      onNotice: (notice) => this.#notice(notice),
    });
    void this.process.exited.then((reason) => this.#ended(reason));
    this.#watchExpiry();
  }

  get pid(): Pid {
    return this.process.pid;
  }

  /** Milliseconds until it ends, if nothing is heard; undefined while somebody keeps it. */
  get expiresInMs(): number | undefined {
    if (this.#keepers > 0) return undefined;
    return Math.max(0, this.#expiresAtMs - this.#options.clock.now().monotonicMs);
  }

  get inbox(): Inbox {
    return this.#inbox;
  }

  get pendingCalls(): number {
    return this.#calls.size;
  }

  /** A sign of life. */
  touch(forMs = this.ttlMs): void {
    this.#expiresAtMs = this.#options.clock.now().monotonicMs + forMs;
    if (!this.#hasEnded) this.#watchExpiry();
  }

  /** It does not expire until the returned function is called, which says for how long it lives from then on. */
  keep(): (forMs?: number) => void {
    this.#keepers += 1;
    let isKept = true;
    return (forMs) => {
      if (!isKept) return;
      isKept = false;
      this.#keepers -= 1;
      this.touch(forMs);
    };
  }

  /** Room for one more thing to hold, for as long as it is being asked for. */
  async asking<T>(ask: () => Promise<T>): Promise<T> {
    this.#asked += 1;
    // Whoever waits for an answer is there.
    const unkeep = this.keep();
    try {
      this.checkRoom(this.#asked - 1);
      return await ask();
    } finally {
      this.#asked -= 1;
      unkeep();
    }
  }

  /** @throws LimitExceededError */
  checkRoom(asked = this.#asked): void {
    const { limits, scopes } = this.#options;
    let held = this.leases.size + this.monitors.size + asked;
    for (const { groups, names } of scopes)
      held += names.namesOf(this.process).length + groups.groupsOf(this.process).length;
    if (held >= limits.holdings)
      throw new LimitExceededError("holdings", limits.holdings, "the session holds too much");
  }

  hold(scope: string, lease: Lease): void {
    // It may have been lost before whoever asked for it was told.
    if (lease.isHeld()) this.leases.set(keyOf(scope, lease.name), lease);
  }

  monitorId(): string {
    this.#lastMonitor += 1;
    return `m${this.#lastMonitor}`;
  }

  /** What must not be left out: what the session lost. */
  tell(kind: string, event: Readonly<Record<string, unknown>>): void {
    if (this.#hasEnded) return;
    if (this.#inbox.push(kind, event, "essential")) this.#reader?.wake();
    else this.end({ kind: "killed" });
  }

  /** It frees a name itself: there is nothing to tell. Returns what takes that back. */
  frees(scope: string, name: string): () => void {
    const key = keyOf(scope, name);
    this.#freeing.add(key);
    return () => this.#freeing.delete(key);
  }

  /** A name is its own no more, because somebody freed it. */
  freed(scope: string, name: string): void {
    if (!this.#freeing.delete(keyOf(scope, name))) this.tell("nameFreed", { name, scope });
  }

  /** @returns ends the reading */
  read(reader: Reader): () => void {
    this.#reader?.end("replaced");
    this.#reader = reader;
    return () => {
      if (this.#reader === reader) this.#reader = undefined;
    };
  }

  takeAfter(id: number): readonly InboxEvent[] {
    return this.#inbox.takeAfter(id);
  }

  /** @throws ServiceError when nobody waits for it */
  answer(call: string, answer: { readonly result: unknown } | { readonly error: string }): void {
    const pending = this.#calls.get(call);
    if (pending === undefined)
      throw new ServiceError("NO_SUCH_CALL", `call ${JSON.stringify(call)} is not waiting for an answer`);
    this.#settle(call, pending);
    if ("error" in answer) pending.reject(new Error(answer.error));
    else pending.resolve(answer.result);
  }

  /** Ends it in good order: resolves when the lease servers have taken note that its strict names are free, or do not answer. */
  async close(): Promise<void> {
    const released = Array.from(this.leases.values(), (lease) => lease.release());
    this.end({ kind: "normal" });
    await Promise.all(released);
  }

  end(reason: ExitReason): void {
    this.process.exit(reason);
    this.#ended(reason);
  }

  #handle(message: unknown, context: HandlerContext): unknown {
    const told = {
      message: toJson(message),
      from: context.from,
      token: context.token?.toString(),
    };
    if (!context.isCall) {
      this.#inbox.push("message", told, "droppable", context.missed);
      this.#reader?.wake();
      return undefined;
    }
    return this.#ask(told, context.missed);
  }

  #ask(told: Readonly<Record<string, unknown>>, missed: number): Promise<unknown> {
    const { clock, limits } = this.#options;
    this.#lastCall += 1;
    const call = `c${this.#lastCall}`;
    const hasRoom =
      this.#calls.size < limits.pendingReplies &&
      this.#inbox.push("call", { call, ...told }, "droppable", missed);
    if (!hasRoom)
      throw new LimitExceededError("inboxEvents", limits.inboxEvents, "the session does not read its events");
    return new Promise((resolve, reject) => {
      const cancel = clock.after(limits.replyMs, () => {
        this.#calls.delete(call);
        reject(new TimeoutError("the session's answer", limits.replyMs));
      });
      this.#calls.set(call, { resolve, reject, cancel });
      this.#reader?.wake();
    });
  }

  #settle(call: string, pending: PendingCall): void {
    this.#calls.delete(call);
    pending.cancel();
  }

  #notice(notice: Notice): void {
    const { kind, ...rest } = notice;
    if (notice.kind === "leaseLost") this.leases.delete(keyOf(notice.scope, notice.name));
    this.tell(kind, rest);
  }

  #watchExpiry(): void {
    // Seldom set anew: mostly it ends later than was thought, which is seen when the timer rings.
    if (this.#withdrawExpiry !== undefined && this.#looksAtMs <= this.#expiresAtMs) return;
    this.#withdrawExpiry?.();
    const { clock } = this.#options;
    const leftMs = this.#expiresAtMs - clock.now().monotonicMs;
    this.#looksAtMs = this.#expiresAtMs;
    this.#withdrawExpiry = clock.after(Math.max(leftMs, 1), () => {
      this.#withdrawExpiry = undefined;
      if (this.#hasEnded || this.#keepers > 0) return;
      if (this.#expiresAtMs <= clock.now().monotonicMs) this.end({ kind: "shutdown" });
      else this.#watchExpiry();
    });
  }

  #ended(reason: ExitReason): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#inbox.push("ended", { reason: toJson(reason) }, "essential");
    this.#reader?.wake();
    this.#withdrawExpiry?.();
    for (const monitor of this.monitors.values()) monitor.cancel();
    for (const pending of this.#calls.values()) pending.cancel();
    this.#calls.clear();
    this.leases.clear();
    this.monitors.clear();
    this.#reader?.end("ended");
    this.#options.onEnd(this);
  }
}
