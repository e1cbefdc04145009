import { addToDigest, takeFromDigest } from "./digest.ts";
import { ENDS_UNDER_WAY } from "./limits.ts";

/** What a watcher says of its watches, next to what stands here. */
export type CheckOutcome =
  | { readonly kind: "same" }
  /** It has not heard of these ends, or not yet: the first has this number. */
  | { readonly kind: "behind"; readonly first: number; readonly serials: readonly number[] }
  | { readonly kind: "different" };

/** An end that the watcher was told of. */
interface Told {
  readonly serial: number;
  /** False once the watcher has said that it does not watch this any more: its word crossed that of the end. */
  isWatched: boolean;
}

/** The processes of this node that one other node watches, all of them alive. */
export class WatcherRecord {
  readonly serials = new Set<number>();
  /** When it last said what it watches, or added to it. */
  heardAtMs = 0;
  #digest = 0;
  /** How many ends it was told. */
  #told = 0;
  /** What was told up to here was told before the last list of all watches came, and is told again if the list named it. */
  #base = 0;
  /** The latest ends told, the last being number `#told`. */
  #recent: Told[] = [];
  /** The last of them for each process: one that has ended already may be watched again, and is told again. */
  #lastOf = new Map<number, Told>();
  #incoming: { next: number; readonly base: number; readonly serials: Set<number> } | undefined;

  add(serial: number): boolean {
    if (this.serials.has(serial)) return false;
    this.serials.add(serial);
    this.#digest = addToDigest(this.#digest, serial);
    return true;
  }

  remove(serial: number): boolean {
    if (!this.serials.delete(serial)) return false;
    this.#digest = takeFromDigest(this.#digest, serial);
    return true;
  }

  /** The watcher takes back a watch on what has ended meanwhile, before it has heard of that. */
  takeBack(serial: number): void {
    const told = this.#lastOf.get(serial);
    if (told !== undefined) told.isWatched = false;
  }

  /** Gives the next numbers to these ends, and says the first. */
  tell(serials: readonly number[]): number {
    const first = this.#told + 1;
    this.#told += serials.length;
    for (const serial of serials) {
      const told = { serial, isWatched: true };
      this.#recent.push(told);
      this.#lastOf.set(serial, told);
    }
    // Not at every end: cutting an array costs its length.
    if (this.#recent.length > 2 * ENDS_UNDER_WAY) {
      this.#recent = this.#recent.slice(-ENDS_UNDER_WAY);
      this.#lastOf = new Map(this.#recent.map((told) => [told.serial, told]));
    }
    return first;
  }

  /**
   * A check is compared with what stood here when the watcher made it, for ends may be under way to it: those numbered later
   * than the last it has heard of are added back, but for what it has taken back itself. So processes that end all the time do
   * not make every check differ.
   */
  check(count: number, hash: number, seen: number): CheckOutcome {
    if (seen > this.#told) return { kind: "different" };
    const from = Math.max(seen, this.#base);
    const missing = this.#told - from;
    if (missing > this.#recent.length) return { kind: "different" };
    const ends = missing === 0 ? [] : this.#recent.slice(-missing);
    const watched = ends.filter((told) => told.isWatched);
    const digest = watched.reduce((sum, told) => addToDigest(sum, told.serial), this.#digest);
    if (count !== this.serials.size + watched.length || hash !== digest) return { kind: "different" };
    if (missing === 0) return { kind: "same" };
    return { kind: "behind", first: from + 1, serials: ends.map((told) => told.serial) };
  }

  /**
   * Takes a part of the list of all watches. Called before the dead in it are told.
   *
   * @param alive the serials in this part that are alive
   * @returns all that are watched, with the last part; undefined before, and when a part was lost: a check will tell
   */
  receive(index: number, last: boolean, alive: readonly number[]): ReadonlySet<number> | undefined {
    if (index === 0) this.#incoming = { next: 0, base: this.#told, serials: new Set() };
    const incoming = this.#incoming;
    if (incoming === undefined || incoming.next !== index) {
      this.#incoming = undefined;
      return undefined;
    }
    incoming.next += 1;
    for (const serial of alive) incoming.serials.add(serial);
    if (!last) return undefined;
    this.#incoming = undefined;
    this.#base = incoming.base;
    return incoming.serials;
  }
}
