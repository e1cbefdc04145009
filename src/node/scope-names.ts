import type { NameEvent } from "../global/types.ts";
import { NoSuchNameError, NotLocalError } from "../kernel/errors.ts";
import { checkNodeId, type NodeId, type Pid } from "../kernel/ids.ts";
import { checkText } from "../kernel/text.ts";
import { Value } from "../kernel/value.ts";
import type { Registration } from "../resolve/types.ts";
import { checkFunction, checkSignal, toPid, waiting } from "./arguments.ts";
import type { NodeCore } from "./core.ts";
import { checkOptions } from "./known-options.ts";
import type { NameReader, ResolverRef } from "./machine-types.ts";
import { expectFlag, expectRegistration } from "./requests.ts";
import type {
  Names,
  PidLike,
  ResolvedRegisterOptions,
  UnregisterOptions,
  WaitingOptions,
  WatchIterator,
  WatchOptions,
} from "./types.ts";
import { Wait, type WaitOptions, wordsFor } from "./waits.ts";
import { type Watcher, WatchHub } from "./watch-hub.ts";

/** The names of one scope, for users: it checks what they give, asks the machine, and waits. */
export class ScopeNames implements Names {
  readonly #core: NodeCore;
  readonly #scope: string;
  readonly #reader: NameReader;
  /** Those who watch: the effects of the machine go here. */
  readonly hub: WatchHub<NameEvent>;

  constructor(core: NodeCore, scope: string, reader: NameReader, onInterest: (watched: boolean) => void) {
    this.#core = core;
    this.#scope = scope;
    this.#reader = reader;
    this.hub = new WatchHub<NameEvent>({
      quota: core.watchQuota,
      watchQueue: core.limits.watchQueue,
      snapshot: (kind, name) => ({ kind, registrations: this.#registrations(name) }),
      onInterest,
    });
  }

  async register(name: string, pid: PidLike, options?: ResolvedRegisterOptions): Promise<Registration> {
    return this.#register(name, pid, options, false);
  }

  async reregister(name: string, pid: PidLike, options?: ResolvedRegisterOptions): Promise<Registration> {
    return this.#register(name, pid, options, true);
  }

  async update(
    name: string,
    change: (meta: unknown) => unknown,
    options?: WaitingOptions,
  ): Promise<Registration> {
    const { clock, requests } = this.#core;
    this.#core.checkOpen();
    checkText(name, "name");
    checkFunction(change, "change", "a function from the present metadata to the new");
    const wait = this.#waiting("update", name, checkOptions(options, "update"));
    const endsAtMs = clock.now().monotonicMs + wait.timeoutMs;
    let current = this.#reader.whereis(name);
    // It ends: each conflict means that somebody else has written, and the time is bounded.
    for (;;) {
      if (current === undefined) throw new NoSuchNameError(name);
      const meta = this.#encodeMeta(change(current.meta));
      const { revision } = current;
      const timeoutMs = Math.max(1, endsAtMs - clock.now().monotonicMs);
      const answer = await requests.ask({ ...wait, timeoutMs }, (request) => ({
        kind: "updateName",
        request,
        scope: this.#scope,
        name,
        revision,
        meta,
      }));
      if (answer.kind !== "conflict") return expectRegistration(answer);
      current = answer.registration;
    }
  }

  async transfer(name: string, to: PidLike, options?: WaitingOptions): Promise<Registration> {
    this.#core.checkOpen();
    checkText(name, "name");
    const pid = toPid(to, "to");
    if (this.#core.processes.isLocal(pid)) this.#core.checkTakesWork();
    const wait = this.#waiting("transfer", name, checkOptions(options, "transfer"));
    const scope = this.#scope;
    const answer = await this.#core.requests.ask(wait, (request) => ({
      kind: "transfer",
      request,
      scope,
      name,
      to: pid,
    }));
    return expectRegistration(answer);
  }

  async unregister(name: string, options?: UnregisterOptions): Promise<boolean> {
    this.#core.checkOpen();
    checkText(name, "name");
    const given = checkOptions(options, "unregister")?.pid;
    const pid = given === undefined ? undefined : toPid(given);
    const wait = this.#waiting("unregister", name, options);
    const scope = this.#scope;
    return expectFlag(
      await this.#core.requests.ask(wait, (request) => ({ kind: "unregister", request, scope, name, pid })),
    );
  }

  whereis(name: string): Registration | undefined {
    this.#core.checkOpen();
    return this.#reader.whereis(checkText(name, "name"));
  }

  async waitFor(name: string, options?: WaitingOptions): Promise<Registration> {
    this.#core.checkOpen();
    checkText(name, "name");
    const wait = this.#waiting("waitFor", name, checkOptions(options, "waitFor"));
    wait.signal?.throwIfAborted();
    const present = this.#reader.whereis(name);
    if (present !== undefined) return present;
    return this.hub.add(name, () => new NameWait(this.#core, this.hub, name, wait)).promise;
  }

  list(): IterableIterator<Registration> {
    this.#core.checkOpen();
    return [...this.#reader.list()].values();
  }

  count(options?: { readonly node?: NodeId | undefined }): number {
    this.#core.checkOpen();
    const node = checkOptions(options, "count")?.node;
    return this.#reader.count(node === undefined ? undefined : checkNodeId(node));
  }

  namesOf(pid: PidLike): readonly string[] {
    this.#core.checkOpen();
    return [...this.#reader.namesOf(toPid(pid))];
  }

  watch(name?: string, options?: WatchOptions): WatchIterator<NameEvent> {
    this.#core.checkOpen();
    const signal = checkSignal(checkOptions(options, "watch")?.signal);
    return this.hub.open(name === undefined ? undefined : checkText(name, "name"), signal);
  }

  async #register(
    name: string,
    target: PidLike,
    options: ResolvedRegisterOptions | undefined,
    takeover: boolean,
  ): Promise<Registration> {
    const { pump, requests, resolvers } = this.#core;
    this.#core.checkOpen();
    checkText(name, "name");
    const pid = toPid(target);
    if (this.#core.processes.isLocal(pid)) this.#core.checkTakesWork();
    const method = takeover ? "reregister" : "register";
    const meta = this.#encodeMeta(checkOptions(options, method)?.meta);
    const wait = this.#waiting(method, name, options);
    const resolver = this.#addResolver(options, pid, wait);
    const scope = this.#scope;
    try {
      const answer = await requests.ask(wait, (request) => ({
        kind: "register",
        request,
        scope,
        name,
        pid,
        meta,
        takeover,
        resolver,
      }));
      return expectRegistration(answer);
    } catch (error) {
      // If the machine should know it still, the default decides in its place.
      pump.afterwards(() => resolvers.forget(resolver));
      throw error;
    }
  }

  #addResolver(options: ResolvedRegisterOptions | undefined, pid: Pid, wait: WaitOptions): ResolverRef {
    const resolve = options?.resolve;
    if (resolve === undefined) return 0;
    checkFunction(resolve, "resolve", "a function from a clash to a verdict");
    // A function cannot travel to the node that would have to run it.
    if (!this.#core.processes.isLocal(pid)) throw new NotLocalError(pid, `${wordsFor(wait)} with a resolver`);
    return this.#core.resolvers.add(resolve);
  }

  #encodeMeta(meta: unknown): Value {
    return Value.encode(meta, this.#core.metadata, "meta");
  }

  #waiting(operation: string, name: string, options: WaitingOptions | undefined): WaitOptions {
    return waiting(operation, options, this.#core.limits.registerMs, name);
  }

  #registrations(name: string | undefined): readonly Registration[] {
    if (name === undefined) return [...this.#reader.list()];
    const registration = this.#reader.whereis(name);
    return registration === undefined ? [] : [registration];
  }
}

/** Waits until a name has a holder. */
class NameWait extends Wait<Registration> implements Watcher<NameEvent> {
  readonly #hub: WatchHub<NameEvent>;
  readonly #name: string;

  constructor(core: NodeCore, hub: WatchHub<NameEvent>, name: string, options: WaitOptions) {
    super(core.waits, options);
    this.#hub = hub;
    this.#name = name;
  }

  push(event: NameEvent): void {
    if (event.kind === "registered" || event.kind === "updated") this.resolve(event.registration);
  }

  /** The stop of the node ends it as a wait. */
  end(): void {}

  protected override forget(): void {
    this.#hub.remove(this, this.#name);
  }
}
