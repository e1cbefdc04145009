import type { NameEvent, Notice } from "../global/types.ts";
import type { GroupEvent, Member } from "../groups/types.ts";
import type { RollcallError } from "../kernel/errors.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";
import type { Down, NodeEvent, NodeView } from "../monitor/types.ts";
import type { Registration, Resolver } from "../resolve/types.ts";
import type { NodeStats } from "./stats.ts";
import type { StrictNames } from "./strict/types.ts";

/** Bounds a wait. Every method that takes it has a finite default. */
export interface WaitingOptions {
  /** Milliseconds, more than 0 and at most 2,147,483,647. When they have passed: `TimeoutError`. */
  readonly timeoutMs?: number | undefined;
  /** Aborting it ends the wait with its reason. What was under way is withdrawn as far as it can be. */
  readonly signal?: AbortSignal | undefined;
}

/** For iterables that go on until somebody ends them. */
export interface WatchOptions {
  /** Aborting it ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined;
}

/** A process of this node, or the pid of one anywhere. */
export type PidLike = Pid | Process;

/** The holder of a name. */
export interface NameAddress {
  readonly name: string;
  /** One that this node has opened. Default: `default`. */
  readonly scope?: string | undefined;
}

/** The holder of a strict name. */
export interface StrictNameAddress {
  readonly strictName: string;
  /** One that this node has opened. Default: `default`. */
  readonly scope?: string | undefined;
}

/**
 * Whom a message is for. A name stands for its holder at the time of sending, as this node knows it.
 *
 * A strict name is looked up, unless this node has heard of its holder lately; and whether that one still holds it is judged on
 * its node right before the handler runs. If not, a call looks it up anew, and a send is counted as undelivered.
 */
export type Address = Pid | Process | NameAddress | StrictNameAddress;

/** Every member of a group. */
export interface GroupAddress {
  readonly group: string;
  readonly scope?: string | undefined;
}

/** What can be monitored. A name stands for its holder now. */
export type MonitorTarget = Pid | Process | { readonly node: NodeId } | NameAddress;

/**
 * One running member of a cluster.
 *
 * After `stop()` every method throws, or rejects with, `BusClosedError`; only `stop()` itself can be called again. Arguments of
 * the wrong form throw `InvalidArgumentError` before anything happens; so does an option that the method does not know.
 */
export interface ClusterNode extends AsyncDisposable {
  /** `name@incarnation`: fresh at each start. */
  readonly id: NodeId;
  readonly name: string;
  readonly cluster: string;
  /** The names of scope `default`. */
  readonly names: Names;
  /** The strict names of scope `default`. */
  readonly strictNames: StrictNames;
  /** The groups of scope `default`. */
  readonly groups: Groups;

  /**
   * Opens a sub-cluster with tables of its own, which only the nodes that opened it hold. Opening a scope again gives the same
   * one; a `resolve` given then replaces the earlier.
   *
   * @throws TimeoutError after `limits.startMs`, unless `timeoutMs` says otherwise
   * @throws LimitExceededError over `limits.scopes`
   */
  scope(scope: string, options?: ScopeOptions): Promise<Scope>;

  /** The live nodes as this one sees them, itself included. */
  nodes(): readonly NodeView[];

  /** The live nodes first, as a `state` event, then each change. A reader that falls behind gets a `resync`. */
  watchNodes(options?: WatchOptions): WatchIterator<NodeEvent>;

  /**
   * Starts a process. Without a handler it is there to hold names and memberships: a call to it fails.
   *
   * @throws LimitExceededError over `limits.processes`
   */
  spawn(handler?: Handler, options?: SpawnOptions): Process;

  /**
   * Tells, once, when the target dies; at once if it is dead already, or the name has no holder. Like `erlang:monitor/2`, except
   * that what a node was told of an unreachable process is `nodeDown`: the process may live.
   *
   * @throws LimitExceededError over `limits.monitors`
   */
  monitor(target: MonitorTarget): Monitor;

  /**
   * Fire and forget: at most once, in order between one sender and one receiver. A dead or unknown addressee is counted, and not
   * an error.
   *
   * @throws LimitExceededError when the message is over `limits.messageBytes`, or the outbound queue is full (`outboundBytes`):
   *   `flushed()` waits until it is not
   */
  send(to: Address, message: unknown, options?: SendOptions): void;

  /**
   * Sends a message and waits for what the handler returns: a copy of it. Like `GenServer.call`.
   *
   * @throws CallFailedError when the handler threw; its `cause` tells name, message, code, stack and causes of what it threw
   * @throws NoSuchNameError, NoSuchProcessError, NodeDownError at once when the addressee is known to be gone
   * @throws LimitExceededError when the callee's mailbox, the outbound queue or the table of calls (`pendingCalls`) is full
   * @throws TimeoutError after `limits.callMs`, unless `timeoutMs` says otherwise
   */
  call<T = unknown>(to: Address, message: unknown, options?: CallOptions): Promise<T>;

  /**
   * Calls many at once, and waits for all of them. Like `GenServer.multi_call`.
   *
   * @returns what each one answered, and why each of the others did not
   */
  multicall<T = unknown>(
    to: GroupAddress | readonly Address[],
    message: unknown,
    options?: CallOptions,
  ): Promise<MulticallResult<T>>;

  /**
   * Resolves when every node that is up has applied what this one has written so far.
   *
   * @throws TimeoutError after `limits.registerMs`; its `lagging` lists the nodes that have not
   */
  settled(options?: WaitingOptions): Promise<void>;

  /**
   * Resolves when the bus has taken everything sent so far: the way to wait when the outbound queue is full.
   *
   * @throws TimeoutError after `limits.callMs`, unless `timeoutMs` says otherwise
   */
  flushed(options?: WaitingOptions): Promise<void>;

  /** Counts since the start, and sizes now: plain data. */
  stats(): NodeStats;

  /**
   * Leaves in good order: refuses joins and registrations of its processes, also those asked for by other nodes; tells the
   * processes (`draining`); hands its part in granting names to the others; waits until they have taken note, the mailboxes are
   * empty, and no handler and no `onNotice` runs; and stops. All else goes on until then: messages and calls, `spawn`, `scope`,
   * registering processes of other nodes.
   *
   * Names do not move by themselves: give them away when `onNotice` is told `draining`, by `names.transfer` in the promise that
   * it returns; else they are free when the node has stopped. A handler that awaits `drain()` waits for itself, until the deadline.
   */
  drain(options?: DrainOptions): Promise<void>;

  /**
   * Ends the processes (`shutdown`), of which the others hear in one hop, hands over what this node decides for others (for 1 s
   * at most), says goodbye, and closes the bus connection. Idempotent.
   */
  stop(): Promise<void>;

  /** Resolves when the node has stopped, for whatever reason. Never rejects. */
  readonly closed: Promise<NodeClosed>;
}

export interface NodeClosed {
  readonly kind: "stopped" | "duplicateNode" | "busClosed" | "unauthorized";
  readonly error?: RollcallError;
}

export interface ScopeOptions extends WaitingOptions {
  /** Decides the name clashes of this scope. Default: that of the node. */
  readonly resolve?: Resolver | undefined;
}

export interface Scope {
  readonly scope: string;
  readonly names: Names;
  readonly strictNames: StrictNames;
  readonly groups: Groups;
}

export interface DrainOptions {
  /** How long to wait for mailboxes and peers. Default: `limits.drainMs`. */
  readonly deadlineMs?: number | undefined;
}

export interface SendOptions {
  /** The process of this node that says it: the receiver's `context.from`. */
  readonly from?: PidLike | undefined;
}

export interface CallOptions extends WaitingOptions, SendOptions {}

export interface MulticallResult<T> {
  readonly replies: readonly { readonly pid: Pid; readonly value: T }[];
  readonly failures: readonly { readonly to: Address; readonly error: unknown }[];
}

/**
 * What a process does with a message. What it returns, or the promise it returns resolves with, answers a call; a throw rejects
 * the call with `CallFailedError`.
 *
 * The message is a copy that nobody else sees changed: plain objects and arrays in it are frozen, for several members of a
 * group may be given the same; a Map, a Set, bytes and whatever else JavaScript cannot freeze are this handler's own.
 */
export type Handler = (message: unknown, context: HandlerContext) => unknown;

export interface HandlerContext {
  readonly self: Process;
  /** Who sent it, if it said so. */
  readonly from?: Pid | undefined;
  /** The fencing token of the lease, for a message that was sent to a strict name, which the process held when this began. */
  readonly token?: bigint | undefined;
  /** Whether somebody waits for what the handler returns: `handle_call` as against `handle_cast` of a `GenServer`. */
  readonly isCall: boolean;
  /** How many messages were dropped between the last one and this, because the mailbox was full. */
  readonly missed: number;
  /** Aborted when the process ends. */
  readonly signal: AbortSignal;
}

export interface SpawnOptions {
  /** How many messages it handles at once: 1 (the default) to 1,000,000. More than one gives up their order. */
  readonly concurrency?: number | undefined;
  /** How many messages may wait, 1 to 10,000,000; later ones are dropped and counted, calls rejected. Default: `limits.mailbox`. */
  readonly mailbox?: number | undefined;
  /** What a throw of the handler does: `continue` (the default), or `exit`, with reason `error`. */
  readonly onError?: "continue" | "exit" | undefined;
  /** Told when the process loses a name, and when the node drains, which waits for a promise that it returns. */
  readonly onNotice?: ((notice: Notice, context: { readonly self: Process }) => void) | undefined;
}

/** Something with a mailbox, on this node, that can die. Disposing of it ends it (`normal`). */
export interface Process extends AsyncDisposable {
  readonly pid: Pid;
  /** Aborted when the process ends. */
  readonly signal: AbortSignal;
  /** Resolves with the reason when the process ends. Never rejects. */
  readonly exited: Promise<ExitReason>;
  /**
   * Ends the process: its names and memberships are gone from this node when it returns, its monitors fire, calls that wait for
   * it are rejected (`NoSuchProcessError`), that of a handler which ends its own process included. Does nothing when it has ended already. Default reason: `normal`.
   */
  exit(reason?: ExitReason): void;
}

/** A watch on a process or node. The node's own stop leaves it pending. */
export interface Monitor {
  /** Never rejects. */
  readonly down: Promise<Down>;
  /** Ends the watch. False if it has fired, or was cancelled. */
  cancel(): boolean;
}

/** An iteration that can be ended: by `return()`, as leaving a `for await` does, or by disposing of it. */
export interface WatchIterator<T> extends AsyncIterableIterator<T>, AsyncDisposable {
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorResult<T, undefined>>;
  [Symbol.asyncIterator](): WatchIterator<T>;
}

export interface RegisterOptions extends WaitingOptions {
  /** Any value, over `limits.metadataBytes` not. Default: undefined. */
  readonly meta?: unknown;
}

export interface ResolvedRegisterOptions extends RegisterOptions {
  /** Decides clashes of this registration, instead of the scope's. For processes of this node only. */
  readonly resolve?: Resolver | undefined;
}

/**
 * One name, one process, over the whole scope: `:global`, as far as it stays available in a partition. Each node holds all of it.
 * Waits time out after `limits.registerMs`, unless `timeoutMs` says otherwise.
 *
 * Whatever goes by a name that is held already (`update`, `transfer`, `unregister`, `whereis`, an address `{ name }`) goes by what
 * this node knows, and news takes a moment. Right after another node has registered a name it may be unknown here. It is known
 * after that node's `settled()`, after `waitFor` here, and to whoever is told by a message of the process's own node: messages
 * do not overtake what their node wrote.
 */
export interface Names {
  /**
   * Registers a name for a live process, anywhere. For the pid that holds it already it sets the metadata.
   *
   * @throws NameTakenError when a live process holds it
   * @throws NoSuchProcessError when the process is dead, NodeDownError when its node is, or is leaving
   * @throws LimitExceededError over `limits.metadataBytes` or `limits.namesPerNode`
   * @throws NotLocalError when `resolve` is given for a process of another node
   */
  register(name: string, pid: PidLike, options?: ResolvedRegisterOptions): Promise<Registration>;
  /** Takes the name over from whoever holds it, who lives on and is told (`nameTakenOver`). Like `global:re_register_name`. */
  reregister(name: string, pid: PidLike, options?: ResolvedRegisterOptions): Promise<Registration>;
  /**
   * Computes new metadata from the present, and sets it if nobody has set it meanwhile; else computes again.
   *
   * @param change pure, for it may run several times; a throw rejects, and changes nothing
   * @throws NoSuchNameError when nobody holds it, as far as this node knows
   * @throws NodeDownError when the holder's node is lost meanwhile
   */
  update(name: string, change: (meta: unknown) => unknown, options?: WaitingOptions): Promise<Registration>;
  /**
   * Gives the name to another process, without a moment in which nobody holds it. The metadata goes with it.
   *
   * @throws NoSuchNameError when nobody holds it, as far as this node knows
   * @throws NoSuchProcessError when the new holder is dead, NodeDownError when its node is, or is leaving
   */
  transfer(name: string, to: PidLike, options?: WaitingOptions): Promise<Registration>;
  /**
   * Frees the name; any node may. With `pid`: only if it is still that one's. False: there was nothing to free, as far as this
   * node knows.
   */
  unregister(name: string, options?: UnregisterOptions): Promise<boolean>;
  /** The holder, as this node knows it. */
  whereis(name: string): Registration | undefined;
  /** The holder, as soon as there is one. */
  waitFor(name: string, options?: WaitingOptions): Promise<Registration>;
  /** All registrations, as they were when it was called. */
  list(): IterableIterator<Registration>;
  count(options?: { readonly node?: NodeId | undefined }): number;
  namesOf(pid: PidLike): readonly string[];
  /** The registrations first, as a `state` event, then each change. A reader that falls behind gets a `resync`. */
  watch(name?: string, options?: WatchOptions): WatchIterator<NameEvent>;
}

export interface UnregisterOptions extends WaitingOptions {
  readonly pid?: PidLike | undefined;
}

/** How `pick` chooses a member. `hash`: the same key gives the same member for as long as that one is there. */
export type PickStrategy = "nearest" | "random" | "roundRobin" | { readonly hash: string };

/** One group, many processes, over the whole scope: `pg`. Each node holds all of it, and writes its own processes only. */
export interface Groups {
  /**
   * Adds processes of this node, at once. One that is in the group already joins once more, and must leave as often.
   *
   * @throws NotLocalError, NoSuchProcessError; then none has joined
   */
  join(group: string, pid: PidLike | readonly PidLike[], options?: { readonly meta?: unknown }): void;
  /** False when none of them was in the group. */
  leave(group: string, pid: PidLike | readonly PidLike[]): boolean;
  /** Sets the metadata of a member of this node to what `change` makes of the present one. */
  update(group: string, pid: PidLike, change: (meta: unknown) => unknown): void;
  members(group: string): readonly Member[];
  localMembers(group: string): readonly Member[];
  /** The groups that have members. */
  list(): readonly string[];
  groupsOf(pid: PidLike): readonly string[];
  count(group: string, options?: { readonly node?: NodeId | undefined }): number;
  /** One member, or undefined when there is none. `nearest` (the default): one of this node if there is one, else any. */
  pick(group: string, strategy?: PickStrategy): Member | undefined;
  /**
   * Sends a message to every member: at most once, in order between one sender and one receiver.
   *
   * @returns how many members it was sent to, as this node knows them
   * @throws LimitExceededError as `send` does; then nobody gets it
   */
  publish(group: string, message: unknown, options?: PublishOptions): number;
  /** The members first, as a `state` event, then each change. A reader that falls behind gets a `resync`. */
  watch(group?: string, options?: WatchOptions): WatchIterator<GroupEvent>;
}

export interface PublishOptions extends SendOptions {
  /** A member that does not get it. */
  readonly except?: PidLike | undefined;
  /** Only the members on this node, or on that one. */
  readonly only?: "local" | NodeId | undefined;
}
