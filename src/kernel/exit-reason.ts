import type { NodeId, Pid } from "./ids.ts";

/**
 * Why a process ended, in the words its monitors, watchers and the processes it shared names with are told.
 * `nodeDown` means unreachable from here: the process may still run on the other side of a partition.
 */
export type ExitReason =
  | { readonly kind: "normal" }
  | { readonly kind: "killed" }
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "shutdown" }
  | { readonly kind: "nameClash"; readonly name: string; readonly winner: Pid | undefined }
  | { readonly kind: "leaseLost"; readonly name: string }
  | { readonly kind: "nodeDown"; readonly node: NodeId; readonly cause: NodeDownCause }
  | { readonly kind: "noSuchProcess" };

/** `left`: said goodbye. `disconnected`: its bus connection is gone. `silent`: not heard. `replaced`: restarted. */
export type NodeDownCause = "left" | "disconnected" | "silent" | "replaced";
