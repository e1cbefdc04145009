import { type EntryRef, type HolderChange, pidOf } from "../../../src/global/name-entry.ts";
import type { NameDrop, NamePut, Superseded } from "../../../src/global/name-ops.ts";
import { NameTable } from "../../../src/global/name-table.ts";
import type { Stamp } from "../../../src/kernel/hlc.ts";
import { makeIncarnation, makeNodeId, type NodeId } from "../../../src/kernel/ids.ts";
import { Value } from "../../../src/kernel/value.ts";

/** A node id that sorts as its name does. */
export function nodeNamed(name: string): NodeId {
  return makeNodeId(name, makeIncarnation(1, [1, 1]));
}

export function stampAt(ms: number): Stamp {
  return ms.toString(36).padStart(9, "0").concat("0000") as Stamp;
}

export function metaOf(value: unknown): Value {
  return Value.encode(value, { name: "metadataBytes", bytes: 8_192 }, "meta");
}

export interface PutFields {
  readonly serial?: number;
  readonly id?: number;
  readonly atMs?: number;
  readonly claim?: number;
  readonly meta?: unknown;
  readonly supersedes?: readonly Superseded[];
  readonly ended?: readonly EntryRef[];
}

export function put(name: string, fields: PutFields = {}): NamePut {
  const { serial = 1, id = 0, atMs = 1, claim = 0, meta, supersedes = [], ended } = fields;
  return {
    kind: "namePut",
    name,
    id,
    serial,
    meta: metaOf(meta),
    stamp: stampAt(atMs),
    claim,
    supersedes,
    reason: undefined,
    successor: undefined,
    settled: undefined,
    ended,
    was: 0,
  };
}

export function drop(name: string, successor?: NameDrop["successor"], ended?: NameDrop["ended"]): NameDrop {
  return { kind: "nameDrop", name, reason: { kind: "released" }, successor, ended };
}

/** A table that keeps a record of what it told. */
export class RecordedTable {
  readonly table: NameTable;
  readonly changes: string[] = [];
  /** Names that had no holder at some moment after they had one. */
  readonly positions = new Map<NodeId, number>();

  constructor() {
    this.table = new NameTable({
      holderChanged: (change) => this.changes.push(describe(change)),
      nameTouched: () => {},
      positionOf: (owner) => this.positions.get(owner) ?? 0,
    });
  }

  apply(owner: NodeId, sequence: number, operation: Parameters<NameTable["apply"]>[2]): void {
    this.positions.set(owner, sequence);
    this.table.apply(owner, sequence, operation);
  }

  holder(name: string): string | undefined {
    const holder = this.table.holder(name);
    return holder === undefined ? undefined : pidOf(holder);
  }
}

function describe({ name, before, after, end }: HolderChange): string {
  const from = before === undefined ? "-" : before.owner.slice(0, 1);
  const to = after === undefined ? "-" : after.owner.slice(0, 1);
  return `${name}: ${from}>${to}${before !== undefined && before.owner !== after?.owner ? ` ${end.kind}` : ""}`;
}
