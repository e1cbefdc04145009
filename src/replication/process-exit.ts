import { nat, type Shape } from "../bus/wire-schema.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import { exitReason } from "../monitor/reason-wire.ts";

/** A process ended: all its names and memberships in the scope go. One operation, however many those are. */
export interface ProcessExit {
  readonly kind: "exit";
  readonly serial: number;
  readonly reason: ExitReason;
}

export const processExit = { serial: nat, reason: exitReason } as const satisfies Shape;
