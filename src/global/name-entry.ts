import type { Stamp } from "../kernel/hlc.ts";
import { compareText, makePid, type NodeId, type Pid } from "../kernel/ids.ts";
import { showMeta } from "../kernel/shown-meta.ts";
import type { Value } from "../kernel/value.ts";
import type { Contender, Registration } from "../resolve/types.ts";
import type { NameEnd, NamePut, Successor, Superseded } from "./name-ops.ts";

/** One node's entry for one name, as every node holds it. Never changed: a write puts another in its place. */
export interface NameEntry {
  readonly name: string;
  readonly owner: NodeId;
  /** With the owner, names the registration for ever: the number of the operation that began it. */
  readonly id: number;
  /** The number of the operation that last wrote it. */
  readonly sequence: number;
  /** 0: over; kept for what it supersedes. */
  readonly serial: number;
  readonly meta: Value;
  readonly stamp: Stamp;
  readonly claim: number;
  readonly supersedes: readonly Superseded[];
  /** Of what is over: the process that had it. */
  readonly was: number;
  /** Told by the former owner, ahead of the new owner's own word. */
  readonly provisional: boolean;
}

/** A registration without its content. */
export interface EntryRef {
  readonly owner: NodeId;
  readonly id: number;
}

export function sameRegistration(left: EntryRef, right: EntryRef): boolean {
  return left.id === right.id && left.owner === right.owner;
}

export function pidOf(entry: NameEntry): Pid {
  return makePid(entry.owner, entry.serial);
}

/** Oldest first; the same on every node. */
export function byAge(left: NameEntry, right: NameEntry): number {
  return compareText(left.stamp, right.stamp) || compareText(left.owner, right.owner) || left.id - right.id;
}

export function revisionOf(entry: NameEntry): string {
  return `${entry.owner}:${entry.sequence}`;
}

export function toRegistration(entry: NameEntry): Registration {
  return showMeta(
    {
      name: entry.name,
      pid: pidOf(entry),
      meta: undefined,
      node: entry.owner,
      revision: revisionOf(entry),
    },
    entry.meta,
  );
}

export function toContender(entry: NameEntry): Contender {
  return showMeta({ ...toRegistration(entry), registeredAt: entry.stamp }, entry.meta);
}

export function toSuccessor(entry: NameEntry): Successor {
  const { owner, id, sequence, serial, meta, stamp, supersedes } = entry;
  return { owner, id, sequence, serial, meta, stamp, supersedes };
}

/** The entry as its owner would write it again. */
export function putOf(entry: NameEntry): NamePut {
  const { name, id, serial, meta, stamp, claim, supersedes, was } = entry;
  return {
    kind: "namePut",
    name,
    id,
    serial,
    meta,
    stamp,
    claim,
    supersedes,
    reason: undefined,
    settled: undefined,
    successor: undefined,
    ended: undefined,
    was,
  };
}

/** A name's holder changed on this node. */
export interface HolderChange {
  readonly name: string;
  readonly before: NameEntry | undefined;
  readonly after: NameEntry | undefined;
  /** Why `before` is gone, where it is. */
  readonly end: NameEnd;
}
