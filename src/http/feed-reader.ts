import type { Feed, Place } from "./feed.ts";
import { CHUNK_CHARS, type Snapshot } from "./snapshot.ts";

type Beginning = "state" | "resync";

/** How an event is written. The place is that after it; in the midst of a snapshot there is none. */
export type Show = (event: string, text: string, place: Place | undefined) => string;

export interface FeedReaderOptions {
  readonly feed: Feed;
  /** Undefined for all: those who want all share what is made for one. */
  readonly isWanted: ((key: string) => boolean) | undefined;
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
  /** How the snapshot is told that is to be taken, or under way. */
  #beginning: Beginning;
  /** The snapshot under way, and the row that comes next. */
  #snapshot: Snapshot | undefined;
  #next = 0;

  constructor(options: FeedReaderOptions) {
    this.#options = options;
    const { feed, isBack, place } = options;
    this.#beginning = isBack ? "resync" : "state";
    if (place !== undefined && feed.isKept(place)) this.#place = place;
  }

  /** Absent in the midst of a snapshot, and before it. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** What comes next, as `show` writes it: about so much as is sent in one go. Empty when there is nothing. */
  take(): string {
    if (this.#place === undefined) return this.#rows();
    if (this.#options.feed.isKept(this.#place)) return this.#changes(this.#place);
    this.#place = undefined;
    this.#beginning = "resync";
    return this.#rows();
  }

  #rows(): string {
    const { feed, isWanted, show } = this.#options;
    // Not before it is needed: of a crowd that waits nobody holds one.
    this.#snapshot ??= feed.snapshot(isWanted);
    const { place } = this.#snapshot;
    const { next, text } = this.#snapshot.part(this.#next);
    this.#next = next ?? 0;
    if (next === undefined) {
      this.#snapshot = undefined;
      this.#place = place;
    }
    return show(this.#beginning, text, this.#place);
  }

  #changes(from: Place): string {
    const { feed, isWanted, show } = this.#options;
    let text = "";
    let place = from;
    while (text.length < CHUNK_CHARS) {
      const change = feed.next(place);
      if (change === undefined) break;
      place = { epoch: place.epoch, number: change.number };
      this.#place = place;
      if (isWanted?.(change.key) ?? true) text += show(change.event, change.text, place);
    }
    return text;
  }
}
