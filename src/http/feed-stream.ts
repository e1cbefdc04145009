import { sseEvent } from "./event-stream.ts";
import type { Feed, Place, Row } from "./feed.ts";

/** How many rows an event of a snapshot has, and about how much is written in one go. */
const ROWS = 500;
const CHUNK_CHARS = 64 * 1024;

/** Where a watcher's text goes. */
export interface FeedSink {
  readonly isWritable: boolean;
  write(text: string): void;
}

interface Snapshot {
  readonly event: "state" | "resync";
  readonly rows: readonly Row[];
  readonly place: Place;
  next: number;
}

/**
 * One watcher of a feed. It is told the table first, in one or more `state` events of which the last says `last: true`; then each
 * change. One that comes back with a place that is kept goes on from there; else, as when it falls behind, the table comes anew,
 * in `resync` events. Pulls as fast as its client reads, and keeps nothing for it.
 */
export class FeedStream {
  readonly #feed: Feed;
  readonly #stream: FeedSink;
  readonly #isWanted: (key: string) => boolean;
  #place: Place | undefined;
  /** The rest of a snapshot under way, and where it was taken. */
  #snapshot: Snapshot | undefined;

  constructor(
    feed: Feed,
    stream: FeedSink,
    isWanted: (key: string) => boolean,
    lastEventId: string | undefined,
  ) {
    this.#feed = feed;
    this.#stream = stream;
    this.#isWanted = isWanted;
    const place = parsePlace(lastEventId);
    if (place !== undefined && feed.isKept(place)) this.#place = place;
    else this.#begin(lastEventId === undefined ? "state" : "resync");
  }

  /** Writes what the client has room for. */
  pump(): void {
    while (this.#stream.isWritable) {
      if (this.#place !== undefined && !this.#feed.isKept(this.#place)) this.#begin("resync");
      const text = this.#snapshot === undefined ? this.#changes() : this.#rows(this.#snapshot);
      if (text === "") return;
      this.#stream.write(text);
    }
  }

  #begin(event: "state" | "resync"): void {
    this.#place = undefined;
    this.#snapshot = { event, rows: this.#feed.rows(this.#isWanted), place: this.#feed.head, next: 0 };
  }

  #rows(snapshot: Snapshot): string {
    const rows = snapshot.rows.slice(snapshot.next, snapshot.next + ROWS);
    snapshot.next += rows.length;
    const isLast = snapshot.next >= snapshot.rows.length;
    const text = `{"items":[${rows.map((row) => row.text()).join(",")}],"last":${isLast}}`;
    if (!isLast) return sseEvent(snapshot.event, text);
    this.#snapshot = undefined;
    this.#place = snapshot.place;
    return sseEvent(snapshot.event, text, showPlace(snapshot.place));
  }

  #changes(): string {
    let text = "";
    while (this.#place !== undefined && text.length < CHUNK_CHARS) {
      const change = this.#feed.next(this.#place);
      if (change === undefined) break;
      this.#place = { epoch: this.#place.epoch, number: change.number };
      if (this.#isWanted(change.key)) text += sseEvent(change.event, change.text, showPlace(this.#place));
    }
    return text;
  }
}

function showPlace({ epoch, number }: Place): string {
  return `${epoch}.${number}`;
}

function parsePlace(text: string | undefined): Place | undefined {
  const [, epoch, number] = /^([\w-]{1,64})\.(\d{1,15})$/.exec(text ?? "") ?? [];
  return epoch === undefined || number === undefined ? undefined : { epoch, number: Number(number) };
}
