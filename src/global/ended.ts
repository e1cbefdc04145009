import type { NodeId } from "../kernel/ids.ts";
import type { EntryRef, NameEntry } from "./name-entry.ts";

/**
 * Registrations that are over, by the word of some node that has read further in their owner's log than this one:
 *
 * 1. n1 holds a name as r; n2 takes it over as x, which supersedes r. 2. n1 gives way. n2 reads so, and releases x without a
 * tombstone. 3. n3 reads of x and of its end, and only then what n1 wrote: without this it would show r again.
 *
 * Each is kept until this node has read of the end itself. A log is applied in order, and a snapshot never takes it back, so
 * from then on the registration cannot come any more.
 */
export class Ended {
  /** By owner and name, the latest: what its owner registered before that is over as well. */
  readonly #ids = new Map<NodeId, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#ids.size === 0;
  }

  get size(): number {
    let size = 0;
    for (const ids of this.#ids.values()) size += ids.size;
    return size;
  }

  note(name: string, { owner, id }: EntryRef): void {
    let ids = this.#ids.get(owner);
    if (ids === undefined) {
      ids = new Map();
      this.#ids.set(owner, ids);
    }
    ids.set(name, Math.max(id, ids.get(name) ?? 0));
  }

  has({ owner, name, id }: Pick<NameEntry, "owner" | "name" | "id">): boolean {
    if (this.#ids.size === 0) return false;
    return id <= (this.#ids.get(owner)?.get(name) ?? 0);
  }

  /** The owner's log has passed this registration's end. */
  passed(owner: NodeId, name: string, id: number): void {
    const ids = this.#ids.get(owner);
    if (ids === undefined || (ids.get(name) ?? 0) > id) return;
    ids.delete(name);
    if (ids.size === 0) this.#ids.delete(owner);
  }

  /** The owner's log was replaced by what stood at `upTo`. */
  replaced(owner: NodeId, upTo: number, idOf: (name: string) => number | undefined): void {
    for (const [name, id] of this.#ids.get(owner) ?? []) {
      if (id <= upTo && idOf(name) !== id) this.passed(owner, name, id);
    }
  }

  /** The owner is down, and all that it wrote goes with it. */
  forget(owner: NodeId): void {
    this.#ids.delete(owner);
  }
}
