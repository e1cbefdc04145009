import type { Bus } from "../bus/port.ts";
import type { LeaseStore } from "../lease/port.ts";
import type { DetectionTimes } from "../monitor/settings.ts";
import type { Resolver } from "../resolve/types.ts";
import type { Logger } from "./logger.ts";

/** Who is taken for dead, and when, and how long others wait for it meanwhile. All in milliseconds. */
export interface FailureDetection extends DetectionTimes {
  /** How long the arbiter of a name is waited for before the next node in order is asked. Never below `suspectAfterMs`. */
  readonly arbiterTimeoutMs: number;
}

/** The bounds of every queue, table and wait. Reaching one is an error, or a counted event: never silent loss. */
export interface Limits {
  /** A name's or member's metadata, encoded. */
  readonly metadataBytes: number;
  /** A message, encoded. The bus's own limit holds too, if it is lower. */
  readonly messageBytes: number;
  /** Registrations of the processes of one node, in all scopes. */
  readonly namesPerNode: number;
  /** Strict names that the processes of one node hold or ask for, in all scopes. */
  readonly leases: number;
  /** Those of them that stand in line for a name. */
  readonly leaseWaiters: number;
  /** Messages that wait for one process. */
  readonly mailbox: number;
  /** Bytes that the bus has not taken yet. */
  readonly outboundBytes: number;
  /** Events that wait for one reader of a watch, before it gets a `resync` in their place. */
  readonly watchQueue: number;
  /** How long `call`, `multicall` and `flushed` wait, unless told otherwise. */
  readonly callMs: number;
  /** How long `register` and the other waits for names wait, unless told otherwise; `settled` too. */
  readonly registerMs: number;
  /** How long a resolver may take before the default verdict holds. */
  readonly resolverMs: number;
  /** How long `startNode` and `scope` wait for the cluster. */
  readonly startMs: number;
  /** How long `drain` waits for mailboxes and peers, unless told otherwise. */
  readonly drainMs: number;
  /** Calls of one node under way at once. */
  readonly pendingCalls: number;
  /** Registrations, `waitFor`, `settled` and whatever else waits for the cluster, but for calls: of one node, at once. */
  readonly pendingRequests: number;
  readonly processes: number;
  readonly scopes: number;
  readonly monitors: number;
  /** Iterables from `watch` and `watchNodes` that are open at once. */
  readonly watches: number;
  /** Subscriptions to topics, of one node. */
  readonly subscriptions: number;
}

/** What `startNode` was asked for, checked and complete. */
export interface NodeSettings {
  readonly cluster: string;
  /** Undefined: made of the host's name and chance. */
  readonly name: string | undefined;
  /** Undefined: the embedded bus. */
  readonly bus: Bus | undefined;
  /** Undefined: strict names are not to be had. */
  readonly leases: LeaseStore | undefined;
  /** The first signs, all verify; none: frames are not signed. */
  readonly secrets: readonly string[];
  readonly resolve: Resolver;
  readonly failureDetection: FailureDetection;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}
