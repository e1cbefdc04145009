import type { Clock } from "../kernel/clock.ts";

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

  constructor(options: {
    readonly rows: Rows;
    readonly clock: Clock;
    readonly capacity: number;
    readonly newEpoch: () => string;
  }) {
    this.#rows = options.rows;
    this.#clock = options.clock;
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

  /** The rows as they are now. */
  rows(isWanted: (key: string) => boolean): readonly Row[] {
    const rows: Row[] = [];
    for (const row of this.#rows()) if (isWanted(row.key)) rows.push(row);
    return rows;
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

  end(): void {
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
