import { InvalidArgumentError } from "../kernel/errors.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import { exitReason } from "../monitor/reason-wire.ts";

const EXPECTED =
  'a reason, such as { kind: "normal" }, { kind: "shutdown" }, { kind: "killed" } or { kind: "error", error }';

/** Checks the reason that a user ends a process with. An error in it stays as it is; on the wire it becomes a copy. */
export function checkReason(reason: unknown): ExitReason {
  if (typeof reason !== "object" || reason === null || !("kind" in reason)) {
    throw new InvalidArgumentError("reason", reason, EXPECTED);
  }
  if (reason.kind === "error" && "error" in reason) return { kind: "error", error: reason.error };
  try {
    return exitReason.read(exitReason.write(reason as ExitReason));
  } catch {
    throw new InvalidArgumentError("reason", reason, EXPECTED);
  }
}
