import type { Clock } from "../kernel/clock.ts";
import { LimitExceededError } from "../kernel/errors.ts";
import type { Random } from "../kernel/random.ts";
import type { ClusterNode, Scope } from "../node/types.ts";
import type { ServiceLimits } from "./limits.ts";
import { ServiceError } from "./problem.ts";
import { secretId } from "./secrets.ts";
import { Session } from "./session.ts";

export interface SessionsOptions {
  readonly node: ClusterNode;
  readonly scopes: ReadonlyMap<string, Scope>;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ServiceLimits;
}

/** The open sessions, by the id that whoever has one may use it by. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #byPid = new Map<string, Session>();
  #opened = 0;
  #leaving: { readonly deadlineMs: number } | undefined;
  #isClosed = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Since the start. */
  get opened(): number {
    return this.#opened;
  }

  /** Events that wait for clients. */
  get waiting(): number {
    let waiting = 0;
    for (const session of this.#sessions.values()) waiting += session.inbox.waiting;
    return waiting;
  }

  open(ttlMs: number): Session {
    const { clock, limits, node, random, scopes } = this.#options;
    this.checkRoom();
    const onEnd = ({ id, pid }: Session): void => {
      this.#sessions.delete(id);
      this.#byPid.delete(pid);
    };
    const session = new Session({
      id: secretId(random),
      node,
      clock,
      limits,
      scopes: [...scopes.values()],
      ttlMs,
      onEnd,
    });
    this.#sessions.set(session.id, session);
    this.#byPid.set(session.pid, session);
    this.#opened += 1;
    if (this.#leaving !== undefined) session.tell("draining", this.#leaving);
    return session;
  }

  /** @throws ServiceError, LimitExceededError when no session can be opened */
  checkRoom(): void {
    const { limits } = this.#options;
    if (this.#isClosed) throw new ServiceError("DRAINING", "the node is leaving: open a session on another");
    if (this.#sessions.size >= limits.sessions)
      throw new LimitExceededError("sessions", limits.sessions, "too many sessions are open");
  }

  /** @throws ServiceError when it never was, or has ended */
  get(id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined)
      throw new ServiceError(
        "NO_SUCH_SESSION",
        "the session was closed, has expired, or never was: open a new one",
      );
    return session;
  }

  /** That of a process, if it is one's. */
  ofPid(pid: string): Session | undefined {
    return this.#byPid.get(pid);
  }

  /** No more are opened. */
  close(): void {
    this.#isClosed = true;
  }

  /** Tells all of them, and those that are opened from now on. */
  leave(deadlineMs: number): void {
    this.#leaving = { deadlineMs };
    for (const session of [...this.#sessions.values()]) session.tell("draining", this.#leaving);
  }

  endAll(): void {
    for (const session of [...this.#sessions.values()]) session.end({ kind: "shutdown" });
  }
}
