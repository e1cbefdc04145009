import type { Logger, Presence, PresenceEvent } from "rollcall";
import type { ChannelLimits } from "./limits.ts";
import type { Frame } from "./messages.ts";
import { PresenceTexts } from "./presence-texts.ts";
import { type EncodedJson, encode } from "./wire.ts";

/** One client that wants to know who is in a topic. */
export interface Follower {
  /** Who is there. First, and again when what came between is not known. */
  state(presences: EncodedJson): void;
  /** What has changed: a frame, the same for all. */
  diff(frame: Frame): void;
}

/** A place among those who follow one topic: nobody can be kept from following who has one. */
export interface FeedPlace {
  /** From now on it is told. @throws what the follower throws: then it follows nothing */
  readonly follow: (follower: Follower) => void;
  /** Idempotent. Afterwards nobody follows by this place. */
  readonly leave: () => void;
}

/**
 * Who is in the topics that have channels here. A topic has one watch, and one table that its events have made: what a client is
 * told first and what it is told then fit together, whatever happens meanwhile.
 */
export class PresenceFeeds {
  readonly #presence: Presence;
  readonly #logger: Logger;
  readonly #outboundBytes: number;
  readonly #feeds = new Map<string, Feed>();

  /** @param limits `outboundBytes`: how long a frame may be */
  constructor(presence: Presence, logger: Logger, { outboundBytes }: Pick<ChannelLimits, "outboundBytes">) {
    this.#presence = presence;
    this.#logger = logger;
    this.#outboundBytes = outboundBytes;
  }

  /** @throws what the node throws when it takes no more watches */
  take(topic: string): FeedPlace {
    const feed = this.#feeds.get(topic) ?? this.#open(topic);
    feed.places += 1;
    let isTaken = true;
    let following: Follower | undefined;
    const leave = (): void => {
      if (!isTaken) return;
      isTaken = false;
      if (following !== undefined) feed.remove(following);
      feed.places -= 1;
      if (feed.places > 0) return;
      this.#feeds.delete(topic);
      feed.end();
    };
    const follow = (follower: Follower): void => {
      if (!isTaken) return;
      following = follower;
      try {
        feed.add(follower);
      } catch (error) {
        leave();
        throw error;
      }
    };
    return { follow, leave };
  }

  #open(topic: string): Feed {
    const stopping = new AbortController();
    const texts = new PresenceTexts((key, error) =>
      this.#logger.warn({ topic, key, error }, "a presence that JSON cannot say is shown to no client"),
    );
    const feed = new Feed(topic, texts, this.#outboundBytes, () => stopping.abort());
    const watch = this.#presence.watch(topic, { signal: stopping.signal });
    this.#feeds.set(topic, feed);
    void (async () => {
      try {
        for await (const event of watch) feed.take(event);
      } catch (error) {
        // Only when the node was closed against its will: then all sockets close.
        this.#logger.debug({ topic, error }, "presences are not watched any more");
      }
    })();
    return feed;
  }
}

class Feed {
  readonly #topic: string;
  readonly #texts: PresenceTexts;
  readonly #outboundBytes: number;
  /** Ends the watch. */
  readonly end: () => void;
  places = 0;
  readonly #followers = new Set<Follower>();
  /** Else the first event is not here yet. */
  #isKnown = false;

  constructor(topic: string, texts: PresenceTexts, outboundBytes: number, end: () => void) {
    this.#topic = topic;
    this.#texts = texts;
    this.#outboundBytes = outboundBytes;
    this.end = end;
  }

  add(follower: Follower): void {
    this.#followers.add(follower);
    if (this.#isKnown) follower.state(this.#texts.whole);
  }

  remove(follower: Follower): void {
    this.#followers.delete(follower);
  }

  take(event: PresenceEvent): void {
    if (event.kind !== "diff") {
      this.#isKnown = true;
      this.#texts.reset(event.presences);
      this.#tellState();
      return;
    }
    if (!this.#isKnown) return;
    const payload = this.#texts.change(event.joins, event.leaves);
    if (payload === undefined) return;
    const frame = encode({ kind: "broadcast", topic: this.#topic, event: "presence_diff", payload });
    // It has whoever left and whoever came, and may be longer than what is true now. If that is too long as well, those who follow
    // learn it by its state, and their other channels live on; by a frame that is too long all of them would be sent away.
    if (Buffer.byteLength(frame) > this.#outboundBytes) this.#tellState();
    else for (const follower of this.#followers) follower.diff(frame);
  }

  #tellState(): void {
    for (const follower of this.#followers) follower.state(this.#texts.whole);
  }
}
