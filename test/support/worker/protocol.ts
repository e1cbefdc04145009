import type {
  Clash,
  Down,
  ExitReason,
  GroupEvent,
  NameEvent,
  NodeClosed,
  NodeEvent,
  NodeId,
  NodeOptions,
  Notice,
  Pid,
} from "../../../src/index.ts";
import type { LeasesSetup } from "./leases.ts";
import type { ResolverName } from "./resolvers.ts";

/** What a node is started with: plain data, since it travels to the process that runs it. */
export interface StartOptions {
  /** Of NATS. */
  readonly servers: string | readonly string[];
  readonly cluster: string;
  readonly name: string;
  readonly secret?: string;
  readonly resolve?: ResolverName;
  readonly failureDetection?: NodeOptions["failureDetection"];
  readonly limits?: NodeOptions["limits"];
  readonly leases?: LeasesSetup;
}

/** Something that a worker saw happen, told as it happens. */
export type Sighting =
  | { readonly kind: "down"; readonly monitor: number; readonly down: Down }
  | { readonly kind: "name"; readonly watch: number; readonly event: NameEvent }
  | { readonly kind: "group"; readonly watch: number; readonly event: GroupEvent }
  | { readonly kind: "node"; readonly watch: number; readonly event: NodeEvent }
  | { readonly kind: "notice"; readonly pid: Pid; readonly notice: Notice }
  | { readonly kind: "exited"; readonly pid: Pid; readonly reason: ExitReason }
  /** Its event loop stands still from here on. */
  | { readonly kind: "blocking" }
  /** The signal of a lease was aborted. */
  | {
      readonly kind: "leaseEnded";
      readonly name: string;
      readonly token: bigint;
      readonly isHeld: boolean;
      readonly why: string;
    }
  /** A resolver of this worker was called. */
  | { readonly kind: "resolving"; readonly resolver: ResolverName; readonly clash: Clash }
  | { readonly kind: "closed"; readonly closed: NodeClosed["kind"] }
  | { readonly kind: "log"; readonly level: "warn" | "error"; readonly text: string };

/** `atMs` is wall time, to be compared between the workers of one machine. */
export type TimedSighting = Sighting & { readonly atMs: number };

/** One command to a worker. Without a scope it is for the node, or the default scope. */
export interface Ask {
  readonly id: number;
  readonly scope: string | undefined;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** An error as plain data: its fields, with those that do not travel by themselves. */
export interface ToldError {
  readonly name: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export type Report =
  | { readonly kind: "booted" }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly error: ToldError }
  | { readonly kind: "sighting"; readonly sighting: TimedSighting };

/** One message that a `record` process got. */
export interface Received {
  readonly message: unknown;
  readonly from: Pid | undefined;
}

/** Methods of another process: each answers later. */
export type Remote<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/** What a node's process is left with. */
export interface Remains {
  /** `process.getActiveResourcesInfo()` before the first start. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Timers and sockets made since `trackResources`, also those that keep nothing alive. */
  readonly tracked: readonly string[];
}

export interface Started {
  readonly id: NodeId;
  readonly tookMs: number;
}

export function tell(error: unknown): ToldError {
  if (!(error instanceof Error)) return { name: "thrown", message: String(error), thrown: error };
  const { cause } = error;
  return {
    ...Object.fromEntries(Object.entries(error)),
    name: error.name,
    message: error.message,
    ...(cause === undefined ? {} : { cause: cause instanceof Error ? tell(cause) : cause }),
  };
}
