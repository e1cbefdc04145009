import { createHash } from "node:crypto";
import { type EventStream, sseEvent } from "./event-stream.ts";
import type { Feed, Place } from "./feed.ts";
import { FeedReader } from "./feed-reader.ts";
import type { Stepper } from "./turns.ts";

const DIGEST_CHARS = 12;
const ID = new RegExp(`^(\\d{1,15}(?:\\.\\d{1,15}){0,15})\\.([\\w-]{${DIGEST_CHARS}})$`);

export interface CombinedStreamOptions {
  /** In the order in which they are told. */
  readonly feeds: ReadonlyMap<string, Feed>;
  /** The one that has no rows: its latest changes are told instead. */
  readonly timeline: { readonly table: string; readonly latest: number };
  readonly stream: EventStream;
  readonly lastEventId: string | undefined;
  /** What the stream begins with, each time. JSON. */
  readonly hello: string;
}

/**
 * Several feeds in one stream, for a browser has no more than six connections to a server, however many pages are open: the data
 * of each event is `{ table, data }`. A table that is told anew is told to its end before any other says something, so that
 * every change can carry an id which says where the reader is in all of them.
 */
export class CombinedStream implements Stepper {
  readonly #feeds: readonly Feed[];
  readonly #stream: EventStream;
  readonly #readers: readonly FeedReader[];
  #digest: { readonly of: string; readonly text: string } | undefined;

  constructor({ feeds, hello, lastEventId, stream, timeline }: CombinedStreamOptions) {
    this.#feeds = [...feeds.values()];
    this.#stream = stream;
    const places = this.#parse(lastEventId);
    this.#readers = Array.from(feeds, ([table, feed], index) => {
      const place = places?.[index] ?? (table === timeline.table ? feed.latest(timeline.latest) : undefined);
      return new FeedReader({
        feed,
        place,
        isBack: lastEventId !== undefined,
        isWanted: undefined,
        show: (event, text) => sseEvent(event, `{"table":"${table}","data":${text}}`, this.#id()),
      });
    });
    stream.write(sseEvent("hello", hello));
  }

  /** Writes what the client has room for, as soon as others leave it the time. */
  pump(): void {
    this.#feeds[0]?.turns.ask(this);
  }

  step(): number {
    if (!this.#stream.isWritable) return 0;
    const text = this.#take();
    if (text !== "") this.#stream.write(text);
    return text.length;
  }

  #take(): string {
    const untold = this.#readers.find(({ place }) => place === undefined);
    if (untold !== undefined) return untold.take();
    for (const reader of this.#readers) {
      const text = reader.take();
      if (text !== "") return text;
    }
    return "";
  }

  /** Where the reader is in each feed; the epochs, which seldom change, as one digest. */
  #id(): string | undefined {
    const places: Place[] = [];
    // Called by readers, which are made one after the other.
    for (const { place } of this.#readers) {
      if (place === undefined) return undefined;
      places.push(place);
    }
    return `${places.map(({ number }) => number).join(".")}.${this.#digestOf(places)}`;
  }

  #parse(id: string | undefined): readonly Place[] | undefined {
    const [, numbers, digest] = ID.exec(id ?? "") ?? [];
    const heads = this.#feeds.map(({ head }) => head);
    const given = numbers?.split(".").map(Number) ?? [];
    if (given.length !== heads.length || digest !== this.#digestOf(heads)) return undefined;
    return heads.map(({ epoch }, index) => ({ epoch, number: given[index] ?? 0 }));
  }

  #digestOf(places: readonly Place[]): string {
    const of = places.map(({ epoch }) => epoch).join(" ");
    if (this.#digest?.of !== of) {
      const text = createHash("sha256").update(of).digest("base64url").slice(0, DIGEST_CHARS);
      this.#digest = { of, text };
    }
    return this.#digest.text;
  }
}
