import type { Feed, Place, Row } from "./feed.ts";

/** How many rows an event of a snapshot has, and about how much is taken in one go. */
const ROWS = 500;
const CHUNK_CHARS = 64 * 1024;

interface Snapshot {
  readonly event: "state" | "resync";
  readonly rows: readonly Row[];
  readonly place: Place;
  next: number;
}

/** How an event is written. The place is that after it; in the midst of a snapshot there is none. */
export type Show = (event: string, text: string, place: Place | undefined) => string;

export interface FeedReaderOptions {
  readonly feed: Feed;
  readonly isWanted: (key: string) => boolean;
  /** Where to go on, if it is kept. */
  readonly place: Place | undefined;
  /** Whether the reader has been here before: a table that it has to be told anew is a `resync` then. */
  readonly isBack: boolean;
  readonly show: Show;
}

/**
 * One reader's way through a feed: first the table, in one or more `state` events of which the last says `last: true`; then each
 * change. One that comes back with a place that is kept goes on from there; else, as when it falls behind, the table comes anew,
 * in `resync` events. Keeps nothing for the reader but its place.
 */
export class FeedReader {
  readonly #options: FeedReaderOptions;
  #place: Place | undefined;
  /** The rest of a snapshot under way, and where it was taken. */
  #snapshot: Snapshot | undefined;

  constructor(options: FeedReaderOptions) {
    this.#options = options;
    const { feed, isBack, place } = options;
    if (place !== undefined && feed.isKept(place)) this.#place = place;
    else this.#begin(isBack ? "resync" : "state");
  }

  /** Absent in the midst of a snapshot. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** What comes next, as `show` writes it: about so much as is sent in one go. Empty when there is nothing. */
  take(): string {
    if (this.#place !== undefined && !this.#options.feed.isKept(this.#place)) this.#begin("resync");
    return this.#snapshot === undefined ? this.#changes() : this.#rows(this.#snapshot);
  }

  #begin(event: "state" | "resync"): void {
    const { feed, isWanted } = this.#options;
    this.#place = undefined;
    this.#snapshot = { event, rows: feed.rows(isWanted), place: feed.head, next: 0 };
  }

  #rows(snapshot: Snapshot): string {
    const rows = snapshot.rows.slice(snapshot.next, snapshot.next + ROWS);
    snapshot.next += rows.length;
    const isLast = snapshot.next >= snapshot.rows.length;
    const text = `{"items":[${rows.map((row) => row.text()).join(",")}],"last":${isLast}}`;
    if (isLast) {
      this.#snapshot = undefined;
      this.#place = snapshot.place;
    }
    return this.#options.show(snapshot.event, text, this.#place);
  }

  #changes(): string {
    const { feed, isWanted, show } = this.#options;
    let text = "";
    while (this.#place !== undefined && text.length < CHUNK_CHARS) {
      const change = feed.next(this.#place);
      if (change === undefined) break;
      this.#place = { epoch: this.#place.epoch, number: change.number };
      if (isWanted(change.key)) text += show(change.event, change.text, this.#place);
    }
    return text;
  }
}
