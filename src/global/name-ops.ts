import {
  type Field,
  list,
  nat,
  nodeId,
  oneOf,
  optional,
  pid,
  text,
  tuple,
  type Variants,
} from "../bus/wire-schema.ts";
import { stamp, value } from "../bus/wire-value.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Stamp } from "../kernel/hlc.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";
import type { Value } from "../kernel/value.ts";
import { exitReason } from "../monitor/reason-wire.ts";
import type { ProcessExit } from "../replication/process-exit.ts";
import type { EntryRef } from "./name-entry.ts";

/**
 * How a registration was put aside: taken over or handed on, or lost in a clash. `clashFreed`: the verdict kept none, and
 * the process is told; `clashDropped`: kept none, and nobody is told. `ended`: not put aside, but over by its own node's
 * word, as an arbiter tells whoever registers the name next.
 */
export type SupersededHow =
  | "takenOver"
  | "clashExit"
  | "clashNotify"
  | "clashFreed"
  | "clashDropped"
  | "ended";

/**
 * A registration, by the node that wrote it and the number of the operation that did. Frames of different owners overtake
 * each other; whoever knows both a registration and one that supersedes it shows only the latter.
 */
export interface Superseded {
  readonly owner: NodeId;
  readonly id: number;
  readonly how: SupersededHow;
}

/** What a node writes of a name of one of its processes. */
export interface NamePut {
  readonly kind: "namePut";
  readonly name: string;
  /** The number of the operation that began this registration; 0: this one. */
  readonly id: number;
  /** The process. 0: the registration is over, and the entry stays only for what it supersedes. */
  readonly serial: number;
  readonly meta: Value;
  readonly stamp: Stamp;
  /** The claim that an arbiter granted for it; 0: none was needed. */
  readonly claim: number;
  readonly supersedes: readonly Superseded[];
  /** With serial 0: why it is over. */
  readonly reason: NameEnd | undefined;
  /** A clash that this write settles: for whoever watches, not part of the state. */
  readonly settled: SettledClash | undefined;
  /** With serial 0: what came in its place, as in `NameDrop`. */
  readonly successor: Successor | undefined;
  /** As in `NameDrop`. */
  readonly ended: readonly EntryRef[] | undefined;
  /** With serial 0: the process that had it, for those from whom it took the name. 0: that does not matter any more. */
  readonly was: number;
}

/** The entry goes. */
export interface NameDrop {
  readonly kind: "nameDrop";
  readonly name: string;
  readonly reason: NameEnd;
  /** What came in its place, in case this arrives first: readers must never see a gap. */
  readonly successor: Successor | undefined;
  /**
   * Registrations of the name that are over, as the writer has read in their own nodes' logs, and that nothing supersedes any
   * more: whoever has not read so far must not show them again.
   */
  readonly ended: readonly EntryRef[] | undefined;
}

export interface Successor {
  readonly owner: NodeId;
  readonly id: number;
  /** The number of the operation that last wrote it: what is told here may be later than what began it. */
  readonly sequence: number;
  readonly serial: number;
  readonly meta: Value;
  readonly stamp: Stamp;
  readonly supersedes: readonly Superseded[];
}

export type NameEnd =
  | { readonly kind: "released" }
  | { readonly kind: "takenOver"; readonly by: Pid }
  | { readonly kind: "ended"; readonly reason: ExitReason };

/** A clash and its verdict, as told to every node. */
export interface SettledClash {
  readonly contenders: readonly SettledContender[];
  /** Undefined: none was kept. */
  readonly winner: Pid | undefined;
  readonly losers: "exit" | "notify" | "none";
}

export interface SettledContender {
  readonly pid: Pid;
  readonly meta: Value;
  readonly stamp: Stamp;
  readonly revision: number;
}

export type NameOperation = NamePut | NameDrop | ProcessExit;

/** The contenders of one clash, and the registrations that one entry supersedes: one for each node at the very most. */
export const MAX_CONTENDERS = 10_000;

const HOWS: readonly SupersededHow[] = [
  "takenOver",
  "clashExit",
  "clashNotify",
  "clashFreed",
  "clashDropped",
  "ended",
];
const LOSERS = ["exit", "notify", "none"] as const;

const supersededHow: Field<SupersededHow> = {
  read: (wire) => HOWS[nat.read(wire)] ?? "takenOver",
  write: (how) => HOWS.indexOf(how),
};

const losers: Field<SettledClash["losers"]> = {
  read: (wire) => LOSERS[nat.read(wire)] ?? "none",
  write: (how) => LOSERS.indexOf(how),
};

export const supersedes = list(tuple({ owner: nodeId, id: nat, how: supersededHow }), MAX_CONTENDERS);

const nameEnd: Field<NameEnd> = oneOf({
  released: [0, {}],
  takenOver: [1, { by: pid }],
  ended: [2, { reason: exitReason }],
});

const settledClash: Field<SettledClash> = tuple({
  contenders: list(tuple({ pid, meta: value, stamp, revision: nat }), MAX_CONTENDERS),
  winner: optional(pid),
  losers,
});

const successor = optional(
  tuple({ owner: nodeId, id: nat, sequence: nat, serial: nat, meta: value, stamp, supersedes }),
);

const ended = optional(list(tuple({ owner: nodeId, id: nat }), MAX_CONTENDERS));

export const nameOperations = {
  namePut: [
    0,
    {
      name: text,
      id: nat,
      serial: nat,
      meta: value,
      stamp,
      claim: nat,
      supersedes,
      reason: optional(nameEnd),
      settled: optional(settledClash),
      successor,
      ended,
      was: nat,
    },
  ],
  nameDrop: [
    1,
    {
      name: text,
      reason: nameEnd,
      successor,
      ended,
    },
  ],
} as const satisfies Variants;

/** Roughly what an operation takes on the wire, in bytes. */
export function sizeOfNameOperation(operation: NamePut | NameDrop): number {
  switch (operation.kind) {
    case "namePut":
      return (
        64 +
        operation.name.length * 2 +
        operation.meta.bytes.length +
        operation.supersedes.length * 64 +
        (operation.settled === undefined ? 0 : sizeOfClash(operation.settled)) +
        sizeOfSuccessor(operation.successor) +
        sizeOfRefs(operation.ended)
      );
    case "nameDrop":
      return (
        192 + operation.name.length * 2 + sizeOfSuccessor(operation.successor) + sizeOfRefs(operation.ended)
      );
  }
}

function sizeOfSuccessor(successor: Successor | undefined): number {
  return successor === undefined ? 0 : 64 + successor.meta.bytes.length + successor.supersedes.length * 64;
}

function sizeOfRefs(refs: readonly EntryRef[] | undefined): number {
  return refs === undefined ? 0 : refs.length * 64;
}

function sizeOfClash(clash: SettledClash): number {
  return clash.contenders.reduce((size, contender) => size + 96 + contender.meta.bytes.length, 0);
}
