import { InvalidArgumentError, LimitExceededError } from "../../kernel/errors.ts";
import { checkNodeId, type NodeId, type Pid } from "../../kernel/ids.ts";
import { quote } from "../../kernel/quote.ts";
import { Value } from "../../kernel/value.ts";
import { checkTopic } from "../../pubsub/names.ts";
import { type Judge, partOf, pathTo } from "../../pubsub/schema.ts";
import { thawed } from "../../pubsub/thawed.ts";
import type { AbortListeners } from "../abort-listeners.ts";
import { checkFrom } from "../addressing.ts";
import { checkSignal, toPid } from "../arguments.ts";
import type { GroupMessaging } from "../group-messaging.ts";
import { checkOptions } from "../known-options.ts";
import type { NodeParts } from "../parts.ts";
import { copyOf, forManyHere, isShared } from "../payload.ts";
import type { LocalProcess } from "../process.ts";
import { checkSpawnOptions } from "../spawn-options.ts";
import type { PidLike, PublishOptions } from "../types.ts";
import { type NodeTopics, REFUSED, type Subscriber } from "./node-topics.ts";
import type { Listener, PubSub, SubscribeOptions, Subscription } from "./types.ts";

/** A pub-sub, for users: it checks what they give. Those of one name on one node share their topics. */
export class NodePubSub implements PubSub {
  readonly name: string;
  readonly parts: NodeParts;
  readonly #topics: NodeTopics;
  readonly #messaging: GroupMessaging;
  readonly #judge: Judge | undefined;

  constructor(
    parts: NodeParts,
    topics: NodeTopics,
    messaging: GroupMessaging,
    name: string,
    judge: Judge | undefined,
  ) {
    this.name = name;
    this.parts = parts;
    this.#topics = topics;
    this.#messaging = messaging;
    this.#judge = judge;
  }

  subscribe(topic: string, to: PidLike | Listener, options?: SubscribeOptions): Subscription {
    const { core } = this.parts;
    core.checkTakesWork();
    checkTopic(topic);
    const given = checkOptions(options, "subscribe");
    const signal = checkSignal(given?.signal);
    const isListener = typeof to === "function";
    if (!isListener && given?.mailbox !== undefined)
      throw new InvalidArgumentError("mailbox", given.mailbox, "nothing for a process: its own counts");
    if (core.counts.subscriptions >= core.limits.subscriptions) {
      const { subscriptions } = core.limits;
      throw new LimitExceededError(
        "subscriptions",
        subscriptions,
        "this node has as many subscriptions as it may",
      );
    }
    // Before anything is spawned or counted: each of these may find no room.
    this.#topics.makeReady();
    try {
      const process = isListener
        ? this.#spawn(topic, to, given?.mailbox)
        : core.processes.checkLocal(toPid(to, "to"), "subscribe");
      return this.#begin(topic, process, isListener, signal);
    } catch (error) {
      this.#topics.tidy();
      throw error;
    }
  }

  broadcast(topic: string, message: unknown): void {
    this.#publish(topic, message, undefined);
  }

  broadcastFrom(from: PidLike | Subscription, topic: string, message: unknown): void {
    const { processes } = this.parts.core;
    if (from instanceof TopicSubscription) {
      const sender = from.isListener ? undefined : checkFrom(processes, from.process.pid);
      this.#publish(topic, message, { from: sender, except: from.process.pid });
      return;
    }
    const pid = checkFrom(processes, from as PidLike);
    this.#publish(topic, message, { from: pid, except: pid });
  }

  localBroadcast(topic: string, message: unknown): void {
    this.#publish(topic, message, { only: "local" });
  }

  directBroadcast(node: NodeId, topic: string, message: unknown): void {
    this.#publish(topic, message, { only: checkNodeId(node, "node") });
  }

  #publish(topic: string, message: unknown, options: PublishOptions | undefined): void {
    this.parts.core.checkOpen();
    checkTopic(topic);
    if (this.#judge !== undefined) this.#check(this.#judge, topic, message);
    // What was given, not what the schema makes of it: those who receive it have it made once, and not of what was made already.
    this.#messaging.publish(this.#topics.groups + topic, message, options);
  }

  /** @throws InvalidArgumentError, LimitExceededError: also for what the schema makes of it, which nobody could be given */
  #check(judge: Judge, topic: string, message: unknown): void {
    const { message: limit } = this.parts.core;
    let given: Value | undefined;
    const judgement = judge.judge(topic, () => {
      given = Value.encode(message, limit, "message");
      return thawed(given.get());
    });
    if (judgement === undefined) return;
    if (judgement.fits) {
      Value.encode(judgement.value, limit, `${judge.pathOf(topic)}.value`);
      return;
    }
    const { expected, keys } = judgement;
    const part = partOf(given?.get(), keys);
    throw new InvalidArgumentError(
      `message${pathTo(keys)}`,
      part,
      `what topic ${quote(topic)} takes: ${expected}`,
    );
  }

  #spawn(topic: string, listener: Listener, mailbox: number | undefined): LocalProcess {
    const { limits, processes, pump } = this.parts.core;
    const settings = checkSpawnOptions(
      (message, { from, missed, self }) => {
        const failed = (error: unknown): void => this.#failed(topic, self.pid, error);
        try {
          const result = listener(message, { topic, from, missed });
          // No promise of its own for each message of a listener that gives none.
          return isThenable(result) ? Promise.resolve(result).catch(failed) : undefined;
        } catch (error) {
          return failed(error);
        }
      },
      { mailbox },
      limits.mailbox,
    );
    const process = processes.create(settings);
    pump.feed({ kind: "spawned", pid: process.pid });
    return process;
  }

  /** As for every handler, but told with its topic: nobody knows the process that a listener is. */
  #failed(topic: string, pid: Pid, error: unknown): void {
    const { counts, processes } = this.parts.core;
    // What it does after its subscription has ended concerns nobody.
    if (processes.find(pid) === undefined) return;
    counts.messages.handlerErrors += 1;
    this.parts.log.warn({ topic, error }, "a listener failed");
  }

  #begin(
    topic: string,
    process: LocalProcess,
    isListener: boolean,
    signal: AbortSignal | undefined,
  ): Subscription {
    const subscription = new TopicSubscription(topic, process, isListener, {
      aborts: this.parts.core.watchQuota.aborts,
      read: this.#read,
      onEnd: (ended) => this.#topics.remove(topic, ended),
    });
    this.#topics.add(topic, subscription);
    subscription.begin(signal);
    return subscription;
  }

  /** @param given as `readPayloadForMany` gives it */
  readonly #read = (topic: string, given: unknown): unknown => {
    if (this.#judge === undefined) return given;
    const message = this.#judged(this.#judge, topic, given);
    if (message === REFUSED) this.parts.core.counts.messages.misfits += 1;
    return message;
  };

  #judged(judge: Judge, topic: string, given: unknown): unknown {
    try {
      const judgement = judge.judge(topic, () => thawed(isShared(given) ? given : copyOf(given)));
      if (judgement === undefined) return given;
      if (!judgement.fits) return REFUSED;
      // A text or number that stays what it is. What else it gives may be changed, or still in the schema's hands.
      if (Object.is(judgement.value, given)) return given;
      return forManyHere(Value.encode(judgement.value, this.parts.core.message, judge.pathOf(topic)));
    } catch (error) {
      this.parts.log.warn({ topic, error }, "a schema failed, and a message was dropped");
      return REFUSED;
    }
  }
}

interface SubscriptionOptions {
  readonly aborts: AbortListeners;
  readonly read: Subscriber["read"];
  onEnd(subscription: TopicSubscription): void;
}

class TopicSubscription implements Subscription, Subscriber {
  readonly topic: string;
  readonly process: LocalProcess;
  readonly isListener: boolean;
  readonly read: Subscriber["read"];
  readonly #options: SubscriptionOptions;
  #signal: AbortSignal | undefined;
  #hasEnded = false;

  constructor(topic: string, process: LocalProcess, isListener: boolean, options: SubscriptionOptions) {
    this.topic = topic;
    this.process = process;
    this.isListener = isListener;
    this.read = options.read;
    this.#options = options;
  }

  begin(signal: AbortSignal | undefined): void {
    this.process.onEnd(this.unsubscribe);
    if (signal?.aborted === true) {
      this.unsubscribe();
      return;
    }
    this.#signal = signal;
    if (signal !== undefined) this.#options.aborts.add(signal, this.unsubscribe);
  }

  readonly unsubscribe = (): void => {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#signal !== undefined) this.#options.aborts.remove(this.#signal, this.unsubscribe);
    this.process.offEnd(this.unsubscribe);
    this.#options.onEnd(this);
    if (this.isListener) this.process.exit();
  };

  [Symbol.dispose](): void {
    this.unsubscribe();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
