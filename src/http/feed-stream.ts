import { sseEvent } from "./event-stream.ts";
import type { Feed, Place } from "./feed.ts";
import { FeedReader } from "./feed-reader.ts";
import type { Stepper } from "./turns.ts";

/** Where a watcher's text goes. */
export interface FeedSink {
  readonly isWritable: boolean;
  write(text: string): void;
}

/** One watcher of a feed, as server-sent events. Pulls as fast as its client reads. */
export class FeedStream implements Stepper {
  readonly #feed: Feed;
  readonly #stream: FeedSink;
  readonly #reader: FeedReader;

  constructor(
    feed: Feed,
    stream: FeedSink,
    isWanted: ((key: string) => boolean) | undefined,
    lastEventId: string | undefined,
  ) {
    this.#feed = feed;
    this.#stream = stream;
    this.#reader = new FeedReader({
      feed,
      isWanted,
      place: parsePlace(lastEventId),
      isBack: lastEventId !== undefined,
      show: (event, text, place) => sseEvent(event, text, place && showPlace(place)),
    });
  }

  /** Writes what the client has room for, as soon as others leave it the time. */
  pump(): void {
    this.#feed.turns.ask(this);
  }

  step(): number {
    if (!this.#stream.isWritable) return 0;
    const text = this.#reader.take();
    if (text !== "") this.#stream.write(text);
    return text.length;
  }
}

function showPlace({ epoch, number }: Place): string {
  return `${epoch}.${number}`;
}

function parsePlace(text: string | undefined): Place | undefined {
  const [, epoch, number] = /^([\w-]{1,64})\.(\d{1,15})$/.exec(text ?? "") ?? [];
  return epoch === undefined || number === undefined ? undefined : { epoch, number: Number(number) };
}
