import type { Logger, Presence, PresenceEvent } from "rollcall";
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

/**
 * Who is in the topics that have channels here. A topic has one watch, and one table that its events have made: what a client is
 * told first and what it is told then fit together, whatever happens meanwhile.
 */
export class PresenceFeeds {
  readonly #presence: Presence;
  readonly #logger: Logger;
  readonly #feeds = new Map<string, Feed>();

  constructor(presence: Presence, logger: Logger) {
    this.#presence = presence;
    this.#logger = logger;
  }

  /**
   * @returns ends it; idempotent
   * @throws what the node throws when it takes no more watches, and what the follower throws: then it follows nothing
   */
  follow(topic: string, follower: Follower): () => void {
    const feed = this.#feeds.get(topic) ?? this.#open(topic);
    const leave = (): void => {
      if (feed.remove(follower)) this.#feeds.delete(topic);
    };
    try {
      feed.add(follower);
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  #open(topic: string): Feed {
    const stopping = new AbortController();
    const texts = new PresenceTexts((key, error) =>
      this.#logger.warn({ topic, key, error }, "a presence that JSON cannot say is shown to no client"),
    );
    const feed = new Feed(topic, texts, () => stopping.abort());
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
  readonly #onIdle: () => void;
  readonly #followers = new Set<Follower>();
  /** Else the first event is not here yet. */
  #isKnown = false;

  constructor(topic: string, texts: PresenceTexts, onIdle: () => void) {
    this.#topic = topic;
    this.#texts = texts;
    this.#onIdle = onIdle;
  }

  add(follower: Follower): void {
    this.#followers.add(follower);
    if (this.#isKnown) follower.state(this.#texts.whole);
  }

  /** @returns whether it was the last: nobody follows this one ever after */
  remove(follower: Follower): boolean {
    if (!this.#followers.delete(follower) || this.#followers.size > 0) return false;
    this.#onIdle();
    return true;
  }

  take(event: PresenceEvent): void {
    if (event.kind !== "diff") {
      this.#isKnown = true;
      this.#texts.reset(event.presences);
      for (const follower of this.#followers) follower.state(this.#texts.whole);
      return;
    }
    if (!this.#isKnown) return;
    const payload = this.#texts.change(event.joins, event.leaves);
    if (payload === undefined) return;
    const frame = encode({ kind: "broadcast", topic: this.#topic, event: "presence_diff", payload });
    for (const follower of this.#followers) follower.diff(frame);
  }
}
