import type { Messages } from "../bus/wire-schema.ts";
import { type NodeId, nodeOfPid, type Pid } from "../kernel/ids.ts";
import { MalformedError } from "../kernel/malformed.ts";
import { Value } from "../kernel/value.ts";
import type { NodeCore } from "./core.ts";
import type { EarlyMessages } from "./early-messages.ts";
import { type RawSegment, REPEATED_FAMILY, RepeatedReader, STATE_FAMILY, USER_FAMILY } from "./frame.ts";
import type { AdmittedFrame } from "./frame-gate.ts";
import { type Prelude, preludes, type UserMessage, userMessages } from "./message-wire.ts";
import { readPayload, readPayloadForMany } from "./payload.ts";
import type { ClusterMessage } from "./protocol.ts";
import { callError, RemoteReply, type ReplyChannel } from "./reply.ts";
import type { Scopes } from "./scopes.ts";
import { keyOf, type ScopedName } from "./strict/key.ts";
import { traced } from "./trace-wire.ts";

export interface InboxOptions {
  readonly core: NodeCore;
  readonly scopes: Scopes;
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
    const { from, stamp } = frame;
    const { pump } = this.#options.core;
    // Any frame is a sign of life, which has to reach the machine before what the frame carries has effects.
    if (frame.segments[0]?.family !== STATE_FAMILY) pump.feed({ kind: "frame", from, stamp, messages: [] });
    for (const segment of frame.segments) {
      if (segment.family === STATE_FAMILY) this.#takeState(frame, segment);
      else this.#takeFromProcesses(from, segment);
    }
  }

  /** What machines say in a frame, for one that is not to reach the machine. */
  stateOf(frame: AdmittedFrame): readonly ClusterMessage[] {
    return frame.segments.flatMap((segment) =>
      segment.family === STATE_FAMILY ? this.#decode(this.#options.clusterMessages, segment.content) : [],
    );
  }

  /** A node has come up: what it said before can be heard. */
  nodeUp(node: NodeId): void {
    for (const segment of this.#options.early.take(node)) this.#takeFromProcesses(node, segment);
  }

  /** What it said without ever coming up is void. */
  nodeDown(node: NodeId): void {
    this.#options.core.counts.messages.tooEarly += this.#options.early.take(node).length;
  }

  #takeState(frame: AdmittedFrame, segment: RawSegment): void {
    const { core, clusterMessages, scopes } = this.#options;
    const messages = this.#decode(clusterMessages, segment.content);
    // It may tell of a scope that a node has opened.
    scopes.membershipChanged();
    core.pump.feed({ kind: "frame", from: frame.from, stamp: frame.stamp, messages });
  }

  #takeFromProcesses(node: NodeId, segment: RawSegment): void {
    const { core, early } = this.#options;
    if (!core.machine.isUp(node)) {
      early.keep(node, segment);
      return;
    }
    switch (segment.family) {
      case USER_FAMILY:
        for (const message of this.#decode(userMessages, segment.content)) this.#takeMessage(node, message);
        return;
      case REPEATED_FAMILY:
        this.#takeRepeated(node, segment.content);
        return;
      default:
        core.counts.messages.unknown += 1;
    }
  }

  #takeRepeated(node: NodeId, content: Uint8Array): void {
    const reader = RepeatedReader.over(content);
    if (reader === undefined) {
      this.#malformed(new MalformedError("a repeated segment whose lengths do not add up"));
      return;
    }
    const [prelude] = this.#decode(preludes, reader.prelude);
    if (prelude === undefined) return;
    if (isImpostor(node, prelude.from)) {
      this.#malformed(new MalformedError(`messages of ${node} that claim to be from ${prelude.from}`));
      return;
    }
    const read = prelude.kind === "group" ? readPayloadForMany : readPayload;
    while (reader.next()) {
      try {
        this.#deliver(prelude, read(content, reader.start, reader.end));
      } catch (error) {
        this.#malformed(error);
      }
    }
  }

  #deliver(prelude: Prelude, message: unknown): void {
    const { counts, processes } = this.#options.core;
    const { from } = prelude;
    if (prelude.kind === "send") {
      const strictKey = keyOfHolding(prelude.holding);
      if (!processes.deliver(prelude.to, { message, from, reply: undefined, strictKey }))
        counts.messages.undelivered += 1;
      return;
    }
    const scope = this.#options.scopes.get(prelude.scope);
    if (scope === undefined) counts.messages.undelivered += 1;
    else scope.groups.messaging.receive(prelude.group, message, from, prelude.except);
  }

  #takeMessage(node: NodeId, message: UserMessage): void {
    try {
      if (message.kind === "call") this.#takeCall(node, message);
      else this.#takeAnswer(node, message);
    } catch (error) {
      this.#malformed(error);
    }
  }

  #takeCall(node: NodeId, message: Extract<UserMessage, { kind: "call" }>): void {
    const { clock, processes } = this.#options.core;
    const { call, from, holding, payload, timeoutMs, to } = message;
    if (isImpostor(node, from)) throw new MalformedError(`a call of ${node} that claims to be from ${from}`);
    const reply = new RemoteReply(this.#options.replies, node, call, clock.now().monotonicMs + timeoutMs);
    const strictKey = keyOfHolding(holding);
    processes.deliver(to, { message: Value.fromBytes(payload).get(), from, reply, strictKey });
  }

  #takeAnswer(node: NodeId, message: Extract<UserMessage, { kind: "reply" | "failure" }>): void {
    const { calls, counts } = this.#options.core;
    const call = calls.find(node, message.call);
    if (call === undefined) {
      counts.messages.lateReplies += 1;
    } else if (message.kind === "reply") {
      call.resolve(Value.fromBytes(message.payload).get());
    } else {
      const { cause, mailbox, reason, trace } = message;
      const error = reason?.kind === "error" ? traced(reason.error, trace) : undefined;
      call.reject(callError(call.callee, { cause, error, mailbox: mailbox ?? 0 }));
    }
  }

  /** Empty, and counted, when it cannot be read. */
  #decode<M>(table: Messages<M>, bytes: Uint8Array): readonly M[] {
    const counts = this.#options.core.counts.messages;
    try {
      return table.decodeAll(bytes, () => {
        counts.unknown += 1;
      });
    } catch (error) {
      this.#malformed(error);
      return [];
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

function keyOfHolding(holding: ScopedName | undefined): string | undefined {
  return holding === undefined ? undefined : keyOf(holding.scope, holding.name);
}

/** A node speaks for its own processes only. */
function isImpostor(node: NodeId, from: Pid | undefined): boolean {
  return from !== undefined && nodeOfPid(from) !== node;
}
