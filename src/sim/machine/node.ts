import type { Cancel } from "../../kernel/clock.ts";
import type { NodeId, Pid } from "../../kernel/ids.ts";
import { makePid } from "../../kernel/ids.ts";
import { fraction, type Random } from "../../kernel/random.ts";
import { NodeMachine } from "../../node/machine.ts";
import type { Answer, NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { ClusterMessage } from "../../node/protocol.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { FailureDetection } from "../../node/settings.ts";
import type { Fault } from "../plan.ts";
import { LocalClock } from "./local-clock.ts";
import type { Station } from "./network.ts";
import type { World } from "./world.ts";

type Effect<K extends NodeEffect["kind"]> = Extract<NodeEffect, { kind: K }>;

/** What a node asked its machine for. */
export interface Asked {
  readonly node: SimNode;
  readonly request: number;
  readonly what: Extract<NodeInput, { request: number }>;
  readonly askedAtMs: number;
  answer: Answer | "gave up" | undefined;
}

/** How long a caller waits, as `limits.registerMs` has it. */
const PATIENCE_MS = 10_000;

/** A clock that runs fast or slow reads a little less than it should when a timer fires. */
const ROUNDING_MS = 1e-6;

/** One incarnation of a node: the machine that production runs, with a stand-in for its shell. */
export class SimNode implements Station {
  readonly machine: NodeMachine;
  readonly clock: LocalClock;
  /** Every process that it ever had, and why it ended. */
  readonly processes = new Map<Pid, Effect<"exit">["reason"] | undefined>();
  /** In the order in which they were spawned. A new one takes the place of each that ends. */
  readonly pids: Pid[] = [];
  /** Those that the present ones took the place of. */
  readonly formerPids: Pid[] = [];
  readonly asked = new Map<number, Asked>();
  connected = true;
  drops = 0;
  droppedBy: Fault["kind"] = "disconnect";
  isAlive = true;
  isReady = false;
  /** It has begun to hand over: it takes no new work. */
  isLeaving = false;
  endedAtMs: number | undefined;
  readonly startedAtMs: number;
  readonly #world: World;
  readonly #random: Random;
  readonly #turnMs: readonly [number, number];
  #knowsItIsConnected = true;
  #epoch = 1;
  #serial = 0;
  #requests = 0;
  #monitors = 0;
  #cancelTick: Cancel | undefined;
  #tickAtMs: number | undefined;
  #inputs: NodeInput[] = [];
  #isStepping = false;
  #isInTurn = false;
  #wrote = false;
  #outbox: { to: NodeId | undefined; scope: string | undefined; messages: ClusterMessage[] }[] = [];
  #counted: { readonly atEvent: number; readonly counters: Readonly<Record<string, number>> } | undefined;
  /** What came while its process stood still. */
  #kept: NodeInput[] | undefined;
  #late: (() => void)[] = [];

  constructor(
    world: World,
    readonly id: NodeId,
    readonly place: number,
    failureDetection: FailureDetection,
  ) {
    this.#world = world;
    this.#turnMs = world.plan.turnMs;
    this.#random = world.random.fork(`turns:${id}`);
    this.clock = new LocalClock(world.clock);
    this.startedAtMs = world.nowMs;
    this.machine = new NodeMachine({
      id,
      failureDetection,
      limits: { namesPerNode: 1_000_000, resolverMs: 5_000 },
    });
  }

  get isPaused(): boolean {
    return this.#kept !== undefined;
  }

  /** What the machine counts. To work it out costs as much as many steps, so those who ask between two steps share it. */
  get counters(): Readonly<Record<string, number>> {
    const { events } = this.#world;
    if (this.#counted?.atEvent !== events)
      this.#counted = { atEvent: events, counters: this.machine.counters() };
    return this.#counted.counters;
  }

  feed(input: NodeInput): void {
    if (!this.isAlive) return;
    if (this.#kept !== undefined) {
      this.#kept.push(input);
      return;
    }
    if (this.#isStepping) {
      this.#inputs.push(input);
      return;
    }
    this.#isStepping = true;
    for (let next: NodeInput | undefined = input; next !== undefined; next = this.#inputs.shift())
      this.#step(next);
    this.#isStepping = false;
    this.#beginTurn();
    this.#setTick();
  }

  #step(input: NodeInput): void {
    const effects = this.machine.step(input, this.clock.now());
    this.#world.stepped(this, input, effects);
    for (const effect of effects) this.#carry(effect);
    this.#world.settled(this, input);
  }

  spawn(): Pid {
    this.#serial += 1;
    const pid = makePid(this.id, this.#serial);
    this.processes.set(pid, undefined);
    this.pids.push(pid);
    this.feed({ kind: "spawned", pid });
    return pid;
  }

  isRunning(pid: Pid): boolean {
    return this.isAlive && this.processes.has(pid) && this.processes.get(pid) === undefined;
  }

  /** A process ends; another takes its place in the plan. */
  exit(pid: Pid, reason: Effect<"exit">["reason"]): void {
    if (!this.isRunning(pid)) return;
    this.processes.set(pid, reason);
    this.feed({ kind: "exited", pid, reason });
    this.#replace(pid);
  }

  ask(make: (request: number) => Extract<NodeInput, { request: number }>): Asked {
    this.#requests += 1;
    const what = make(this.#requests);
    const asked: Asked = {
      node: this,
      request: this.#requests,
      what,
      askedAtMs: this.#world.nowMs,
      answer: undefined,
    };
    this.asked.set(asked.request, asked);
    this.feed(what);
    if (asked.answer === undefined) this.#world.clock.after(PATIENCE_MS, () => this.#giveUp(asked));
    return asked;
  }

  monitor(make: (monitor: number) => NodeInput): number {
    this.#monitors += 1;
    this.feed(make(this.#monitors));
    return this.#monitors;
  }

  pause(): void {
    this.#kept ??= [];
  }

  /** What came in is read before timers are looked at, as the shell sees to. */
  resume(): void {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined && kept.length > 0) this.#world.effective.add("pause");
    for (const input of kept ?? []) if (input.kind !== "tick") this.feed(input);
    this.feed({ kind: "tick" });
    for (const run of this.#late.splice(0)) run();
  }

  /** The bus has lost it. It hears of that by `noticeDrop`, or when it is connected again. */
  drop(by: Fault["kind"]): void {
    if (!this.connected) return;
    this.droppedBy = by;
    this.connected = false;
    this.drops += 1;
  }

  noticeDrop(): void {
    if (this.connected || !this.#knowsItIsConnected || !this.isAlive) return;
    this.#knowsItIsConnected = false;
    this.feed({ kind: "busDisconnected" });
  }

  reconnect(): void {
    if (this.connected || !this.isAlive) return;
    this.noticeDrop();
    this.connected = true;
    this.#knowsItIsConnected = true;
    this.#epoch += 1;
    this.feed({ kind: "busConnected", epoch: this.#epoch, serverId: "s" });
  }

  /** Says goodbye, after all that it had to say besides. */
  depart(): void {
    this.feed({ kind: "goodbye" });
    if (!this.isPaused) this.#endTurn();
    this.kill();
  }

  /** Whether anybody will notice that it is gone: it holds a name, is in a group, or waits for an answer. */
  get isMissed(): boolean {
    const names = this.machine.names(DEFAULT_SCOPE);
    const groups = this.machine.groups(DEFAULT_SCOPE);
    return (
      (names?.count(this.id) ?? 0) > 0 ||
      (groups?.list() ?? []).some((group) => groups?.count(group, this.id) !== 0) ||
      [...this.asked.values()].some(({ answer }) => answer === undefined)
    );
  }

  /** SIGKILL: nothing is said. */
  kill(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.endedAtMs = this.#world.nowMs;
    this.#cancelTick?.();
    this.#world.ended(this);
  }

  receive(
    from: SimNode,
    stamp: Extract<NodeInput, { kind: "frame" }>["stamp"],
    messages: readonly ClusterMessage[],
  ): void {
    this.feed({ kind: "frame", from: from.id, stamp, messages });
  }

  rescheduleTick(): void {
    this.#tickAtMs = undefined;
    this.#setTick();
  }

  #giveUp(asked: Asked): void {
    if (asked.answer !== undefined || !this.isAlive) return;
    if (this.isPaused) {
      // Its timers are late too, and come after what it reads first.
      this.#late.push(() => this.#giveUp(asked));
      return;
    }
    asked.answer = "gave up";
    this.feed({ kind: "abandon", request: asked.request });
  }

  #carry(effect: NodeEffect): void {
    switch (effect.kind) {
      case "send":
        this.#append(effect.to, undefined, effect.message);
        return;
      case "broadcast":
        this.#append(undefined, effect.scope, effect.message);
        return;
      case "probe":
        if (this.#knowsItIsConnected) this.#world.probe(this, effect.node);
        return;
      case "wrote":
        this.#wrote = true;
        return;
      case "answer": {
        const asked = this.asked.get(effect.request);
        if (asked !== undefined) asked.answer ??= effect.answer;
        return;
      }
      case "exit":
        if (!this.isRunning(effect.pid)) return;
        this.processes.set(effect.pid, effect.reason);
        this.feed({ kind: "exited", pid: effect.pid, reason: effect.reason });
        this.#replace(effect.pid);
        return;
      case "resolve":
        this.#world.resolve(this, effect);
        return;
      case "ready":
        this.isReady = true;
        this.#world.ready(this);
        return;
      case "notify":
      case "nameEvent":
      case "groupEvent":
      case "nodeEvent":
      case "down":
      case "fatal":
      case "forgetResolver":
      case "log":
        return;
    }
  }

  #replace(pid: Pid): void {
    const index = this.pids.indexOf(pid);
    if (index < 0) return;
    this.#serial += 1;
    const next = makePid(this.id, this.#serial);
    this.processes.set(next, undefined);
    this.pids[index] = next;
    this.formerPids[index] = pid;
    this.feed({ kind: "spawned", pid: next });
  }

  /** A frame is closed before a message for an overlapping destination goes into another. */
  #append(to: NodeId | undefined, scope: string | undefined, message: ClusterMessage): void {
    // The shell drops what machines say while it knows that the bus is away: the logs mend it.
    if (!this.#knowsItIsConnected) return;
    const last = this.#outbox.at(-1);
    if (last !== undefined && last.to === to && last.scope === scope) last.messages.push(message);
    else this.#outbox.push({ to, scope, messages: [message] });
  }

  #beginTurn(): void {
    if (this.#isInTurn || (this.#outbox.length === 0 && !this.#wrote)) return;
    this.#isInTurn = true;
    const [least, most] = this.#turnMs;
    if (most === 0) this.#endTurn();
    else
      this.#world.clock.after(least + fraction(this.#random) * (most - least), () => {
        if (this.isAlive && !this.isPaused) this.#endTurn();
        else this.#isInTurn = false;
      });
  }

  #endTurn(): void {
    if (this.#wrote) this.feed({ kind: "flush" });
    this.#wrote = false;
    this.#isInTurn = false;
    const frames = this.#outbox;
    if (frames.length === 0) return;
    this.#outbox = [];
    for (const { to, scope, messages } of frames) this.#world.transmit(this, to, scope, messages);
  }

  /** As the shell does: a timer that fires too early costs less than one set anew for each step. */
  #setTick(): void {
    const dueMs = this.machine.deadlineMs;
    if (dueMs === undefined || (this.#tickAtMs !== undefined && this.#tickAtMs <= dueMs)) return;
    this.#cancelTick?.();
    this.#tickAtMs = dueMs;
    this.#cancelTick = this.#world.clock.after(this.clock.globalDelayUntil(dueMs), this.#tick);
  }

  readonly #tick = (): void => {
    this.#tickAtMs = undefined;
    const dueMs = this.machine.deadlineMs;
    if (!this.isAlive || dueMs === undefined) return;
    if (this.clock.now().monotonicMs + ROUNDING_MS < dueMs) {
      this.#setTick();
      return;
    }
    if (this.clock.isDrifting) this.#world.effective.add("drift");
    this.feed({ kind: "tick" });
  };
}
