import type { z } from "@hono/zod-openapi";
import { LimitExceededError, NoSuchNameError } from "../kernel/errors.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";
import { keyOf, nameOfKey } from "../node/strict/key.ts";
import type { Address, ClusterNode, MonitorTarget, Scope } from "../node/types.ts";
import { toJson } from "./json.ts";
import type { ServiceLimits } from "./limits.ts";
import { ServiceError } from "./problem.ts";
import type * as schemas from "./schemas.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { shownHolder, shownRegistration } from "./tables.ts";

export interface OperationsOptions {
  readonly node: ClusterNode;
  /** Those that clients may use. */
  readonly scopes: ReadonlyMap<string, Scope>;
  readonly sessions: Sessions;
  readonly limits: ServiceLimits;
}

type Send = z.output<typeof schemas.send>;
type Call = z.output<typeof schemas.call>;
type Publish = z.output<typeof schemas.publish>;
type Register = z.output<typeof schemas.register>;
type RegisterStrict = z.output<typeof schemas.registerStrict>;
type Reply = z.output<typeof schemas.reply>;
type Target = z.output<typeof schemas.monitorTarget>;

/** What clients can do, whatever way they ask. Throws the library's errors, and `ServiceError`. */
export class Operations {
  readonly #options: OperationsOptions;
  #waits = 0;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** Asked for and not answered yet. */
  get waits(): number {
    return this.#waits;
  }

  scope(scope = "default"): Scope {
    const known = this.#options.scopes.get(scope);
    if (known === undefined)
      throw new ServiceError("NO_SUCH_SCOPE", `scope ${JSON.stringify(scope)} is not served here`);
    return known;
  }

  async register(session: Session, scope: string, name: string, options: Register, signal?: AbortSignal) {
    const { names } = this.scope(scope);
    const { meta, takeOver, timeoutMs } = options;
    const register = takeOver === true ? names.reregister.bind(names) : names.register.bind(names);
    const registration = await this.#waiting(() =>
      session.asking(() => register(name, session.process, { meta, timeoutMs, signal })),
    );
    return shownRegistration(registration);
  }

  async unregister(session: Session, scope: string, name: string): Promise<void> {
    const { names } = this.scope(scope);
    const takeBack = session.frees(scope, name);
    let isFreed = false;
    try {
      isFreed = await this.#waiting(() => names.unregister(name, { pid: session.pid }));
    } finally {
      if (!isFreed) takeBack();
    }
    if (!isFreed) throw notHeld("name", name);
  }

  /** Whoever holds it. */
  async evict(scope: string, name: string): Promise<void> {
    const { names } = this.scope(scope);
    if (!(await this.#waiting(() => names.unregister(name)))) throw new NoSuchNameError(name);
  }

  async registerStrict(
    session: Session,
    scope: string,
    name: string,
    options: RegisterStrict,
    signal?: AbortSignal,
  ) {
    const { strictNames } = this.scope(scope);
    const { meta, timeoutMs, wait } = options;
    const lease = await this.#waiting(() =>
      session.asking(() =>
        strictNames.register(name, session.process, { meta, timeoutMs, wait, signal, onLost: "notify" }),
      ),
    );
    session.hold(scope, lease);
    const { pid, token } = lease;
    return { name, pid, token: token.toString(), remainingMs: Math.floor(lease.remainingMs()) };
  }

  async releaseStrict(session: Session, scope: string, name: string): Promise<void> {
    this.scope(scope);
    const key = keyOf(scope, name);
    const lease = session.leases.get(key);
    if (lease === undefined) throw notHeld("strict name", name);
    session.leases.delete(key);
    await lease.release();
  }

  whereis(scope: string, name: string) {
    const registration = this.scope(scope).names.whereis(name);
    if (registration === undefined) throw new NoSuchNameError(name);
    return shownRegistration(registration);
  }

  async lookupStrict(scope: string, name: string, timeoutMs?: number) {
    const { strictNames } = this.scope(scope);
    const holder = await this.#waiting(() => strictNames.lookup(name, { timeoutMs }));
    if (holder === undefined) throw new NoSuchNameError(name);
    return shownHolder(name, holder);
  }

  join(session: Session, scope: string, group: string, meta: unknown): void {
    const { groups } = this.scope(scope);
    session.checkRoom();
    // Once is enough: a client that joins again after a doubt has not to leave twice.
    if (groups.groupsOf(session.process).includes(group)) groups.update(group, session.process, () => meta);
    else groups.join(group, session.process, { meta });
  }

  leave(session: Session, scope: string, group: string): void {
    if (!this.scope(scope).groups.leave(group, session.process)) throw notHeld("membership of group", group);
  }

  publish(scope: string, group: string, { from, message }: Publish): number {
    return this.scope(scope).groups.publish(group, message, this.#from(from));
  }

  send({ from, message, to }: Send): void {
    this.#options.node.send(this.#address(to), message, this.#from(from));
  }

  async call({ from, message, timeoutMs, to }: Call, signal?: AbortSignal): Promise<unknown> {
    const { node } = this.#options;
    const answer = await this.#waiting(() =>
      node.call(this.#address(to), message, { timeoutMs, signal, ...this.#from(from) }),
    );
    return toJson(answer);
  }

  reply(session: Session, reply: Reply): void {
    session.answer(reply.call, "error" in reply ? { error: reply.error } : { result: reply.result });
  }

  monitor(session: Session, target: Target): string {
    session.checkRoom();
    const monitor = this.#options.node.monitor(this.#target(target));
    const id = session.monitorId();
    session.monitors.set(id, monitor);
    void monitor.down.then(({ node, pid, reason }) => {
      if (session.monitors.delete(id))
        session.tell("down", { monitor: id, pid, node, reason: toJson(reason) });
    });
    return id;
  }

  demonitor(session: Session, id: string): void {
    const monitor = session.monitors.get(id);
    if (monitor === undefined)
      throw new ServiceError(
        "NO_SUCH_MONITOR",
        `monitor ${JSON.stringify(id)} has told, was ended, or never was`,
      );
    session.monitors.delete(id);
    monitor.cancel();
  }

  sessionView(session: Session) {
    const { node } = this.#options;
    const { expiresInMs, leases, pid, process, ttlMs } = session;
    const scopes = [...this.#options.scopes.values()];
    return {
      session: session.id,
      pid,
      node: node.id,
      ttlMs,
      expiresInMs: expiresInMs === undefined ? null : Math.ceil(expiresInMs),
      names: scopes.flatMap(({ names }) => names.namesOf(process)),
      strictNames: Array.from(leases, ([key, { token }]) => ({ ...nameOfKey(key), token: token.toString() })),
      groups: scopes.flatMap(({ groups }) => groups.groupsOf(process)),
      waiting: session.inbox.waiting,
    };
  }

  #from(session: string | undefined) {
    if (session === undefined) return {};
    const sender = this.#options.sessions.get(session);
    sender.touch();
    return { from: sender.process };
  }

  #address(to: Send["to"]): Address {
    if ("pid" in to) return to.pid as Pid;
    this.scope(to.scope);
    return to;
  }

  #target(target: Target): MonitorTarget {
    if ("pid" in target) return target.pid as Pid;
    if ("node" in target) return { node: target.node as NodeId };
    this.scope(target.scope);
    return target;
  }

  async #waiting<T>(ask: () => Promise<T>): Promise<T> {
    const { waits } = this.#options.limits;
    if (this.#waits >= waits)
      throw new LimitExceededError("waits", waits, "too many requests wait for the cluster");
    this.#waits += 1;
    try {
      return await ask();
    } finally {
      this.#waits -= 1;
    }
  }
}

function notHeld(what: string, name: string): ServiceError {
  return new ServiceError("NOT_HELD", `the session does not hold ${what} ${JSON.stringify(name)}`);
}
