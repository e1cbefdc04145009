import type { Clock } from "../kernel/clock.ts";
import { Snapshot } from "./snapshot.ts";
import type { Turns } from "./turns.ts";

/** From how many rows on a snapshot is shared when it is not of this very moment, and how many changes it may be behind. */
const LARGE_ROWS = 2_000;
const BEHIND = 1_000;

/** A change to a table, or what a timeline tells. */
export interface Change {
  /** What it is about: what watchers choose by. */
  readonly key: string;
  readonly event: string;
  /** JSON. */
  readonly text: string;
}

interface Logged extends Change {
  readonly number: number;
}

/** A row of the table, as a snapshot has it. */
export interface Row {
  readonly key: string;
  /** JSON, made when it is needed. */
  text(): string;
}

/** Where the rows come from that a snapshot begins with. */
export type Rows = () => Iterable<Row>;

interface Watcher {
  readonly wake: () => void;
  readonly end: () => void;
}

/** One stream's place in a feed. */
export interface Place {
  readonly epoch: string;
  readonly number: number;
}

/**
 * One table, watched once however many watch it: its changes, numbered, the latest of them kept. A watcher has a place in it and
 * takes what it has room for; one whose place is not kept any more begins anew with a snapshot.
 */
export class Feed {
  /** Where its streams wait to write. */
  readonly turns: Turns;
  readonly #rows: Rows;
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #newEpoch: () => string;
  readonly #watchers = new Set<Watcher>();
  /** A ring: number `n` stands at `n % capacity`. */
  readonly #log: Logged[] = [];
  #last = 0;
  /** The last number before the present epoch. */
  #floor = 0;
  #epoch: string;
  #isWaking = false;
  #isOver = false;
  /** That of the latest reader, for as long as somebody reads it. */
  #shared: WeakRef<Snapshot> | undefined;

  constructor(options: {
    readonly rows: Rows;
    readonly clock: Clock;
    readonly turns: Turns;
    readonly capacity: number;
    readonly newEpoch: () => string;
  }) {
    this.#rows = options.rows;
    this.#clock = options.clock;
    this.turns = options.turns;
    this.#capacity = options.capacity;
    this.#newEpoch = options.newEpoch;
    this.#epoch = options.newEpoch();
  }

  get head(): Place {
    return { epoch: this.#epoch, number: this.#last };
  }

  append(change: Change): void {
    this.#last += 1;
    this.#log[this.#last % this.#capacity] = { ...change, number: this.#last };
    this.#wake();
  }

  /** The table was replaced: everybody begins anew. */
  restart(): void {
    this.#epoch = this.#newEpoch();
    this.#floor = this.#last;
    this.#wake();
  }

  /** Whether all changes after that place are kept. */
  isKept({ epoch, number }: Place): boolean {
    return (
      epoch === this.#epoch &&
      number <= this.#last &&
      number >= Math.max(this.#floor, this.#last - this.#capacity)
    );
  }

  /** The place from which there are so many changes to come, or as many as are kept. */
  latest(changes: number): Place {
    const number = Math.max(this.#floor, this.#last - Math.min(changes, this.#capacity));
    return { epoch: this.#epoch, number };
  }

  /** The change after a place that is kept. */
  next({ number }: Place): Logged | undefined {
    return number < this.#last ? this.#log[(number + 1) % this.#capacity] : undefined;
  }

  /**
   * The rows, and the place after which the changes to them come. One for all who want all rows, if it is of this place, or not
   * far behind where there are so many rows that a copy for each reader would be felt.
   *
   * @param isWanted by default every row is
   */
  snapshot(isWanted?: (key: string) => boolean): Snapshot {
    if (isWanted !== undefined) {
      const rows: Row[] = [];
      for (const row of this.#rows()) if (isWanted(row.key)) rows.push(row);
      const snapshot = new Snapshot(this.head, rows);
      snapshot.retire();
      return snapshot;
    }
    const shared = this.#shared?.deref();
    if (shared !== undefined && this.#isFresh(shared)) return shared;
    shared?.retire();
    const snapshot = new Snapshot(this.head, [...this.#rows()]);
    this.#shared = new WeakRef(snapshot);
    return snapshot;
  }

  #isFresh({ place, size }: Snapshot): boolean {
    const behind = this.#last - place.number;
    const most = size < LARGE_ROWS ? 0 : Math.min(BEHIND, Math.floor(this.#capacity / 10));
    return place.epoch === this.#epoch && behind <= most;
  }

  /**
   * @param wake called when there is more, once for what happens in a turn of the event loop
   * @param end called when there will never be more
   */
  watch(wake: () => void, end: () => void): () => void {
    const watcher = { wake, end };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Whether there will never be more: the rows are those of a table that nobody keeps any longer. */
  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
    for (const watcher of [...this.#watchers]) watcher.end();
  }

  #wake(): void {
    if (this.#isWaking || this.#watchers.size === 0) return;
    this.#isWaking = true;
    this.#clock.endOfTurn(() => {
      this.#isWaking = false;
      for (const watcher of [...this.#watchers]) watcher.wake();
    });
  }
}
