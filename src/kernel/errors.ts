import type { NodeId, Pid } from "./ids.ts";
import { quote } from "./quote.ts";

/**
 * The base of every error this library throws or rejects with. `code` is stable across versions; the message is not.
 * There is one class for each thing a caller can do differently.
 */
export abstract class RollcallError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The name has a live holder. Use `reregister` to take it over, or wait for it to go. */
export class NameTakenError extends RollcallError {
  readonly code = "NAME_TAKEN";

  constructor(
    readonly takenName: string,
    readonly holder: Pid,
    remedy = "use reregister to take it over",
  ) {
    super(`name ${quote(takenName)} is held by ${holder}; ${remedy}`);
  }
}

/** Strict names need lease servers, and `startNode` was given none. */
export class NoLeasesError extends RollcallError {
  readonly code = "NO_LEASES";

  constructor() {
    super(
      "strict names need lease servers: give startNode `leases`, such as redisLeases() of rollcall/redis",
    );
  }
}

/** Too few lease servers take part: nothing was registered, and nothing is known. Try again when they are back. */
export class NoQuorumError extends RollcallError {
  readonly code = "NO_QUORUM";
  /** How many take part. */
  readonly reached: number;
  readonly needed: number;
  /** How many answer and keep out for now, because they were started, wiped, or left alone by all nodes. */
  readonly keptOut: number;

  constructor(operation: string, servers: number, quorum: QuorumSeen) {
    super(`${operation}: ${whatIsMissing(servers, quorum)}`);
    this.reached = quorum.reached;
    this.needed = quorum.needed;
    this.keptOut = quorum.keptOut;
  }
}

interface QuorumSeen {
  readonly reached: number;
  readonly needed: number;
  readonly keptOut: number;
  /** 0: nobody knows for how long. */
  readonly keptOutMs: number;
}

function whatIsMissing(servers: number, { keptOut, keptOutMs, needed, reached }: QuorumSeen): string {
  const is = (count: number, one: string, many: string): string => (count === 1 ? one : many);
  const take = servers === 1 ? "server takes" : `servers ${is(reached, "takes", "take")}`;
  const parts = [`${reached} of ${servers} lease ${take} part, ${needed} ${is(needed, "is", "are")} needed`];
  if (keptOut > 0) {
    const howLong = keptOutMs > 0 ? ` for up to ${(keptOutMs / 1_000).toFixed(1)} s more` : "";
    const why = `${is(keptOut, "it was", "they were")} started, wiped or left alone`;
    parts.push(`${keptOut} ${is(keptOut, "answers, and keeps", "answer, and keep")} out${howLong}: ${why}`);
  }
  const silent = servers - reached - keptOut;
  if (silent > 0) parts.push(`${silent} cannot be reached`);
  return parts.join("; ");
}

/**
 * The lease servers' votes do not tell whether somebody holds the name, and who may hold it did not answer. It will be known when
 * votes have run out: try again.
 */
export class IndeterminateError extends RollcallError {
  readonly code = "INDETERMINATE";

  constructor(
    readonly unclearName: string,
    options?: ErrorOptions,
  ) {
    super(`it cannot be told who holds the name ${quote(unclearName)}`, options);
  }
}

/** Why the signal of a lease is aborted: it cannot be proven any more that the name is held. Register it anew. */
export class LeaseLostError extends RollcallError {
  readonly code = "LEASE_LOST";

  constructor(
    readonly lostName: string,
    readonly token: bigint,
  ) {
    super(`the lease of name ${quote(lostName)}, with token ${token}, was lost`);
  }
}

/**
 * The callee's handler threw. `cause` is what it threw, as far as that can be carried between nodes, and the same when the callee
 * is on this one. An error arrives as an `Error` of the same `name`, `message`, `code` (when that is text) and `stack`, which is
 * the callee's, with up to 4 of the `cause`s behind it, told likewise; long texts are cut (a stack at 4,096 characters). Not
 * carried: the class, so `instanceof` tells nothing (look at `name` or `code`), and other properties. Anything else that was
 * thrown arrives as the value it is.
 */
export class CallFailedError extends RollcallError {
  readonly code = "CALL_FAILED";

  constructor(
    readonly callee: Pid,
    cause: unknown,
  ) {
    super(`${callee} failed to answer: ${describeCause(cause)}`, { cause });
  }
}

/** Nobody holds the name. */
export class NoSuchNameError extends RollcallError {
  readonly code = "NO_SUCH_NAME";

  constructor(readonly missingName: string) {
    super(`nobody holds the name ${quote(missingName)}`);
  }
}

/** The process has ended, or never was. */
export class NoSuchProcessError extends RollcallError {
  readonly code = "NO_SUCH_PROCESS";

  constructor(readonly pid: Pid) {
    super(`process ${pid} is not alive`);
  }
}

/** The process is present in this topic under this key already. Use `update`. */
export class AlreadyTrackedError extends RollcallError {
  readonly code = "ALREADY_TRACKED";

  constructor(
    readonly pid: Pid,
    readonly topic: string,
    readonly key: string,
  ) {
    super(`${pid} is present in topic ${quote(topic)} as ${quote(key)} already; use update`);
  }
}

/** The process is not present in this topic under this key. */
export class NotTrackedError extends RollcallError {
  readonly code = "NOT_TRACKED";

  constructor(
    readonly pid: Pid,
    readonly topic: string,
    readonly key: string,
  ) {
    super(`${pid} is not present in topic ${quote(topic)} as ${quote(key)}`);
  }
}

/** The operation is for processes of this node only. */
export class NotLocalError extends RollcallError {
  readonly code = "NOT_LOCAL";

  constructor(
    readonly pid: Pid,
    operation: string,
  ) {
    super(`${operation} takes processes of this node only, and ${pid} lives on another`);
  }
}

/**
 * The node is not reachable from here: what it was asked to do may or may not have happened. Or it is leaving (`drain`, `stop`)
 * and said so: then its processes get no more names, and nothing has happened.
 */
export class NodeDownError extends RollcallError {
  readonly code = "NODE_DOWN";

  constructor(
    readonly node: NodeId,
    why: "down" | "leaving" = "down",
  ) {
    super(
      why === "down" ? `node ${node} is down` : `node ${node} is leaving, and takes no more registrations`,
    );
  }
}

/** The time allowed has passed. `lagging` names the nodes that were waited for, where that is known. */
export class TimeoutError extends RollcallError {
  readonly code = "TIMEOUT";

  constructor(
    operation: string,
    readonly timeoutMs: number,
    readonly lagging: readonly NodeId[] = [],
  ) {
    super(
      `${operation} took longer than ${timeoutMs} ms${lagging.length > 0 ? `; not heard from: ${lagging.join(", ")}` : ""}`,
    );
  }
}

/** A named limit was reached. `limit` is the option under `limits` that sets it. */
export class LimitExceededError extends RollcallError {
  readonly code = "LIMIT_EXCEEDED";

  constructor(
    readonly limit: string,
    readonly allowed: number,
    what: string,
  ) {
    super(`${what}: over limits.${limit} = ${allowed}`);
  }
}

/** An argument or option is wrong. `path` says which, and the message says what it takes. */
export class InvalidArgumentError extends RollcallError {
  readonly code = "INVALID_ARGUMENT";

  constructor(
    readonly path: string,
    readonly value: unknown,
    readonly expected: string,
  ) {
    super(`${path} is ${quote(value)}; it takes ${expected}`);
  }
}

/** A live node of the same name and cluster was found. Give this one another name, or stop the other. */
export class DuplicateNodeError extends RollcallError {
  readonly code = "DUPLICATE_NODE";

  constructor(readonly other: NodeId) {
    super(`a live node of this name is in the cluster already: ${other}`);
  }
}

/**
 * The node was stopped, or drains and takes no new work, or its bus connection has closed for good. From `startNode`: the bus
 * could not be reached, or its port is taken by something else. The message says which.
 */
export class BusClosedError extends RollcallError {
  readonly code = "BUS_CLOSED";

  constructor(message = "this node is stopped", options?: ErrorOptions) {
    super(message, options);
  }
}

/** The bus refused this node's credentials. */
export class UnauthorizedError extends RollcallError {
  readonly code = "UNAUTHORIZED";
}

/** The nodes of the cluster speak no protocol version that this one speaks. */
export class IncompatibleVersionError extends RollcallError {
  readonly code = "INCOMPATIBLE_VERSION";

  constructor(
    readonly node: NodeId,
    readonly theirs: readonly [number, number],
    readonly ours: readonly [number, number],
  ) {
    super(
      `${node} speaks protocol versions ${theirs[0]} to ${theirs[1]}, this node ${ours[0]} to ${ours[1]}; upgrade the older one first`,
    );
  }
}

/** A rule of this library was broken by this library: a bug. Please report it. */
export class InvariantError extends RollcallError {
  readonly code = "INVARIANT";
}

export function invariant(holds: boolean, rule: string): asserts holds {
  if (!holds) throw new InvariantError(`broken rule: ${rule}`);
}

function describeCause(cause: unknown): string {
  return cause instanceof Error ? cause.message : quote(cause);
}
