import type { Logger, Presence, PresenceEvent, PresenceMeta, Presences } from "rollcall";
import type { Frame } from "./messages.ts";
import { encode } from "./wire.ts";

/** One client that wants to know who is in a topic. */
export interface Follower {
  /** Who is there. First, and again when what came between is not known. */
  state(presences: Presences): void;
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

  /** @returns ends it; idempotent */
  follow(topic: string, follower: Follower): () => void {
    const feed = this.#feeds.get(topic) ?? this.#open(topic);
    feed.add(follower);
    return () => {
      if (!feed.remove(follower) || this.#feeds.get(topic) !== feed) return;
      this.#feeds.delete(topic);
    };
  }

  #open(topic: string): Feed {
    const stopping = new AbortController();
    const feed = new Feed(topic, () => stopping.abort());
    const watch = this.#presence.watch(topic, { signal: stopping.signal });
    this.#feeds.set(topic, feed);
    void (async () => {
      try {
        for await (const event of watch) this.#tell(feed, topic, event);
      } catch (error) {
        // Only when the node was closed against its will: then all sockets close.
        this.#logger.debug({ topic, error }, "presences are not watched any more");
      }
    })();
    return feed;
  }

  #tell(feed: Feed, topic: string, event: PresenceEvent): void {
    try {
      feed.take(event);
    } catch (error) {
      // Somebody who does not use channels is present with what JSON cannot say.
      this.#logger.warn({ topic, error }, "clients were not told of a change of presences");
    }
  }
}

class Feed {
  readonly #topic: string;
  readonly #onIdle: () => void;
  readonly #followers = new Set<Follower>();
  /** Undefined: the first event is not here yet. */
  #table: Map<string, readonly PresenceMeta[]> | undefined;

  constructor(topic: string, onIdle: () => void) {
    this.#topic = topic;
    this.#onIdle = onIdle;
  }

  add(follower: Follower): void {
    this.#followers.add(follower);
    if (this.#table !== undefined) follower.state(presencesOf(this.#table));
  }

  /** @returns whether it was the last */
  remove(follower: Follower): boolean {
    if (!this.#followers.delete(follower) || this.#followers.size > 0) return false;
    this.#onIdle();
    return true;
  }

  take(event: PresenceEvent): void {
    if (event.kind !== "diff") {
      this.#table = new Map(Object.entries(event.presences).map(([key, { metas }]) => [key, metas]));
      for (const follower of this.#followers) follower.state(event.presences);
      return;
    }
    const { joins, leaves } = event;
    if (this.#table === undefined) return;
    apply(this.#table, joins, leaves);
    const frame = encode({
      kind: "broadcast",
      topic: this.#topic,
      event: "presence_diff",
      payload: { joins, leaves },
    });
    for (const follower of this.#followers) follower.diff(frame);
  }
}

/** As the client does it: joins first, and nothing but the reference tells metas from each other. */
function apply(table: Map<string, readonly PresenceMeta[]>, joins: Presences, leaves: Presences): void {
  for (const [key, { metas }] of Object.entries(joins)) table.set(key, [...(table.get(key) ?? []), ...metas]);
  for (const [key, { metas }] of Object.entries(leaves)) {
    const gone = new Set(metas.map(({ phx_ref }) => phx_ref));
    const left = (table.get(key) ?? []).filter(({ phx_ref }) => !gone.has(phx_ref));
    if (left.length === 0) table.delete(key);
    else table.set(key, left);
  }
}

function presencesOf(table: ReadonlyMap<string, readonly PresenceMeta[]>): Presences {
  // Defines own properties, whatever the keys are called.
  return Object.fromEntries([...table].map(([key, metas]) => [key, { metas }]));
}
