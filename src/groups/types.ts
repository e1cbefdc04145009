import type { ExitReason } from "../kernel/exit-reason.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";

/** One process in one group. A copy: later changes do not show in it. */
export interface Member {
  readonly pid: Pid;
  /** Read-only, as that of a `Registration`. */
  readonly meta: unknown;
  readonly node: NodeId;
  /** How often it joined, less how often it left: at least 1. It is listed once all the same. */
  readonly joins: number;
}

/** What a watcher of groups sees: the state first, then every change in the order in which this node applied it. */
export type GroupEvent =
  | { readonly kind: "state" | "resync"; readonly groups: ReadonlyMap<string, readonly Member[]> }
  | { readonly kind: "joined" | "updated"; readonly group: string; readonly member: Member }
  | {
      readonly kind: "left";
      readonly group: string;
      readonly member: Member;
      readonly reason: ExitReason | { readonly kind: "released" };
    };
