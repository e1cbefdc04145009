import { type ClusterNode, type Logger, type PubSub, type Subscription, TimeoutError } from "rollcall";
import { checkAlike } from "./alike.ts";
import type { ChannelLimits } from "./limits.ts";
import type { Frame } from "./messages.ts";
import type { Broadcast } from "./types.ts";
import { encodeWithin } from "./wire.ts";

/** One client in one topic. */
export interface Listener {
  deliver(frame: Frame): void;
}

/** A place in a topic, for one channel. */
export interface Seat {
  /** When it resolves, what any node sends from then on arrives here. Undefined: that is so already. */
  readonly ready: Promise<void> | undefined;
  /** From now on it is told. */
  listen(): void;
  /** Idempotent. */
  leave(): void;
}

interface Topic {
  readonly subscription: Subscription;
  readonly listeners: Set<Listener>;
  seats: number;
  ready: Promise<void> | undefined;
}

export interface TopicsParts {
  readonly node: ClusterNode;
  readonly pubsub: PubSub;
  readonly limits: Pick<ChannelLimits, "outboundBytes" | "settleMs">;
  readonly logger: Logger;
}

/**
 * The topics that have a channel on this node. However many there are, a topic is one subscription, and a message becomes a frame
 * once for all of them.
 */
export class Topics {
  readonly #parts: TopicsParts;
  readonly #topics = new Map<string, Topic>();

  constructor(parts: TopicsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#topics.size;
  }

  /** @throws what `PubSub.subscribe` throws */
  take(name: string, listener: Listener): Seat {
    const topic = this.#topics.get(name) ?? this.#open(name);
    topic.seats += 1;
    let isTaken = true;
    return {
      get ready() {
        return topic.ready;
      },
      listen: () => {
        if (isTaken) topic.listeners.add(listener);
      },
      leave: () => {
        if (!isTaken) return;
        isTaken = false;
        topic.listeners.delete(listener);
        topic.seats -= 1;
        if (topic.seats > 0) return;
        this.#topics.delete(name);
        topic.subscription.unsubscribe();
      },
    };
  }

  /**
   * Those of this node have it when this returns, as they have what their channels push: so a client sees a broadcast and the
   * answer to the event that caused it in the order in which its channel made them.
   *
   * @throws UnsendableError, and what `PubSub.broadcast` throws: then nobody gets it
   */
  broadcast(name: string, { event, payload }: Broadcast, except?: Listener): void {
    const frame = this.#encode(name, { event, payload });
    if (typeof frame === "string") checkAlike(payload);
    const topic = this.#topics.get(name);
    const { pubsub } = this.#parts;
    if (topic === undefined) {
      pubsub.broadcast(name, { event, payload });
      return;
    }
    pubsub.broadcastFrom(topic.subscription, name, { event, payload });
    fanOut(topic, frame, except);
  }

  /** @throws UnsendableError */
  #encode(topic: string, { event, payload }: Broadcast): Frame {
    return encodeWithin(this.#parts.limits.outboundBytes, { kind: "broadcast", topic, event, payload });
  }

  #open(name: string): Topic {
    const { pubsub } = this.#parts;
    const topic: Topic = {
      subscription: pubsub.subscribe(name, (message) => this.#received(name, message)),
      listeners: new Set(),
      seats: 0,
      ready: undefined,
    };
    this.#topics.set(name, topic);
    topic.ready = this.#settled(name).then(() => {
      topic.ready = undefined;
    });
    return topic;
  }

  /** Else a message that another node sends right after the client was let in might pass this node by. */
  async #settled(name: string): Promise<void> {
    const { limits, logger, node } = this.#parts;
    try {
      await node.settled({ timeoutMs: limits.settleMs });
    } catch (error) {
      // The channel's own calls tell of a node that is stopped. One that lags must not keep clients out.
      if (error instanceof TimeoutError)
        logger.warn({ topic: name, lagging: error.lagging }, "a topic was joined before all nodes knew");
    }
  }

  #received(name: string, message: unknown): void {
    const topic = this.#topics.get(name);
    if (topic === undefined || topic.listeners.size === 0) return;
    // Anybody may broadcast there.
    if (!isBroadcast(message)) {
      this.#parts.logger.warn({ topic: name }, "what was broadcast has no event, and was dropped");
      return;
    }
    try {
      fanOut(topic, this.#encode(name, message));
    } catch (error) {
      this.#parts.logger.warn({ topic: name, error }, "what was broadcast has no frame, and was dropped");
    }
  }
}

function fanOut({ listeners }: Topic, frame: Frame, except?: Listener): void {
  for (const listener of listeners) if (listener !== except) listener.deliver(frame);
}

function isBroadcast(message: unknown): message is Broadcast {
  return (
    typeof message === "object" &&
    message !== null &&
    "event" in message &&
    typeof message.event === "string" &&
    "payload" in message
  );
}
