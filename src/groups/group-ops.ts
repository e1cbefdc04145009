import { type Field, nat, type RecordOf, type Shape, text, type Variants } from "../bus/wire-schema.ts";
import { value } from "../bus/wire-value.ts";
import { MalformedError } from "../kernel/malformed.ts";
import type { ProcessExit } from "../replication/process-exit.ts";

/** Serials and joins start at 1: a put of 0 joins would be a member that is none. */
const positive: Field<number> = {
  read(wire) {
    const number = nat.read(wire);
    if (number === 0) throw new MalformedError("0 instead of a whole number from 1");
    return number;
  },
  write: (number) => number,
};

/** A member as it is now, whole: applied to whatever was known of it, or to nothing. */
export const memberPut = {
  group: text,
  serial: positive,
  meta: value,
  joins: positive,
} as const satisfies Shape;

/** A member that left as often as it had joined. */
export const memberDrop = { group: text, serial: positive } as const satisfies Shape;

/** The wire forms of what this folder adds to a node's log, for the union of all operations. */
export const groupOperations = {
  memberPut: [3, memberPut],
  memberDrop: [4, memberDrop],
} as const satisfies Variants;

export type MemberPut = { readonly kind: "memberPut" } & RecordOf<typeof memberPut>;

export type MemberDrop = { readonly kind: "memberDrop" } & RecordOf<typeof memberDrop>;

/** One change by an owner to its own members. The process is named by serial: the owner is whose log it stands in. */
export type GroupOperation = MemberPut | MemberDrop | ProcessExit;

/** Roughly what an operation takes on the wire, in bytes. */
export function sizeOfGroupOperation(operation: MemberPut | MemberDrop): number {
  return 32 + operation.group.length * 2 + (operation.kind === "memberPut" ? operation.meta.bytes.length : 0);
}
