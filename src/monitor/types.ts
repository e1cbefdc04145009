import type { ExitReason } from "../kernel/exit-reason.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";

/** A live node as this one sees it. `suspect`: silent for a while, and asked about; it may well be back. */
export interface NodeView {
  readonly id: NodeId;
  readonly name: string;
  readonly state: "up" | "suspect";
  /** The scopes it has opened. */
  readonly scopes: readonly string[];
}

/** What a watcher of nodes sees. After `suspect` comes `up` (it answered) or `down`. */
export type NodeEvent =
  | { readonly kind: "state" | "resync"; readonly nodes: readonly NodeView[] }
  | { readonly kind: "up" | "suspect"; readonly node: NodeView }
  | { readonly kind: "down"; readonly node: NodeView; readonly reason: ExitReason };

/** What a monitor tells, once. */
export interface Down {
  /** Absent when a node was monitored, or a name that nobody held. */
  readonly pid?: Pid;
  readonly node: NodeId;
  readonly reason: ExitReason;
}
