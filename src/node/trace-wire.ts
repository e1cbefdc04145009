import { type Field, list, optional, tuple } from "../bus/wire-schema.ts";
import { ERROR_CAUSES, ERROR_STACK_UNITS } from "../monitor/limits.ts";
import { brief, thrownError } from "../monitor/reason-wire.ts";

/** What lies behind an error that a call failed with: where it was thrown, and its causes, the nearest first. */
export interface Trace {
  readonly stack: string | undefined;
  readonly causes: readonly Cause[];
}

interface Cause {
  /** Anything, for anything can be thrown. */
  readonly error: unknown;
  readonly stack: string | undefined;
}

const stack = optional(brief(ERROR_STACK_UNITS));

/** It travels with the failure of a call only: the reasons why processes ended go to every node, and stay in tables. */
export const trace: Field<Trace> = tuple({
  stack,
  causes: list(tuple({ error: thrownError, stack }), ERROR_CAUSES),
});

/** Undefined: what was thrown is no error. Never throws, whatever getters the error has. */
export function traceOf(thrown: unknown): Trace | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const causes: Cause[] = [];
  for (let error: unknown = thrown; error instanceof Error && causes.length < ERROR_CAUSES; ) {
    error = read(error, "cause");
    if (error === undefined) break;
    causes.push({ error, stack: stackOf(error) });
  }
  return { stack: stackOf(thrown), causes };
}

/** An error as it came, with what lies behind it. */
export function traced(received: unknown, behind: Trace | undefined): unknown {
  if (behind === undefined) return received;
  let error = addStack(received, behind.stack);
  for (const cause of behind.causes) {
    if (error instanceof Error) addHidden(error, "cause", cause.error);
    error = addStack(cause.error, cause.stack);
  }
  return received;
}

function addStack(error: unknown, text: string | undefined): unknown {
  if (error instanceof Error && text !== undefined) addHidden(error, "stack", text);
  return error;
}

/** As the language has it: not among the keys. */
function addHidden(error: Error, key: "stack" | "cause", value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}

function stackOf(error: unknown): string | undefined {
  const text = error instanceof Error ? read(error, "stack") : undefined;
  return typeof text === "string" && text !== "" ? text : undefined;
}

function read(error: Error, key: "stack" | "cause"): unknown {
  try {
    return error[key];
  } catch {
    return undefined;
  }
}
