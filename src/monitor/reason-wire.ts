import { bytes, type Field, nat, nodeId, oneOf, optional, pid, text, tuple } from "../bus/wire-schema.ts";
import type { ExitReason, NodeDownCause } from "../kernel/exit-reason.ts";
import { MalformedError } from "../kernel/malformed.ts";
import { quote } from "../kernel/quote.ts";
import { Value } from "../kernel/value.ts";
import { ERROR_MESSAGE_UNITS, ERROR_NAME_UNITS, ERROR_VALUE_BYTES } from "./limits.ts";

/** What a process threw, as far as it travels: an error by its name, message and code; anything else as a value. */
interface WireError {
  readonly errorName: string;
  readonly message: string;
  readonly code: string | undefined;
  /** What was thrown, when that was no error. */
  readonly thrown: Uint8Array | undefined;
}

const CAUSES: readonly NodeDownCause[] = ["left", "disconnected", "silent", "replaced"];

const cause: Field<NodeDownCause> = {
  read(wire) {
    const held = CAUSES[nat.read(wire)];
    if (held !== undefined) return held;
    throw new MalformedError(`${quote(wire)} instead of the number of a cause`);
  },
  write: (held) => CAUSES.indexOf(held),
};

/** A text that is cut where it is longer. Unlike `text` it may be empty. */
export function brief(maxUnits: number): Field<string> {
  return {
    read(wire) {
      if (typeof wire === "string" && wire.length <= maxUnits) return wire;
      throw new MalformedError(`${quote(wire)} instead of a text of at most ${maxUnits} UTF-16 code units`);
    },
    write: (held) => held.slice(0, maxUnits).toWellFormed(),
  };
}

const errorName = brief(ERROR_NAME_UNITS);
const wireError = tuple({
  errorName,
  message: brief(ERROR_MESSAGE_UNITS),
  code: optional(errorName),
  thrown: optional(bytes),
});

/** What was thrown may be of any kind, so this never throws on the way out. */
export const thrownError: Field<unknown> = {
  read: (wire) => fromWire(wireError.read(wire)),
  write: (held) => wireError.write(toWire(held)),
};

const wireReason = oneOf({
  normal: [0, {}],
  killed: [1, {}],
  error: [2, { error: thrownError }],
  shutdown: [3, {}],
  nameClash: [4, { name: text, winner: optional(pid) }],
  leaseLost: [5, { name: text }],
  nodeDown: [6, { node: nodeId, cause }],
  noSuchProcess: [7, {}],
});

/**
 * Why a process ended, between nodes. An error arrives as an `Error` of the same name, message and `code`, cut short where it
 * is very long, without its stack and its cause, which only the caller of a failed call is told.
 */
export const exitReason: Field<ExitReason> = wireReason;

function toWire(thrown: unknown): WireError {
  try {
    if (thrown instanceof Error) {
      const { name, message, code } = thrown as { name: unknown; message: unknown; code?: unknown };
      return {
        errorName: textOf(name),
        message: textOf(message),
        code: textOf(code) || undefined,
        thrown: undefined,
      };
    }
    const limit = { name: "messageBytes", bytes: ERROR_VALUE_BYTES };
    const { bytes: encoded } = Value.encode(thrown, limit, "reason");
    return { errorName: "", message: "", code: undefined, thrown: encoded };
  } catch {
    // A function, an instance of a class, a getter that throws, or too much of it: what it looks like has to do.
    return { errorName: "", message: describe(thrown), code: undefined, thrown: undefined };
  }
}

function fromWire(wire: WireError): unknown {
  if (wire.thrown !== undefined) return Value.fromBytes(wire.thrown).kept().get();
  const error = new Error(wire.message);
  if (wire.errorName !== "" && wire.errorName !== "Error") define(error, "name", wire.errorName);
  if (wire.code !== undefined) define(error, "code", wire.code);
  // The stack made here is that of the decoder, and would mislead.
  define(error, "stack", `${error.name}: ${error.message}`);
  return error;
}

function define(error: Error, key: string, value: string): void {
  Object.defineProperty(error, key, {
    value,
    writable: true,
    configurable: true,
    enumerable: key === "code",
  });
}

function textOf(part: unknown): string {
  return typeof part === "string" ? part : "";
}

function describe(thrown: unknown): string {
  try {
    return quote(thrown);
  } catch {
    return "something that cannot be shown";
  }
}
