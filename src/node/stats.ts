import { DROP_CAUSES, type DropCause } from "./frame-gate.ts";
import type { NodeParts } from "./parts.ts";
import { type LeaseStats, NO_LEASES } from "./strict/lease-stats.ts";

/** Counts since the start of a node, and sizes now. Plain data: it can be sent, printed and compared. */
export interface NodeStats {
  readonly frames: {
    readonly sent: number;
    readonly received: number;
    readonly bytesSent: number;
    readonly bytesReceived: number;
    /** Frames that were not let in, by cause. */
    readonly dropped: Readonly<Record<DropCause, number>>;
  };
  readonly messages: {
    /** Put into a mailbox of this node. */
    readonly delivered: number;
    /** For a process or node that is dead or unknown, a name nobody holds, or a process without a handler. */
    readonly undelivered: number;
    /** Dropped, or refused if calls, because the mailbox was full. */
    readonly mailboxFull: number;
    /** Throws of handlers where nobody waited for an answer, and of `onNotice`. */
    readonly handlerErrors: number;
    /** Calls that were not begun because their caller had given up. */
    readonly expiredCalls: number;
    /** Answers that nobody waited for any more. */
    readonly lateReplies: number;
    /** Answers that found the outbound queue full. */
    readonly repliesDropped: number;
    /** Messages that came from a node before it was up here, and were not kept until it was. */
    readonly tooEarly: number;
    /** Messages, in frames that were let in, that could not be read or claimed to be from elsewhere. */
    readonly malformed: number;
    /** Messages to topics that did not fit their schema when they arrived. */
    readonly misfits: number;
    /** Messages of kinds that only newer versions know. */
    readonly unknown: number;
    /** Answers about leases that were not asked for, and questions about leases to a node without `leases`. */
    readonly unasked: number;
    /** Messages between machines that were not sent while the bus was away; the logs repair it. */
    readonly stateDropped: number;
  };
  readonly outbound: {
    /** Bytes that the bus has not confirmed. */
    readonly queuedBytes: number;
  };
  /** The strict names of this node's processes, and the lease servers. Zeros without `leases`. */
  readonly leases: LeaseStats;
  readonly processes: number;
  /** Messages waiting in mailboxes. */
  readonly mailboxes: number;
  readonly pendingCalls: number;
  readonly pendingRequests: number;
  readonly monitors: number;
  readonly watches: number;
  /** To topics. */
  readonly subscriptions: number;
  /** How often the reader of a watch fell behind. */
  readonly resyncs: number;
  /** Reconnects of the bus. */
  readonly reconnects: number;
  /** Resolvers that threw, or gave no verdict. */
  readonly resolverErrors: number;
  /** Broken rules of this library: please report it. */
  readonly bugs: number;
  /** The longest that the event loop has stood still, in milliseconds, as its timers saw it. */
  readonly worstStallMs: number;
  /** The machine's own counts and sizes: membership, names, groups, repairs, clashes. */
  readonly cluster: Readonly<Record<string, number>>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What is counted as it happens. */
export class Counts {
  readonly dropped = Object.fromEntries(DROP_CAUSES.map((cause) => [cause, 0])) as Record<DropCause, number>;
  readonly messages: Mutable<NodeStats["messages"]> = {
    delivered: 0,
    undelivered: 0,
    mailboxFull: 0,
    handlerErrors: 0,
    expiredCalls: 0,
    lateReplies: 0,
    repliesDropped: 0,
    tooEarly: 0,
    malformed: 0,
    misfits: 0,
    unknown: 0,
    unasked: 0,
    stateDropped: 0,
  };
  framesReceived = 0;
  bytesReceived = 0;
  reconnects = 0;
  resolverErrors = 0;
  /** Open ones. */
  subscriptions = 0;
  bugs = 0;
}

export function statsOf(parts: NodeParts): NodeStats {
  const { core, leases, monitors } = parts;
  const { calls, counts, machine, outbox, processes, pump, waits, watchQuota } = core;
  return {
    frames: {
      sent: outbox.framesSent,
      received: counts.framesReceived,
      bytesSent: outbox.bytesSent,
      bytesReceived: counts.bytesReceived,
      dropped: { ...counts.dropped },
    },
    messages: { ...counts.messages },
    outbound: { queuedBytes: outbox.queuedBytes },
    leases: leases?.stats() ?? NO_LEASES,
    processes: processes.size,
    mailboxes: processes.waiting,
    pendingCalls: calls.size,
    pendingRequests: waits.size,
    monitors: monitors.size,
    watches: watchQuota.used,
    subscriptions: counts.subscriptions,
    resyncs: watchQuota.resyncs,
    reconnects: counts.reconnects,
    resolverErrors: counts.resolverErrors,
    bugs: counts.bugs,
    worstStallMs: pump.worstLatenessMs,
    cluster: machine.counters(),
  };
}
