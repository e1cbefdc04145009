import { hashNumber } from "../kernel/hash.ts";
import { makePid, type NodeId } from "../kernel/ids.ts";
import { showMeta } from "../kernel/shown-meta.ts";
import { Value } from "../kernel/value.ts";
import type { Group } from "./group.ts";
import type { Member } from "./types.ts";

/**
 * One process in one group. There may be a million of these, so an entry holds the numbers that a pid is made of, not the
 * pid, and the list of a process's entries runs through the entries themselves.
 */
export class Entry {
  /** The entry of the same process made after this one. */
  newer: Entry | undefined = undefined;
  older: Entry | undefined = undefined;

  constructor(
    readonly group: Group,
    readonly owner: Owner,
    readonly serial: number,
    /** The number of the owner's operation that last wrote it. */
    public sequence: number,
    public meta: Value,
    public joins: number,
  ) {}

  toMember(): Member {
    const pid = makePid(this.owner.id, this.serial);
    const member: Member = { pid, meta: undefined, node: this.owner.id, joins: this.joins };
    return showMeta(member, this.meta);
  }
}

/** All that is known of one node's members. */
export class Owner {
  /** The newest entry of each process. */
  readonly #newest = new Map<number, Entry>();
  #digest = 0;
  #latestMeta = Value.undefined;

  constructor(readonly id: NodeId) {}

  get isEmpty(): boolean {
    return this.#newest.size === 0;
  }

  /**
   * A sum over the entries' numbers, so it does not depend on their order. A number stands for one operation of this owner
   * and so for all that the entry says: equal digests are equal tables, but for a chance of one in 2^32.
   */
  get digest(): number {
    return this.#digest;
  }

  add(entry: Entry): void {
    const older = this.#newest.get(entry.serial);
    if (older !== undefined) {
      entry.older = older;
      older.newer = entry;
    }
    this.#newest.set(entry.serial, entry);
    this.#digest = (this.#digest + hashNumber(entry.sequence)) >>> 0;
  }

  remove(entry: Entry): void {
    const { newer, older } = entry;
    if (older !== undefined) older.newer = newer;
    if (newer !== undefined) newer.older = older;
    else if (older !== undefined) this.#newest.set(entry.serial, older);
    else this.#newest.delete(entry.serial);
    entry.newer = undefined;
    entry.older = undefined;
    this.#digest = (this.#digest - hashNumber(entry.sequence)) >>> 0;
  }

  /**
   * Most members have no metadata, and those that join one after another often have the same. They share one value, instead of
   * each holding the bytes that came for it.
   */
  shared(meta: Value): Value {
    for (const known of [Value.undefined, this.#latestMeta]) {
      if (known.bytes.length === meta.bytes.length && Buffer.compare(known.bytes, meta.bytes) === 0)
        return known;
    }
    this.#latestMeta = meta;
    return meta;
  }

  renumber(entry: Entry, sequence: number): void {
    this.#digest = (this.#digest - hashNumber(entry.sequence) + hashNumber(sequence)) >>> 0;
    entry.sequence = sequence;
  }

  entriesOf(serial: number): Entry[] {
    const entries: Entry[] = [];
    for (let entry = this.#newest.get(serial); entry !== undefined; entry = entry.older) entries.push(entry);
    return entries;
  }

  *entries(): IterableIterator<Entry> {
    for (const newest of this.#newest.values()) {
      for (let entry: Entry | undefined = newest; entry !== undefined; entry = entry.older) yield entry;
    }
  }
}
