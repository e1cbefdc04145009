import { InvalidArgumentError } from "../kernel/errors.ts";
import { checkPid, type Pid } from "../kernel/ids.ts";
import type { PidLike, WaitingOptions } from "./types.ts";
import type { WaitOptions } from "./waits.ts";

/** What timers can do. */
const LONGEST_MS = 2_147_483_647;

/** The pid of a process, or a pid itself. */
export function toPid(value: PidLike | unknown, path = "pid"): Pid {
  if (typeof value === "object" && value !== null && "pid" in value) return checkPid(value.pid, path);
  return checkPid(value, path);
}

export function toPids(value: PidLike | readonly PidLike[], path = "pid"): readonly Pid[] {
  if (!Array.isArray(value)) return [toPid(value, path)];
  return value.map((one: unknown, index) => toPid(one, `${path}[${index}]`));
}

/** How long to wait, and until which signal. */
export function waiting(
  operation: string,
  options: WaitingOptions | undefined,
  defaultMs: number,
  subject?: string,
): WaitOptions {
  const timeoutMs = options?.timeoutMs ?? defaultMs;
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0 && timeoutMs <= LONGEST_MS)) {
    throw new InvalidArgumentError(
      "timeoutMs",
      timeoutMs,
      `milliseconds, more than 0 and at most ${LONGEST_MS}`,
    );
  }
  return { operation, subject, timeoutMs, signal: checkSignal(options?.signal) };
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new InvalidArgumentError("signal", signal, "an AbortSignal");
}

export function checkFunction<F>(value: F, path: string, expected: string): F {
  if (typeof value === "function") return value;
  throw new InvalidArgumentError(path, value, expected);
}
