import type { Messages } from "../bus/wire-schema.ts";

import { type NodeId, nodeOfPid, type Pid } from "../kernel/ids.ts";
import { MalformedError } from "../kernel/malformed.ts";
import { Value } from "../kernel/value.ts";
import type { NodeCore } from "./core.ts";
import type { EarlyMessages } from "./early-messages.ts";
import { STATE, USER } from "./frame.ts";
import type { AdmittedFrame } from "./frame-gate.ts";
import { type UserMessage, userMessages } from "./message-wire.ts";
import type { Messaging } from "./messaging.ts";
import type { ClusterMessage } from "./protocol.ts";
import { callError, RemoteReply, type ReplyChannel } from "./reply.ts";

export interface InboxOptions {
  readonly core: NodeCore;
  readonly messaging: Messaging;
  readonly clusterMessages: Messages<ClusterMessage>;
  readonly early: EarlyMessages;
  readonly replies: ReplyChannel;
}

/** What arrives, once the gate has let it in: what machines say goes to the machine, what processes say into mailboxes. */
export class Inbox {
  readonly #options: InboxOptions;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Everything in a frame, in the order in which it was sent. Never throws. */
  take(frame: AdmittedFrame): void {
    const { pump } = this.#options.core;
    let isHeard = false;
    for (const { family, messages } of frame.segments) {
      if (family === STATE) {
        isHeard = true;
        this.#takeState(frame, messages);
      } else if (family === USER) {
        // Any frame is a sign of life, and so has to reach the machine before what it carries has effects.
        if (!isHeard) pump.feed({ kind: "frame", from: frame.from, stamp: frame.stamp, messages: [] });
        isHeard = true;
        this.#takeUser(frame.from, messages);
      } else {
        this.#options.core.counts.messages.unknown += 1;
      }
    }
  }

  /** What machines say in a frame, for one that is not to reach the machine. */
  stateOf(frame: AdmittedFrame): readonly ClusterMessage[] {
    return frame.segments.flatMap(({ family, messages }) =>
      family === STATE ? (this.#decode(this.#options.clusterMessages, messages) ?? []) : [],
    );
  }

  /** A node has come up: what it said before can be heard. */
  nodeUp(node: NodeId): void {
    for (const segment of this.#options.early.take(node)) this.#takeUser(node, segment);
  }

  /** What it said without ever coming up is void. */
  nodeDown(node: NodeId): void {
    this.#options.core.counts.messages.tooEarly += this.#options.early.take(node).length;
  }

  #takeState(frame: AdmittedFrame, bytes: Uint8Array): void {
    const { core, clusterMessages } = this.#options;
    const messages = this.#decode(clusterMessages, bytes);
    // It may tell of a scope that a node has opened.
    this.#options.messaging.membershipChanged();
    if (messages !== undefined)
      core.pump.feed({ kind: "frame", from: frame.from, stamp: frame.stamp, messages });
  }

  #takeUser(from: NodeId, bytes: Uint8Array): void {
    if (!this.#options.core.machine.isUp(from)) {
      this.#options.early.keep(from, bytes);
      return;
    }
    const messages = this.#decode(userMessages, bytes);
    if (messages === undefined) return;
    for (const message of messages) this.#takeMessage(from, message);
  }

  #decode<M>(table: Messages<M>, bytes: Uint8Array): readonly M[] | undefined {
    const counts = this.#options.core.counts.messages;
    try {
      return table.decodeAll(bytes, () => {
        counts.unknown += 1;
      });
    } catch (error) {
      this.#malformed(error);
      return undefined;
    }
  }

  #takeMessage(from: NodeId, message: UserMessage): void {
    try {
      this.#dispatch(from, message);
    } catch (error) {
      this.#malformed(error);
    }
  }

  /** @throws MalformedError when the payload is not a value */
  #dispatch(node: NodeId, message: UserMessage): void {
    const { clock, counts, machine, processes } = this.#options.core;
    switch (message.kind) {
      case "send": {
        const from = checkSpeaker(node, message.from);
        const delivery = { message: decode(message.payload), from, reply: undefined };
        if (!processes.deliver(message.to, delivery)) counts.messages.undelivered += 1;
        return;
      }
      case "call": {
        const from = checkSpeaker(node, message.from);
        const expiresAtMs = clock.now().monotonicMs + message.timeoutMs;
        const reply = new RemoteReply(this.#options.replies, node, message.call, expiresAtMs);
        processes.deliver(message.to, { message: decode(message.payload), from, reply });
        return;
      }
      case "group": {
        const reader = machine.groups(message.scope);
        const from = checkSpeaker(node, message.from);
        if (reader === undefined) counts.messages.undelivered += 1;
        else
          this.#options.messaging.deliverToGroup(
            reader,
            message.group,
            decode(message.payload),
            from,
            message.except,
          );
        return;
      }
      case "reply":
      case "failure":
        this.#takeAnswer(node, message);
        return;
    }
  }

  #takeAnswer(node: NodeId, message: Extract<UserMessage, { kind: "reply" | "failure" }>): void {
    const { calls, counts } = this.#options.core;
    const call = calls.find(node, message.call);
    if (call === undefined) {
      counts.messages.lateReplies += 1;
    } else if (message.kind === "reply") {
      call.resolve(decode(message.payload));
    } else {
      const { cause, mailbox, reason } = message;
      const error = reason?.kind === "error" ? reason.error : undefined;
      call.reject(callError(call.callee, { cause, error, mailbox: mailbox ?? 0 }));
    }
  }

  #malformed(error: unknown): void {
    const { counts, logger } = this.#options.core;
    if (error instanceof MalformedError) {
      counts.messages.malformed += 1;
      logger.debug({ error }, "a message could not be read");
    } else {
      counts.bugs += 1;
      logger.error({ error }, "taking a message failed");
    }
  }
}

function decode(payload: Uint8Array): unknown {
  return Value.fromBytes(payload).get();
}

/** A node speaks for its own processes only. */
function checkSpeaker(node: NodeId, from: Pid | undefined): Pid | undefined {
  if (from === undefined || nodeOfPid(from) === node) return from;
  throw new MalformedError(`a message of ${node} that claims to be from ${from}`);
}
