import type { NodeId } from "../kernel/ids.ts";
import type { Entry, Owner } from "./entry.ts";

/** Up to this many members stand in a plain array: a scan of so few is as fast as a Map, and a Map takes 200 bytes empty. */
const FEW = 8;

/**
 * One group's members. Most groups are small and a few are huge, so there are two ways to keep them: an array, and, once
 * there are more than a few, a Map by node and serial, in which every change costs the same however many there are.
 */
export class Group {
  #members: readonly Entry[] | Crowd = [];

  constructor(readonly name: string) {}

  get size(): number {
    return this.#members instanceof Crowd ? this.#members.size : this.#members.length;
  }

  find(owner: Owner, serial: number): Entry | undefined {
    if (this.#members instanceof Crowd) return this.#members.find(owner.id, serial);
    return this.#members.find((entry) => entry.serial === serial && entry.owner === owner);
  }

  add(entry: Entry): void {
    if (this.#members instanceof Crowd) this.#members.add(entry);
    // Not by spreading, which leaves room for sixteen more.
    else if (this.#members.length < FEW) this.#members = this.#members.concat(entry);
    else this.#members = new Crowd([...this.#members, entry]);
  }

  remove(entry: Entry): void {
    // A crowd stays one until it is empty, when the group goes: one that wavers around the limit is not rebuilt each time.
    if (this.#members instanceof Crowd) this.#members.remove(entry);
    else this.#members = this.#members.filter((other) => other !== entry);
  }

  entries(): Iterable<Entry> {
    return this.#members instanceof Crowd ? this.#members.all() : this.#members;
  }

  entriesOn(node: NodeId): Iterable<Entry> {
    if (this.#members instanceof Crowd) return this.#members.on(node);
    return this.#members.filter((entry) => entry.owner.id === node);
  }

  countOn(node: NodeId): number {
    if (this.#members instanceof Crowd) return this.#members.counts.get(node) ?? 0;
    return this.#members.reduce((count, entry) => (entry.owner.id === node ? count + 1 : count), 0);
  }

  /** The nodes that have members, each with how many. To be read before the next change: it may be the living one. */
  counts(): ReadonlyMap<NodeId, number> {
    if (this.#members instanceof Crowd) return this.#members.counts;
    const counts = new Map<NodeId, number>();
    for (const entry of this.#members) counts.set(entry.owner.id, (counts.get(entry.owner.id) ?? 0) + 1);
    return counts;
  }
}

/** A node that has only one member in the group, as in "one worker on each node", needs no Map of its own. */
type OnNode = Entry | Map<number, Entry>;

class Crowd {
  readonly #byNode = new Map<NodeId, OnNode>();
  /** Kept up to date at each change, because every publish reads it. */
  readonly counts = new Map<NodeId, number>();
  size = 0;

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) this.add(entry);
  }

  find(node: NodeId, serial: number): Entry | undefined {
    const there = this.#byNode.get(node);
    if (there instanceof Map) return there.get(serial);
    return there?.serial === serial ? there : undefined;
  }

  add(entry: Entry): void {
    const node = entry.owner.id;
    const there = this.#byNode.get(node);
    if (there instanceof Map) there.set(entry.serial, entry);
    else if (there === undefined) this.#byNode.set(node, entry);
    else this.#byNode.set(node, new Map([there, entry].map((each) => [each.serial, each])));
    this.counts.set(node, (this.counts.get(node) ?? 0) + 1);
    this.size += 1;
  }

  remove(entry: Entry): void {
    const node = entry.owner.id;
    const there = this.#byNode.get(node);
    if (there instanceof Map) there.delete(entry.serial);
    const left = (this.counts.get(node) ?? 0) - 1;
    if (left > 0) {
      this.counts.set(node, left);
    } else {
      this.#byNode.delete(node);
      this.counts.delete(node);
    }
    this.size -= 1;
  }

  on(node: NodeId): Iterable<Entry> {
    const there = this.#byNode.get(node);
    if (there instanceof Map) return there.values();
    return there === undefined ? [] : [there];
  }

  *all(): IterableIterator<Entry> {
    for (const there of this.#byNode.values()) {
      if (there instanceof Map) yield* there.values();
      else yield there;
    }
  }
}
