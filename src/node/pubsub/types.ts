import type { NodeId, Pid } from "../../kernel/ids.ts";
import type { PresenceEvent, PresenceMeta, Presences } from "../../pubsub/presence.ts";
import type { InputOf, OutputOf, StandardSchema, TopicSchemas } from "../../pubsub/schema.ts";
import type { PidLike, WatchIterator, WatchOptions } from "../types.ts";

export interface PubSubOptions {
  /** Those of one name in one cluster reach each other. 1 to 64 letters, digits, dashes and underscores; default `default`. */
  readonly name?: string | undefined;
  /**
   * What messages have to be: looked at where one is sent, and again where it arrives, so that a node with other schemas does no
   * harm. Who receives is given what the schema makes of it. All nodes should be given the same. A schema is given a copy, which it
   * may change; one that throws, or makes what cannot be sent, is an error of who sends.
   */
  readonly messages?: TopicSchemas | undefined;
}

/** With one schema for all topics: what it takes, and what it gives. */
export interface TypedPubSubOptions<Input, Output> extends PubSubOptions {
  readonly messages: StandardSchema<Input, Output>;
}

/** With a schema for each of some topics. */
export interface PubSubOptionsByTopic<Schemas> extends PubSubOptions {
  readonly messages: Schemas & Readonly<Record<string, StandardSchema>>;
}

/** What a listener is told besides the message. */
export interface ListenerContext {
  readonly topic: string;
  /** Who sent it, if it said so: with `broadcastFrom`, and a process. */
  readonly from?: Pid | undefined;
  /** How many messages were dropped between the last one and this, because as many waited as may: its `mailbox`. */
  readonly missed: number;
}

/** Called with one message at a time; a promise that it gives is waited for before the next. */
export type Listener<Message = unknown> = (message: Message, context: ListenerContext) => unknown;

export interface SubscribeOptions {
  /** Aborting it ends the subscription. */
  readonly signal?: AbortSignal | undefined;
  /** How many messages may wait for a listener, 1 to 10,000,000. Default: `limits.mailbox`. A process has its own. */
  readonly mailbox?: number | undefined;
}

/** Ends by `unsubscribe`, by its signal, and with its process. */
export interface Subscription extends Disposable {
  readonly topic: string;
  /**
   * Nothing comes any more. A listener is not called even with what waits for it; a process handles what has come into its
   * mailbox. Idempotent.
   */
  unsubscribe(): void;
}

/**
 * Topics, for any number of subscribers: at most once, and in order between one sender and one subscriber, together with what
 * they say to each other otherwise. A message costs at most one bus message for each node with subscribers. After Phoenix.PubSub.
 */
export interface PubSub<Input = unknown, Output = Input> {
  readonly name: string;
  /**
   * A process, which gets the messages as if they were sent to it, or a function. Who subscribes twice gets everything twice.
   *
   * @throws NotLocalError, NoSuchProcessError, LimitExceededError (`subscriptions`; `processes`, for a listener)
   */
  subscribe(topic: string, to: PidLike | Listener<Output>, options?: SubscribeOptions): Subscription;
  /**
   * To all subscribers.
   *
   * @throws InvalidArgumentError when the message does not fit its schema, or that does what no schema should (its `path` begins with
   * `messages`); LimitExceededError as `publish` does. Then nobody gets it
   */
  broadcast(topic: string, message: Input): void;
  /** To all but that process of this node, or that subscription. */
  broadcastFrom(from: PidLike | Subscription, topic: string, message: Input): void;
  /** To those of this node. */
  localBroadcast(topic: string, message: Input): void;
  /** To those of that node; to nobody, if it is not known. */
  directBroadcast(node: NodeId, topic: string, message: Input): void;
}

/** A pub-sub with a schema for each of some topics: topics that are written out have the types of theirs, others take anything. */
export interface PubSubByTopic<Schemas> extends PubSub {
  subscribe<Topic extends string>(
    topic: Topic,
    to: PidLike | Listener<OutputOf<Schemas, Topic>>,
    options?: SubscribeOptions,
  ): Subscription;
  broadcast<Topic extends string>(topic: Topic, message: InputOf<Schemas, Topic>): void;
  broadcastFrom<Topic extends string>(
    from: PidLike | Subscription,
    topic: Topic,
    message: InputOf<Schemas, Topic>,
  ): void;
  localBroadcast<Topic extends string>(topic: Topic, message: InputOf<Schemas, Topic>): void;
  directBroadcast<Topic extends string>(node: NodeId, topic: Topic, message: InputOf<Schemas, Topic>): void;
}

/**
 * Who is there, by topic: processes, each under one or more keys, with metadata. It stands on groups: a node that is down takes
 * its presences along, and brings them back if it was not dead. After Phoenix.Presence.
 */
export interface Presence {
  /**
   * Makes a process of this node present, until it ends.
   *
   * @param meta a plain object. Its fields may be whatever can be sent
   * @throws InvalidArgumentError; AlreadyTrackedError for a process that is there under this key; NotLocalError, NoSuchProcessError, and
   * LimitExceededError (`metadataBytes`, for all that one process says in one topic)
   */
  track(pid: PidLike, topic: string, key: string, meta?: object): PresenceMeta;
  /**
   * Replaces all of the metadata; a function is given the present ones. The new has another `phx_ref`, and the old one's as
   * `phx_ref_prev`.
   *
   * @throws NotTrackedError, and what `track` throws
   */
  update(
    pid: PidLike,
    topic: string,
    key: string,
    meta: object | ((meta: PresenceMeta) => object),
  ): PresenceMeta;
  /** From one key, one topic or all. Nothing when it is not there. */
  untrack(pid: PidLike, topic?: string, key?: string): void;
  list(topic: string): Presences;
  getByKey(topic: string, key: string): readonly PresenceMeta[];
  /**
   * Who is there first, as a `state` event, then diffs: what changed at one moment in one of them. A reader that falls behind gets a
   * `resync`.
   */
  watch(topic: string, options?: WatchOptions): WatchIterator<PresenceEvent>;
}
