import type { Pid } from "../../kernel/ids.ts";
import { subscriberGroups } from "../../pubsub/names.ts";
import { Subscriptions } from "../../pubsub/subscriptions.ts";
import type { GroupMessaging } from "../group-messaging.ts";
import type { NodeParts } from "../parts.ts";
import { copyOf, isShared } from "../payload.ts";
import type { LocalProcess } from "../process.ts";
import { DEFAULT_SCOPE } from "../scope-set.ts";
import { checkSpawnOptions } from "../spawn-options.ts";

/** Who gets what is said in a topic. */
export interface Subscriber {
  readonly process: LocalProcess;
  /** What the message is for those of the same kind; `REFUSED`: nothing. */
  readonly read: (topic: string, message: unknown) => unknown;
}

export const REFUSED = Symbol("refused");

/**
 * The topics of one name, on one node. A topic is a group: of one process for each node that has subscribers, whose only purpose
 * is to be a member. Who subscribes is known to their own node alone, so a million of them burden nobody else; and what comes for
 * the group goes to them directly, in the order of everything else that comes for them.
 */
export class NodeTopics {
  readonly groups: string;
  readonly #parts: NodeParts;
  readonly #messaging: GroupMessaging;
  readonly #subscriptions = new Subscriptions<Subscriber>();
  #member: LocalProcess | undefined;

  constructor(parts: NodeParts, messaging: GroupMessaging, name: string) {
    this.groups = subscriberGroups(name);
    this.#parts = parts;
    this.#messaging = messaging;
  }

  /** @throws LimitExceededError, and then nothing has happened */
  makeReady(): void {
    const { processes, pump } = this.#parts.core;
    if (this.#member !== undefined) return;
    this.#member = processes.create(checkSpawnOptions(undefined, undefined, 1));
    pump.feed({ kind: "spawned", pid: this.#member.pid });
    this.#messaging.addTap(this.#member.pid, (group, message, from, except) => {
      this.#deliver(group.slice(this.groups.length), message, from, except);
    });
  }

  /** After `makeReady`. */
  add(topic: string, subscriber: Subscriber): void {
    const { counts, pump } = this.#parts.core;
    counts.subscriptions += 1;
    if (!this.#subscriptions.add(topic, subscriber) || this.#member === undefined) return;
    const pids = [this.#member.pid];
    pump.feed({ kind: "join", scope: DEFAULT_SCOPE, group: this.groups + topic, pids, meta: undefined });
  }

  remove(topic: string, subscriber: Subscriber): void {
    const { counts, pump } = this.#parts.core;
    counts.subscriptions -= 1;
    if (!this.#subscriptions.remove(topic, subscriber) || this.#member === undefined) return;
    const { pid } = this.#member;
    pump.feed({ kind: "leave", scope: DEFAULT_SCOPE, group: this.groups + topic, pids: [pid] });
    this.tidy();
  }

  /** Without subscribers there is no need for a member. */
  tidy(): void {
    if (this.#subscriptions.size > 0 || this.#member === undefined) return;
    const member = this.#member;
    this.#member = undefined;
    this.#messaging.removeTap(member.pid);
    member.exit();
  }

  #deliver(topic: string, given: unknown, from: Pid | undefined, except: Pid | undefined): void {
    const { processes } = this.#parts.core;
    const read = new Map<Subscriber["read"], unknown>();
    for (const subscriber of this.#subscriptions.of(topic)) {
      const { process } = subscriber;
      if (process.pid === except) continue;
      if (!read.has(subscriber.read)) read.set(subscriber.read, subscriber.read(topic, given));
      const message = read.get(subscriber.read);
      if (message === REFUSED) continue;
      const own = isShared(message) ? message : copyOf(message);
      processes.deliverTo(process, { message: own, from, reply: undefined });
    }
  }
}
