import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Pid } from "../kernel/ids.ts";
import type { Contender, Registration, Verdict } from "../resolve/types.ts";

/** Why a registration ended: its process did, or it was given up, or somebody took it over. */
export type UnregisterReason =
  | ExitReason
  | { readonly kind: "released" }
  | { readonly kind: "takenOver"; readonly by: Pid };

/** What a watcher of names sees: the state first, then every change in the order in which this node applied it. */
export type NameEvent =
  | { readonly kind: "state" | "resync"; readonly registrations: readonly Registration[] }
  | { readonly kind: "registered" | "updated"; readonly registration: Registration }
  | { readonly kind: "unregistered"; readonly registration: Registration; readonly reason: UnregisterReason }
  | {
      readonly kind: "clash";
      readonly name: string;
      readonly contenders: readonly Contender[];
      readonly verdict: Verdict;
    };

/** What a process is told about itself, through `SpawnOptions.onNotice`. */
export type Notice =
  | { readonly kind: "nameClash"; readonly name: string; readonly scope: string; readonly winner?: Pid }
  | { readonly kind: "nameTakenOver"; readonly name: string; readonly scope: string; readonly by: Pid }
  | { readonly kind: "leaseLost"; readonly name: string; readonly scope: string }
  | { readonly kind: "draining"; readonly deadlineMs: number };
