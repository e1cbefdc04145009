import { InvalidArgumentError, LimitExceededError } from "../../kernel/errors.ts";
import { checkNodeId, type NodeId, type Pid } from "../../kernel/ids.ts";
import { quote } from "../../kernel/quote.ts";
import { Value } from "../../kernel/value.ts";
import { checkTopic, subscriberGroups } from "../../pubsub/names.ts";
import type { Judge } from "../../pubsub/schema.ts";
import { Subscriptions } from "../../pubsub/subscriptions.ts";
import type { AbortListeners } from "../abort-listeners.ts";
import { checkFrom } from "../addressing.ts";
import { checkSignal, toPid } from "../arguments.ts";
import type { GroupMessaging } from "../group-messaging.ts";
import { checkOptions } from "../known-options.ts";
import type { NodeParts } from "../parts.ts";
import { copyOf, forManyHere, isShared } from "../payload.ts";
import type { LocalProcess } from "../process.ts";
import { DEFAULT_SCOPE } from "../scope-set.ts";
import { checkSpawnOptions } from "../spawn-options.ts";
import type { PidLike, PublishOptions } from "../types.ts";
import type { Listener, PubSub, SubscribeOptions, Subscription } from "./types.ts";

/**
 * The topics of one name, on one node. A topic is a group: of one process for each node that has subscribers, whose only purpose
 * is to be a member. Who subscribes is known to their own node alone, so a million of them burden nobody else; and what comes for
 * the group goes to them directly, in the order of everything else that comes for them.
 */
export class NodePubSub implements PubSub {
  readonly name: string;
  readonly parts: NodeParts;
  readonly #messaging: GroupMessaging;
  readonly #groups: string;
  readonly #judge: Judge | undefined;
  readonly #subscriptions = new Subscriptions<TopicSubscription>();
  #member: LocalProcess | undefined;

  constructor(parts: NodeParts, messaging: GroupMessaging, name: string, judge: Judge | undefined) {
    this.name = name;
    this.parts = parts;
    this.#messaging = messaging;
    this.#groups = subscriberGroups(name);
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
    const process = isListener
      ? this.#spawn(topic, to, given?.mailbox)
      : core.processes.checkLocal(toPid(to, "to"), "subscribe");
    const subscription = new TopicSubscription(topic, process, isListener, core.watchQuota.aborts, (ended) =>
      this.#ended(ended),
    );
    core.counts.subscriptions += 1;
    if (this.#subscriptions.add(topic, subscription)) this.#join(topic);
    subscription.begin(signal);
    return subscription;
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
    const judgement = this.#judge?.(topic, message);
    if (judgement?.fits === false) {
      const { expected, path, value } = judgement;
      throw new InvalidArgumentError(
        `message${path}`,
        value,
        `what topic ${quote(topic)} takes: ${expected}`,
      );
    }
    // What was given, not what the schema makes of it: those who receive it have it made once, and not of what was made already.
    this.#messaging.publish(this.#groups + topic, message, options);
  }

  #spawn(topic: string, listener: Listener, mailbox: number | undefined): LocalProcess {
    const { limits, processes, pump } = this.parts.core;
    const settings = checkSpawnOptions(
      (message, { from, missed }) => listener(message, { topic, from, missed }),
      { mailbox },
      limits.mailbox,
    );
    const process = processes.create(settings);
    pump.feed({ kind: "spawned", pid: process.pid });
    return process;
  }

  #join(topic: string): void {
    const { processes, pump } = this.parts.core;
    if (this.#member === undefined) {
      this.#member = processes.create(checkSpawnOptions(undefined, undefined, 1));
      pump.feed({ kind: "spawned", pid: this.#member.pid });
      this.#messaging.addTap(this.#member.pid, (group, message, from, except) => {
        this.#deliver(group.slice(this.#groups.length), message, from, except);
      });
    }
    pump.feed({
      ...{ kind: "join", scope: DEFAULT_SCOPE, group: this.#groups + topic },
      ...{ pids: [this.#member.pid], meta: undefined },
    });
  }

  #ended(subscription: TopicSubscription): void {
    const { topic } = subscription;
    this.parts.core.counts.subscriptions -= 1;
    if (!this.#subscriptions.remove(topic, subscription) || this.#member === undefined) return;
    const pids = [this.#member.pid];
    this.parts.core.pump.feed({ kind: "leave", scope: DEFAULT_SCOPE, group: this.#groups + topic, pids });
  }

  #deliver(topic: string, given: unknown, from: Pid | undefined, except: Pid | undefined): void {
    const { counts, processes } = this.parts.core;
    const message = this.#judged(topic, given);
    if (message === REFUSED) {
      counts.messages.misfits += 1;
      return;
    }
    const shared = isShared(message) ? { message, from, reply: undefined } : undefined;
    for (const { process } of this.#subscriptions.of(topic)) {
      if (process.pid === except) continue;
      processes.deliverTo(process, shared ?? { message: copyOf(message), from, reply: undefined });
    }
  }

  /** As `readPayloadForMany` gives it. */
  #judged(topic: string, given: unknown): unknown {
    if (this.#judge === undefined) return given;
    try {
      const message = isShared(given) ? given : copyOf(given);
      const judgement = this.#judge(topic, message);
      if (!judgement.fits) return REFUSED;
      if (judgement.value === message) return given;
      return forManyHere(Value.encode(judgement.value, this.parts.core.message, "message"));
    } catch (error) {
      this.parts.log.warn({ topic, error }, "a schema failed, and a message was dropped");
      return REFUSED;
    }
  }
}

const REFUSED = Symbol("refused");

class TopicSubscription implements Subscription {
  readonly topic: string;
  readonly process: LocalProcess;
  readonly isListener: boolean;
  readonly #aborts: AbortListeners;
  readonly #onEnd: (subscription: TopicSubscription) => void;
  #signal: AbortSignal | undefined;
  #hasEnded = false;

  constructor(
    topic: string,
    process: LocalProcess,
    isListener: boolean,
    aborts: AbortListeners,
    onEnd: (subscription: TopicSubscription) => void,
  ) {
    this.topic = topic;
    this.process = process;
    this.isListener = isListener;
    this.#aborts = aborts;
    this.#onEnd = onEnd;
  }

  begin(signal: AbortSignal | undefined): void {
    this.process.onEnd(this.unsubscribe);
    if (signal?.aborted === true) {
      this.unsubscribe();
      return;
    }
    this.#signal = signal;
    if (signal !== undefined) this.#aborts.add(signal, this.unsubscribe);
  }

  readonly unsubscribe = (): void => {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#signal !== undefined) this.#aborts.remove(this.#signal, this.unsubscribe);
    this.process.offEnd(this.unsubscribe);
    this.#onEnd(this);
    if (this.isListener) this.process.exit();
  };

  [Symbol.dispose](): void {
    this.unsubscribe();
  }
}
