import { type Field, oneOf, type UnionOf } from "../bus/wire-schema.ts";
import { nameOperations, sizeOfNameOperation } from "../global/name-ops.ts";
import { groupOperations, sizeOfGroupOperation } from "../groups/group-ops.ts";
import { processExit } from "../replication/process-exit.ts";

const variants = { ...nameOperations, ...groupOperations, exit: [2, processExit] } as const;
const known = oneOf(variants);
const CODES: ReadonlySet<unknown> = new Set(Object.values(variants).map(([code]) => code));

/** Of a later version of the protocol: it takes its number in the log, and means nothing here. */
export interface UnknownOperation {
  readonly kind: "unknown";
}

/** What stands in a node's log of one scope. */
export type Operation = UnionOf<typeof variants> | UnknownOperation;

const UNKNOWN: UnknownOperation = { kind: "unknown" };

export const operation: Field<Operation> = {
  read: (wire) =>
    Array.isArray(wire) && typeof wire[0] === "number" && !CODES.has(wire[0]) ? UNKNOWN : known.read(wire),
  write: (held) => (held.kind === "unknown" ? [Number.MAX_SAFE_INTEGER] : known.write(held)),
};

/** Roughly what an operation takes on the wire, in bytes. */
export function sizeOfOperation(held: Operation): number {
  switch (held.kind) {
    case "namePut":
    case "nameDrop":
      return sizeOfNameOperation(held);
    case "memberPut":
    case "memberDrop":
      return sizeOfGroupOperation(held);
    case "exit":
    case "unknown":
      return 256;
  }
}
