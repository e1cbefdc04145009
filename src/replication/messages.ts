import { type Field, flag, list, nat, text, tuple, type Variants } from "../bus/wire-schema.ts";
import { OPERATIONS_PER_MESSAGE } from "./limits.ts";

/** An operation with the number under which its owner wrote it. */
export interface Written<Op> {
  readonly sequence: number;
  readonly operation: Op;
}

/** Part of a snapshot. */
export interface SnapshotChunk<Op> {
  readonly id: number;
  /** The log position that the snapshot shows. */
  readonly upTo: number;
  readonly index: number;
  readonly last: boolean;
  /** The owner waits for `snapshotMore` before it sends the next. */
  readonly pause: boolean;
  readonly entries: readonly Written<Op>[];
}

export type ReplicationMessage<Op> =
  /** The operations from number `first` on: as they are written, or because they were asked for. */
  | {
      readonly kind: "operations";
      readonly scope: string;
      readonly first: number;
      readonly answer: boolean;
      readonly operations: readonly Op[];
    }
  | { readonly kind: "need"; readonly scope: string; readonly after: number; readonly snapshot: boolean }
  | ({ readonly kind: "snapshot"; readonly scope: string } & SnapshotChunk<Op>)
  | { readonly kind: "snapshotMore"; readonly scope: string; readonly id: number; readonly next: number };

/** The wire forms of the above, for the message table. */
export function replicationMessages<Op>(operation: Field<Op>) {
  return {
    operations: [
      20,
      { scope: text, first: nat, answer: flag, operations: list(operation, OPERATIONS_PER_MESSAGE) },
    ],
    need: [21, { scope: text, after: nat, snapshot: flag }],
    snapshot: [
      22,
      {
        scope: text,
        id: nat,
        upTo: nat,
        index: nat,
        last: flag,
        pause: flag,
        entries: list(tuple({ sequence: nat, operation }), OPERATIONS_PER_MESSAGE),
      },
    ],
    snapshotMore: [23, { scope: text, id: nat, next: nat }],
  } as const satisfies Variants;
}
