import type { NodeId, Pid } from "../../kernel/ids.ts";
import { nodeOfPid } from "../../kernel/ids.ts";
import type { Subscription } from "../../node/pubsub/types.ts";
import type { Operation } from "../plan.ts";
import { TOPICS } from "./generate.ts";
import type { Mail, Said } from "./mail.ts";
import { failsAt, type Program } from "./programs.ts";
import type { RunRecord } from "./record.ts";
import type { Member } from "./world.ts";

type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

/** What a process says in a topic. */
interface Spoken extends Said {
  readonly topic: string;
  readonly how: Of<"broadcast">["how"];
  /** The only node that it is for. */
  readonly only: NodeId | undefined;
}

interface Subscribed {
  readonly topic: string;
  readonly fromMs: number;
  /** When it was ended by hand. It ends with its process, too. */
  untilMs: number | undefined;
}

/** Somebody who hears what is said in topics: a process, or a listener. */
interface Hearer {
  readonly id: string;
  readonly pid: Pid | undefined;
  readonly member: Member;
  readonly node: NodeId;
  readonly subscribed: Subscribed[];
  /** How often it has heard each thing. */
  readonly heard: Map<string, number>;
  readonly expected: { readonly spoken: Spoken; readonly times: number; readonly atMs: number }[];
  /** How many it was told that it has missed. */
  missed: number;
}

interface Open {
  readonly operation: Of<"subscribe">;
  readonly hearer: Hearer;
  readonly subscribed: Subscribed;
  readonly subscription: Subscription;
  readonly abort: AbortController;
}

/** So many wait for a listener that is slow. */
const SLOW_MAILBOX = 2;
const SLOW_MS = 7;

/** How long it may take until the nodes that are well know of a subscription. */
const SPREAD_MS = 2_000;

/**
 * Who subscribes to what, what is said there, and who hears it: only those who subscribe, once for each subscription, each sender
 * in order, and all of it where nothing goes wrong, save what a listener is told that it has missed.
 */
export class Topics {
  readonly #record: RunRecord;
  readonly #mail: Mail;
  readonly #isRunning: (pid: Pid) => boolean;
  readonly #hearers: Hearer[] = [];
  readonly #processes = new Map<Pid, Hearer>();
  readonly #open: Open[] = [];
  /** What was said, in this order, and when. */
  readonly #spoken = new Map<string, { readonly spoken: Spoken; readonly atMs: number }>();
  /** Nodes on which a slow listener was ended: what it had missed nobody was told. */
  readonly #untold = new Set<Member>();

  constructor(record: RunRecord, mail: Mail, isRunning: (pid: Pid) => boolean) {
    this.#record = record;
    this.#mail = mail;
    this.#isRunning = isRunning;
  }

  subscribe(program: Program, operation: Of<"subscribe">): void {
    const { node, member, topics, processes } = program;
    const { as, topic } = operation;
    const process = processes[operation.process];
    if (process === undefined || process.signal.aborted) return;
    const hearer = as === "process" ? this.#processOf(process.pid, member) : this.#newHearer(node.id, member);
    const subscribed: Subscribed = { topic, fromMs: this.#record.world.nowMs, untilMs: undefined };
    hearer.subscribed.push(subscribed);
    const abort = new AbortController();
    const { signal } = abort;
    const subscription =
      as === "process"
        ? topics.subscribe(topic, process, { signal })
        : topics.subscribe(
            topic,
            (message, context) => {
              if (context.topic !== topic)
                this.#record.fail("a listener is told the topic", `${context.topic}, not ${topic}`);
              if (subscribed.untilMs !== undefined)
                this.#record.fail("who has unsubscribed is not called any more", hearer.id);
              return this.#listen(hearer, as === "slow", message, context);
            },
            { signal, mailbox: as === "slow" ? SLOW_MAILBOX : undefined },
          );
    this.#open.push({ operation, hearer, subscribed, subscription, abort });
    this.#record.observe(hearer.id, `subscribes to ${topic}`, "input");
    this.#record.mark(`subscribes: ${as}`);
  }

  /** The first of those that were made in this way. */
  unsubscribe({ member }: Program, { as, by, process, topic }: Of<"unsubscribe">): void {
    const index = this.#open.findIndex(
      ({ hearer, operation }) =>
        hearer.member === member &&
        operation.as === as &&
        operation.process === process &&
        operation.topic === topic,
    );
    const [open] = index < 0 ? [] : this.#open.splice(index, 1);
    if (open === undefined) return;
    if (by === "hand") open.subscription.unsubscribe();
    else open.abort.abort();
    open.subscribed.untilMs = this.#record.world.nowMs;
    if (as === "slow") this.#untold.add(member);
    this.#record.observe(open.hearer.id, `unsubscribes from ${topic}`, "input");
    this.#record.mark(`unsubscribes: ${by}`);
  }

  broadcast(program: Program, { how, process, topic }: Of<"broadcast">, to: NodeId | undefined): void {
    const { node, topics } = program;
    const from = program.processes[process];
    if (from === undefined || from.signal.aborted || (how === "direct" && to === undefined)) return;
    const only = how === "local" ? node.id : how === "direct" ? to : undefined;
    const spoken: Spoken = { ...this.#mail.next(from.pid), topic, how, only };
    this.#spoken.set(keyOf(spoken), { spoken, atMs: this.#record.world.nowMs });
    this.#record.observe(from.pid, `broadcasts ${spoken.number} in ${topic} (${how})`, "input");
    this.#expect(program, spoken);
    try {
      if (how === "all") topics.broadcast(topic, spoken);
      else if (how === "others") topics.broadcastFrom(from, topic, spoken);
      else if (how === "local") topics.localBroadcast(topic, spoken);
      else if (to !== undefined) topics.directBroadcast(to, topic, spoken);
    } catch (error) {
      this.#record.fail("a broadcast is taken", String(error));
    }
    this.#record.mark(`broadcasts: ${how}`);
  }

  /** Whoever has missed something last is told so with the next message: there is one more for everybody. */
  tellMissed(program: Program): void {
    for (const topic of TOPICS) {
      const closing = {
        kind: "broadcast",
        atMs: 0,
        node: 0,
        process: 0,
        topic,
        how: "local",
        times: 1,
      } as const;
      this.broadcast(program, closing, undefined);
    }
  }

  /** To a process, as if it was sent to it. */
  delivered(
    pid: Pid,
    message: Spoken,
    context: { readonly from?: Pid | undefined; readonly missed: number },
  ): void {
    const hearer = this.#processes.get(pid);
    if (hearer !== undefined) this.#hear(hearer, message, context);
    else this.#record.fail(ONLY_SUBSCRIBERS, `${pid}: ${keyOf(message)} of ${message.topic}`);
  }

  atRest(programs: readonly Program[]): void {
    for (const hearer of this.#hearers) this.#nothingLost(hearer);
    for (const { node, member } of programs) {
      const told = this.#hearers
        .filter((hearer) => hearer.member === member)
        .reduce((sum, { missed }) => sum + missed, 0);
      const { mailboxFull } = node.stats().messages;
      if (told > mailboxFull || (told < mailboxFull && !this.#untold.has(member)))
        this.#record.fail("what is missed adds up", `${told} told on ${node.id}, of ${mailboxFull}`);
      if (told > 0) this.#record.mark("a slow listener is told what it missed");
    }
    this.#nobodyForgotten(programs);
  }

  async #listen(
    hearer: Hearer,
    isSlow: boolean,
    message: unknown,
    context: { readonly from?: Pid | undefined; readonly missed: number },
  ): Promise<void> {
    if (!isSpoken(message)) {
      this.#record.fail("messages come as they were sent", `${JSON.stringify(message)} to ${hearer.id}`);
      return;
    }
    this.#hear(hearer, message, context);
    if (isSlow) await new Promise<void>((resolve) => hearer.member.clock.after(SLOW_MS, resolve));
    if (failsAt(message.number)) throw new Error("a listener that throws");
  }

  #hear(
    hearer: Hearer,
    spoken: Spoken,
    { from, missed }: { readonly from?: Pid | undefined; readonly missed: number },
  ): void {
    const record = this.#record;
    const { nowMs } = record.world;
    const key = keyOf(spoken);
    const what = `${key} in ${spoken.topic}, to ${hearer.id}`;
    record.observe(hearer.id, `hears ${key} in ${spoken.topic}`);
    hearer.missed += missed;
    if (missed > 0) this.#missedBefore(hearer, spoken);
    const times = (hearer.heard.get(key) ?? 0) + 1;
    hearer.heard.set(key, times);
    const saidAtMs = this.#spoken.get(key)?.atMs ?? nowMs;
    const allowed = hearer.subscribed.filter(
      ({ topic, untilMs }) => topic === spoken.topic && (untilMs ?? nowMs) >= saidAtMs,
    ).length;
    if (allowed === 0) record.fail(ONLY_SUBSCRIBERS, what);
    else if (times > allowed) record.fail("what is broadcast comes once for each subscription", what);
    if (times > 1) record.mark("who subscribes twice hears twice");
    this.#mail.inOrder(spoken, hearer.id, times > 1);
    if (from !== (spoken.how === "others" ? spoken.from : undefined))
      record.fail("messages tell who sent them", `${what}, as of ${from}`);
    if (spoken.how === "others" && hearer.pid === spoken.from)
      record.fail("who says it does not hear it", what);
    if (spoken.only !== undefined && spoken.only !== hearer.node)
      record.fail("only the node that is meant hears it", `${what}, not ${spoken.only}`);
  }

  /** What others say may be on its way for any time. But where something is said, it is missed, or heard, in that order. */
  #missedBefore(hearer: Hearer, heard: Spoken): void {
    if (nodeOfPid(heard.from) !== hearer.node) return;
    let unheard = 0;
    for (const [key, { spoken }] of this.#spoken) {
      if (key === keyOf(heard)) break;
      const isMeant = spoken.only === undefined || spoken.only === hearer.node;
      if (spoken.topic === heard.topic && isMeant && !hearer.heard.has(key)) unheard += 1;
    }
    if (hearer.missed > unheard)
      this.#record.fail(
        "what is missed comes before what is heard",
        `${hearer.missed} told to ${hearer.id} before ${keyOf(heard)}, of ${unheard}`,
      );
  }

  /** Of a subscription that is new, or on a node that is not known here, nothing can be expected. */
  #expect({ node }: Program, spoken: Spoken): void {
    const atMs = this.#record.world.nowMs;
    const known = new Set(node.nodes().map(({ id }) => id));
    for (const hearer of this.#hearers) {
      if (!known.has(hearer.node) || (spoken.only !== undefined && spoken.only !== hearer.node)) continue;
      if ((spoken.how === "others" && hearer.pid === spoken.from) || !this.#isThere(hearer)) continue;
      const sinceMs = hearer.node === node.id ? atMs : atMs - SPREAD_MS;
      const times = hearer.subscribed.filter(
        ({ topic, fromMs, untilMs }) => topic === spoken.topic && untilMs === undefined && fromMs <= sinceMs,
      ).length;
      if (times > 0) hearer.expected.push({ spoken, times, atMs });
    }
  }

  #nothingLost(hearer: Hearer): void {
    const record = this.#record;
    const lost: string[] = [];
    for (const { spoken, times, atMs } of hearer.expected) {
      if ((hearer.heard.get(keyOf(spoken)) ?? 0) >= times) continue;
      const hasLeft = hearer.subscribed.some(
        ({ topic, untilMs }) => topic === spoken.topic && untilMs !== undefined && untilMs >= atMs,
      );
      if (
        hasLeft ||
        !this.#isThere(hearer) ||
        this.#mail.isExcused(nodeOfPid(spoken.from), hearer.node, atMs)
      )
        record.mark("a broadcast was lost, with cause");
      else lost.push(`${keyOf(spoken)}, said at ${atMs.toFixed(1)} ms`);
    }
    if (lost.length > hearer.missed)
      record.fail(
        "no broadcast is lost when nothing goes wrong",
        `${lost.join("; ")}: to ${hearer.id}, which was told of ${hearer.missed}`,
      );
  }

  /** Nodes know of just the subscriptions that there are, and others of the nodes that have some. */
  #nobodyForgotten(programs: readonly Program[]): void {
    for (const { node, member } of programs) {
      const here = this.#hearers.filter((hearer) => hearer.member === member && this.#isThere(hearer));
      const live = here.flatMap(({ subscribed }) =>
        subscribed.filter(({ untilMs }) => untilMs === undefined),
      );
      const { processes, subscriptions } = node.stats();
      if (subscriptions !== live.length)
        this.#record.fail("subscriptions are counted", `${subscriptions} on ${node.id}, of ${live.length}`);
      // Each listener is one, and another stands for all subscribers.
      const listeners = here.filter(({ pid, subscribed }) => pid === undefined && isLive(subscribed)).length;
      const allowed = this.#record.plan.processes + listeners + (isLive(live) ? 1 : 0);
      if (processes !== allowed)
        this.#record.fail("no process is left behind", `${processes} on ${node.id}, of ${allowed}`);
      for (const topic of TOPICS) {
        const expected = live.some((each) => each.topic === topic) ? 1 : 0;
        for (const other of programs) {
          const members = other.node.groups.members(`pubsub:default:${topic}`);
          const found = members.filter((each) => each.node === node.id).length;
          if (found !== expected)
            this.#record.fail(
              "who has subscribers is known everywhere",
              `${topic} of ${node.id} on ${other.node.id}: ${found}, not ${expected}`,
            );
        }
      }
    }
  }

  #isThere({ pid, member }: Hearer): boolean {
    return member.state === "running" && (pid === undefined || this.#isRunning(pid));
  }

  #processOf(pid: Pid, member: Member): Hearer {
    const known = this.#processes.get(pid);
    if (known !== undefined) return known;
    const hearer = this.#newHearer(nodeOfPid(pid), member, pid);
    this.#processes.set(pid, hearer);
    return hearer;
  }

  #newHearer(node: NodeId, member: Member, pid?: Pid): Hearer {
    const id = pid ?? `${node} listener ${this.#hearers.length}`;
    const hearer = { id, pid, member, node, subscribed: [], heard: new Map(), expected: [], missed: 0 };
    this.#hearers.push(hearer);
    return hearer;
  }
}

const ONLY_SUBSCRIBERS = "only who subscribes to a topic hears it";

export function isSpoken(message: unknown): message is Spoken {
  return typeof message === "object" && message !== null && "topic" in message && "number" in message;
}

function isLive(subscribed: readonly Subscribed[]): boolean {
  return subscribed.some(({ untilMs }) => untilMs === undefined);
}

function keyOf({ from, number }: Said): string {
  return `${number} of ${from}`;
}
