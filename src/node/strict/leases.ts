import {
  IndeterminateError,
  LeaseLostError,
  LimitExceededError,
  NameTakenError,
  NoQuorumError,
  type RollcallError,
  TimeoutError,
} from "../../kernel/errors.ts";
import { isNodeId, type NodeId, type Pid } from "../../kernel/ids.ts";
import { MalformedError } from "../../kernel/malformed.ts";
import { MAX_COMMANDS, MAX_TOKEN } from "../../lease/limits.ts";
import type { LeaseStore } from "../../lease/port.ts";
import type { Refusal } from "../../lease/quorum/types.ts";
import type { Vote } from "../../lease/requests.ts";
import type { NodeCore } from "../core.ts";
import type { Deadlines } from "../deadlines.ts";
import { STATE } from "../frame.ts";
import type { LogLimiter } from "../log-limiter.ts";
import type { LocalProcess } from "../process.ts";
import { clusterMessages } from "../protocol.ts";
import { type WaitOptions, wordsFor } from "../waits.ts";
import { type CommandTable, LookupCommand, RegisterCommand, type Registering } from "./commands.ts";
import { LeaseDriver, type TellingEffect } from "./driver.ts";
import { encodeHolder, makeHolder, readHolder } from "./holder.ts";
import { keyOf, nameOfKey } from "./key.ts";
import { type HolderChange, KnownHolders } from "./known-holders.ts";
import { HeldLease, type LeaseHost } from "./lease.ts";
import type { LeaseStats } from "./lease-stats.ts";
import { ASKED_AT_ONCE, BACKSTOP_MS, QUESTIONS_KEPT, RELEASE_MS } from "./limits.ts";
import type { LeaseMessage } from "./messages.ts";
import type { StrictHolder } from "./types.ts";

export interface LeasesOptions {
  readonly core: NodeCore;
  readonly store: LeaseStore;
  readonly deadlines: Deadlines;
  readonly log: LogLimiter;
  onChange(scope: string, change: HolderChange): void;
}

/** The leases of one node: those that its processes hold, and what is under way about others. */
export class Leases implements LeaseHost, CommandTable {
  readonly known: KnownHolders;
  readonly #options: LeasesOptions;
  readonly #driver: LeaseDriver;
  readonly #registering = new Map<number, RegisterCommand>();
  readonly #askedFor = new Map<Pid, Set<RegisterCommand>>();
  readonly #lookups = new Map<number, LookupCommand>();
  /** Who waits until a release is through. */
  readonly #releasing = new Map<number, () => void>();
  readonly #held = new Map<string, HeldLease>();
  readonly #byPid = new Map<Pid, Set<HeldLease>>();
  /** Who was asked what. */
  readonly #questions = new Map<number, NodeId>();
  #waiters = 0;
  /** Those of them that the machine is to be told of when others are through. */
  readonly #queue = new Set<RegisterCommand>();
  /** Those that it was told of, but for those that stand in line. */
  #asking = 0;
  /** Many end together, and those behind them are about to: no turn is given away. */
  #isAbandoning = false;
  #lastCommand = 0;
  /** Lost, and not told of. */
  #lost: HeldLease[] = [];
  #closing: Promise<void> | undefined;
  readonly counts = { granted: 0, lost: 0, released: 0, noQuorum: 0, warnings: 0 };

  constructor(options: LeasesOptions) {
    const { core, log, store } = options;
    this.#options = options;
    this.known = new KnownHolders(options.onChange);
    this.#driver = new LeaseDriver({
      self: core.self,
      store,
      clock: core.clock,
      random: core.random.fork("leases"),
      carryOut: (effect) => this.#carryOut(effect),
      afterwards: (run) => core.pump.afterwards(run),
      onWarning: (server, message) => {
        this.counts.warnings += 1;
        core.logger.warn({ server, warning: message }, "a lease server warns");
      },
      onBug: (error, input) => {
        core.counts.bugs += 1;
        log.error({ error, input: input.kind }, "a rule of this library was broken; please report it");
      },
    });
  }

  get waits(): NodeCore["waits"] {
    return this.#options.core.waits;
  }

  get settings(): LeaseStore["settings"] {
    return this.#options.store.settings;
  }

  open(): void {
    this.#driver.open();
  }

  /** @throws LimitExceededError, the signal's reason, BusClosedError */
  async register(request: Registering, wait: WaitOptions): Promise<HeldLease> {
    const { isWaiting, name, scope } = request;
    this.#checkRoom(isWaiting, wait);
    const key = keyOf(scope, name);
    const id = this.#nextCommand();
    const command = new RegisterCommand(this, id, key, wait, request);
    this.#registering.set(id, command);
    addTo(this.#askedFor, request.process.pid, command);
    if (isWaiting) this.#waiters += 1;
    if (isWaiting || (this.#queue.size === 0 && this.#asking < ASKED_AT_ONCE)) this.#begin(command);
    else this.#queue.add(command);
    return command.promise;
  }

  /** @throws LimitExceededError, the signal's reason, BusClosedError */
  async lookup(key: string, wait: WaitOptions): Promise<StrictHolder | undefined> {
    this.#checkCommands(wait);
    const id = this.#nextCommand();
    const command = new LookupCommand(this, id, key, wait);
    this.#lookups.set(id, command);
    this.#driver.feed({ kind: "lookup", command: id, name: key, timeoutMs: wait.timeoutMs });
    return command.promise;
  }

  /** The token by which a process holds a name now. */
  tokenOf(process: LocalProcess, key: string): bigint | undefined {
    const lease = this.#held.get(key);
    return lease?.pid === process.pid && lease.isHeld() ? lease.token : undefined;
  }

  isHeldHere(key: string): boolean {
    return this.#held.get(key)?.isHeld() === true;
  }

  /** Before a handler runs: whatever was lost while the event loop stood still is told first. */
  beforeHandler(): void {
    this.#driver.look();
  }

  remainingMs(key: string, claim: number): number {
    return this.#driver.remainingMs(key, claim);
  }

  look(): void {
    this.#driver.feed({ kind: "tick" });
  }

  release(lease: HeldLease): Promise<void> {
    return this.#release([lease], "the lease was released");
  }

  /** What it held is free at once, and what it was to be given is not asked for any more. */
  processExited(pid: Pid): void {
    this.#abandon([...(this.#askedFor.get(pid) ?? [])]);
    const leases = this.#byPid.get(pid);
    if (leases !== undefined) void this.#release([...leases], `process ${pid} has ended`);
  }

  /** Takes no more names. */
  refuseAll(error: RollcallError): void {
    this.#abandon([...this.#registering.values()], error);
  }

  /** Gives back everything, by as few requests as possible; resolves when that is through, or after `RELEASE_MS`. */
  async releaseAll(error: RollcallError): Promise<void> {
    this.refuseAll(error);
    const leases = [...this.#held.values()];
    if (leases.length === 0) return;
    const released = this.#release(leases, "the node was stopped");
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.core.clock.after(RELEASE_MS, resolve);
    });
    await Promise.race([released, late]);
    cancel();
  }

  /** Idempotent. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Another node, which is up, says this. */
  receive(from: NodeId, message: LeaseMessage): void {
    switch (message.kind) {
      case "leaseAsk": {
        const { claim, name, question, scope, token } = message;
        const holds = this.#driver.holds({ name: keyOf(scope, name), claim, token });
        this.#send(from, { kind: "leaseAnswer", question, holds });
        return;
      }
      case "leaseAnswer":
        if (this.#questions.get(message.question) !== from) {
          this.#options.core.counts.messages.unasked += 1;
          return;
        }
        this.#questions.delete(message.question);
        this.#driver.feed({ kind: "answer", question: message.question, holds: message.holds });
        return;
      case "leaseTurn":
        this.#driver.feed({ kind: "yourTurn", name: keyOf(message.scope, message.name) });
        return;
    }
  }

  stats(): LeaseStats {
    const { reached, needed } = this.#driver.quorum();
    return {
      servers: this.#options.store.servers.length,
      reached,
      needed,
      held: this.#held.size,
      registering: this.#registering.size,
      waiting: this.#waiters,
      lookups: this.#lookups.size,
      requests: this.#driver.requests,
      ...this.counts,
    };
  }

  overdue(wait: WaitOptions): Error {
    const quorum = this.#driver.quorum();
    if (quorum.reached >= quorum.needed) return new TimeoutError(wordsFor(wait), wait.timeoutMs);
    this.counts.noQuorum += 1;
    return new NoQuorumError(wordsFor(wait), this.#options.store.servers.length, quorum);
  }

  forget(command: number): void {
    this.#lookups.delete(command);
    const registering = this.#registering.get(command);
    if (registering === undefined) return;
    if (registering.of.isWaiting) this.#waiters -= 1;
    this.#registering.delete(command);
    removeFrom(this.#askedFor, registering.of.process.pid, registering);
    this.#queue.delete(registering);
    if (!registering.hasBegun || registering.of.isWaiting) return;
    this.#asking -= 1;
    this.#beginNext();
  }

  withdraw(command: number): void {
    // The machine has not heard of it.
    if (this.#registering.get(command)?.hasBegun === false) return;
    this.#driver.feed({ kind: "cancel", command });
  }

  #begin(command: RegisterCommand): void {
    const { id, key } = command;
    const { isWaiting, meta, process } = command.of;
    command.hasBegun = true;
    if (!isWaiting) this.#asking += 1;
    const value = encodeHolder(process.pid, meta);
    const timeoutMs = Math.max(0, command.dueAtMs - BACKSTOP_MS - this.#options.core.clock.now().monotonicMs);
    this.#driver.feed({ kind: "acquire", command: id, name: key, value, wait: isWaiting, timeoutMs });
  }

  #abandon(commands: readonly RegisterCommand[], error?: RollcallError): void {
    this.#isAbandoning = true;
    for (const command of commands) command.abandon(error);
    this.#isAbandoning = false;
    this.#beginNext();
  }

  #beginNext(): void {
    if (this.#isAbandoning) return;
    for (const next of this.#queue) {
      if (this.#asking >= ASKED_AT_ONCE) return;
      this.#queue.delete(next);
      this.#begin(next);
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#driver.close();
    } catch (error) {
      this.#options.core.logger.warn({ error }, "closing the connections to the lease servers failed");
    }
    for (const done of this.#releasing.values()) done();
    this.#releasing.clear();
  }

  #carryOut(effect: TellingEffect): void {
    switch (effect.kind) {
      case "granted":
        this.#granted(effect);
        return;
      case "refused":
        this.#refused(effect.command, effect.refusal);
        return;
      case "found":
        this.#found(effect.command, effect.holder);
        return;
      case "lost":
        this.#leaseLost(effect.name, effect.claim);
        return;
      case "released":
        this.#releasing.get(effect.command)?.();
        this.#releasing.delete(effect.command);
        return;
      case "ask":
        this.#ask(effect);
        return;
      case "passOn":
        if (isNodeId(effect.owner))
          this.#send(effect.owner, { kind: "leaseTurn", ...nameOfKey(effect.name) });
        return;
    }
  }

  #granted({ claim, command, name: key, token }: Extract<TellingEffect, { kind: "granted" }>): void {
    const asked = this.#registering.get(command);
    if (asked?.of.process.alive !== true) {
      asked?.abandon();
      this.#driver.feed({ kind: "release", command: this.#nextCommand(), name: key, claim });
      return;
    }
    const { meta, name, onLost, process, scope } = asked.of;
    const { pid } = process;
    const lease = new HeldLease({
      ...{ host: this, key, scope, name, pid, claim, token: BigInt(token), onLost },
    });
    this.counts.granted += 1;
    this.#held.set(key, lease);
    addTo(this.#byPid, pid, lease);
    this.#heard(key, makeHolder(pid, token, meta));
    asked.resolve(lease);
  }

  #refused(command: number, refusal: Refusal): void {
    const asked = this.#registering.get(command) ?? this.#lookups.get(command);
    if (refusal.kind === "noQuorum") this.counts.noQuorum += 1;
    const pid = asked instanceof RegisterCommand ? asked.of.process.pid : undefined;
    asked?.reject(this.#errorOf(asked.key, asked.options, refusal, pid));
  }

  #errorOf(key: string, wait: WaitOptions, refusal: Refusal, asker: Pid | undefined): Error {
    const { name } = nameOfKey(key);
    switch (refusal.kind) {
      case "taken":
        return this.#takenBy(key, refusal.vote, asker);
      case "noQuorum":
        return new NoQuorumError(wordsFor(wait), this.#options.store.servers.length, refusal);
      case "indeterminate":
        return new IndeterminateError(name);
      case "timeout":
        return new TimeoutError(wordsFor(wait), wait.timeoutMs);
      case "exhausted":
        return new LimitExceededError("token", MAX_TOKEN, `${wordsFor(wait)}: there is no higher token`);
    }
  }

  #takenBy(key: string, vote: Vote, asker: Pid | undefined): Error {
    const { name } = nameOfKey(key);
    const holder = this.#read(key, vote);
    if (holder instanceof Error) return holder;
    this.#heard(key, holder);
    // In line it would wait for itself.
    const isOwn = holder.pid === asker;
    const remedy = isOwn
      ? "that is the process that asks: it holds it already"
      : "set `wait` to stand in line for it";
    return new NameTakenError(name, holder.pid, remedy);
  }

  #found(command: number, vote: Vote | undefined): void {
    const asked = this.#lookups.get(command);
    if (asked === undefined) return;
    if (vote === undefined) {
      if (!this.#held.has(asked.key)) this.known.free(asked.key);
      asked.resolve(undefined);
      return;
    }
    const holder = this.#read(asked.key, vote);
    if (holder instanceof Error) {
      asked.reject(holder);
      return;
    }
    this.#heard(asked.key, holder);
    asked.resolve(holder);
  }

  #read(key: string, vote: Vote): StrictHolder | IndeterminateError {
    try {
      return readHolder(vote);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#options.core.counts.messages.malformed += 1;
      return new IndeterminateError(nameOfKey(key).name, { cause: error });
    }
  }

  #heard(key: string, holder: StrictHolder): void {
    const isHeldHere = this.#held.get(key)?.token === holder.token;
    this.known.heard(key, holder, this.#options.core.clock.now().monotonicMs, isHeldHere);
  }

  #leaseLost(key: string, claim: number): void {
    const lease = this.#held.get(key);
    if (lease?.claim !== claim) return;
    this.#drop(lease);
    this.counts.lost += 1;
    if (this.#lost.push(lease) === 1) this.#driver.afterwards(() => this.#tellLost());
  }

  /** All signals first: when the first process ends, or is told, nobody may count on any of these any more. */
  #tellLost(): void {
    const { core, log } = this.#options;
    const lost = this.#lost;
    this.#lost = [];
    log.warn({ names: lost.slice(0, 10).map(({ name }) => name), lost: lost.length }, "leases were lost");
    for (const lease of lost) lease.announceEnd(new LeaseLostError(lease.name, lease.token));
    for (const { name, onLost, pid, scope } of lost) {
      const process = core.processes.find(pid);
      if (onLost === "exit") process?.exit({ kind: "leaseLost", name });
      else process?.notify({ kind: "leaseLost", name, scope });
    }
  }

  #drop(lease: HeldLease): void {
    lease.end();
    if (this.#held.get(lease.key) === lease) this.#held.delete(lease.key);
    removeFrom(this.#byPid, lease.pid, lease);
    this.known.free(lease.key, lease.token);
  }

  #release(leases: readonly HeldLease[], why: string): Promise<void> {
    for (const lease of leases) this.#drop(lease);
    this.counts.released += leases.length;
    this.#driver.afterwards(() => {
      const reason = new DOMException(why, "AbortError");
      for (const lease of leases) lease.announceEnd(reason);
    });
    const command = this.#nextCommand();
    return new Promise((resolve) => {
      this.#releasing.set(command, resolve);
      const claims = leases.map(({ claim, key }) => ({ name: key, claim }));
      this.#driver.feed({ kind: "releaseAll", command, claims });
      if (this.#closing !== undefined) resolve();
    });
  }

  #ask({ claim, name: key, owner, question, token }: Extract<TellingEffect, { kind: "ask" }>): void {
    if (!isNodeId(owner) || !this.#options.core.machine.isUp(owner)) return;
    this.#questions.set(question, owner);
    for (const oldest of this.#questions.keys()) {
      if (this.#questions.size <= QUESTIONS_KEPT) break;
      this.#questions.delete(oldest);
    }
    this.#send(owner, { kind: "leaseAsk", question, ...nameOfKey(key), claim, token });
  }

  #send(to: NodeId, message: LeaseMessage): void {
    const { machine, outbox } = this.#options.core;
    if (machine.isUp(to)) outbox.sendTo(to, STATE, clusterMessages.encode(message));
  }

  #checkRoom(isWaiting: boolean, wait: WaitOptions): void {
    const { leases, leaseWaiters } = this.#options.core.limits;
    this.#checkCommands(wait);
    if (this.#held.size + this.#registering.size >= leases) {
      const what = `${wordsFor(wait)}: this node holds, or asks for, as many names as it may`;
      throw new LimitExceededError("leases", leases, what);
    }
    if (isWaiting && this.#waiters >= leaseWaiters) {
      const what = `${wordsFor(wait)}: as many as may wait for names already`;
      throw new LimitExceededError("leaseWaiters", leaseWaiters, what);
    }
  }

  #checkCommands(wait: WaitOptions): void {
    this.waits.checkRoom(wait);
    if (this.#registering.size + this.#lookups.size < MAX_COMMANDS) return;
    throw new LimitExceededError("pendingRequests", MAX_COMMANDS, `${wordsFor(wait)}: too many ask at once`);
  }

  #nextCommand(): number {
    this.#lastCommand += 1;
    return this.#lastCommand;
  }
}

function addTo<T>(sets: Map<Pid, Set<T>>, pid: Pid, item: T): void {
  const known = sets.get(pid);
  if (known === undefined) sets.set(pid, new Set([item]));
  else known.add(item);
}

function removeFrom<T>(sets: Map<Pid, Set<T>>, pid: Pid, item: T): void {
  const known = sets.get(pid);
  known?.delete(item);
  if (known?.size === 0) sets.delete(pid);
}
