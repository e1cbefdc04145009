import {
  CallFailedError,
  LimitExceededError,
  NoSuchProcessError,
  type RollcallError,
} from "../kernel/errors.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";
import { Value } from "../kernel/value.ts";
import type { ByteLimit } from "../kernel/value-walk.ts";
import { exitReason } from "../monitor/reason-wire.ts";
import type { PendingCall } from "./calls.ts";
import { USER } from "./frame.ts";
import { type FailureCause, type UserMessage, userMessages } from "./message-wire.ts";
import type { Outbox } from "./outbox.ts";
import { trace, traced, traceOf } from "./trace-wire.ts";

/** Why a call was not answered. */
export interface Failure {
  readonly cause: FailureCause;
  /** What the handler threw, for `threw`. */
  readonly error?: unknown;
  /** How many may wait in the mailbox, for `mailboxFull`. */
  readonly mailbox?: number;
}

/** Whoever waits for the answer to a call. */
export interface ReplyTo {
  /** On the monotonic clock: from then on nobody waits any more. */
  readonly expiresAtMs: number;
  answer(value: unknown): void;
  fail(failure: Failure): void;
}

/** A caller on this node. It is given copies, as one elsewhere would be. */
export class LocalReply implements ReplyTo {
  readonly #call: PendingCall;
  readonly #limit: ByteLimit;

  constructor(call: PendingCall, limit: ByteLimit) {
    this.#call = call;
    this.#limit = limit;
  }

  get expiresAtMs(): number {
    return this.#call.settled ? Number.NEGATIVE_INFINITY : this.#call.dueAtMs;
  }

  answer(value: unknown): void {
    try {
      this.#call.resolve(encodeAnswer(value, this.#limit).get());
    } catch (error) {
      this.fail({ cause: "threw", error });
    }
  }

  fail(failure: Failure): void {
    this.#call.reject(callError(this.#call.callee, { ...failure, error: asReceived(failure.error) }));
  }
}

/** What a `RemoteReply` needs of its node. */
export interface ReplyChannel {
  readonly outbox: Outbox;
  readonly message: ByteLimit;
  /** The outbound queue is full. */
  onReplyDropped(error: unknown): void;
}

/** A caller on another node. */
export class RemoteReply implements ReplyTo {
  readonly expiresAtMs: number;
  readonly #channel: ReplyChannel;
  readonly #node: NodeId;
  readonly #call: number;

  constructor(channel: ReplyChannel, node: NodeId, call: number, expiresAtMs: number) {
    this.#channel = channel;
    this.#node = node;
    this.#call = call;
    this.expiresAtMs = expiresAtMs;
  }

  answer(value: unknown): void {
    let payload: Uint8Array;
    try {
      payload = encodeAnswer(value, this.#channel.message).bytes;
    } catch (error) {
      this.fail({ cause: "threw", error });
      return;
    }
    this.#send({ kind: "reply", call: this.#call, payload });
  }

  fail(failure: Failure): void {
    const { cause, mailbox } = failure;
    const reason = cause === "threw" ? ({ kind: "error", error: failure.error } as const) : undefined;
    const behind = cause === "threw" ? traceOf(failure.error) : undefined;
    this.#send({ kind: "failure", call: this.#call, cause, mailbox, reason, trace: behind });
  }

  #send(message: UserMessage): void {
    const { outbox } = this.#channel;
    try {
      const encoded = userMessages.encode(message);
      outbox.checkRoom(USER, encoded, 1);
      outbox.sendTo(this.#node, USER, encoded);
    } catch (error) {
      this.#channel.onReplyDropped(error);
    }
  }
}

/** A called process does not hold the strict name by which it was called, and its handler was not run. Callers look it up anew. */
export class NotHolderError extends NoSuchProcessError {}

/** What the caller's promise rejects with. */
export function callError(callee: Pid, failure: Failure): RollcallError {
  switch (failure.cause) {
    case "notHolder":
      return new NotHolderError(callee);
    case "noSuchProcess":
      return new NoSuchProcessError(callee);
    case "mailboxFull":
      return new LimitExceededError("mailbox", failure.mailbox ?? 0, `the mailbox of ${callee} is full`);
    case "threw":
      return new CallFailedError(callee, failure.error);
  }
}

function encodeAnswer(value: unknown, limit: ByteLimit): Value {
  return Value.encode(value, limit, "answer");
}

/** An error as it would arrive on another node: so that a caller sees the same wherever the callee lives. */
function asReceived(error: unknown): unknown {
  const reason = exitReason.read(exitReason.write({ kind: "error", error }));
  if (reason.kind !== "error") return error;
  const behind = traceOf(error);
  return traced(reason.error, behind === undefined ? undefined : trace.read(trace.write(behind)));
}
