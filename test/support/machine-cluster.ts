import { makeIncarnation, makeNodeId, makePid, type NodeId, type Pid } from "../../src/kernel/ids.ts";
import { fraction, type Random, SeededRandom } from "../../src/kernel/random.ts";
import { Value } from "../../src/kernel/value.ts";
import { VirtualClock } from "../../src/kernel/virtual-clock.ts";
import { DEFAULT_TIMES } from "../../src/monitor/settings.ts";
import { NodeMachine } from "../../src/node/machine.ts";
import type { Answer, NodeEffect, NodeInput } from "../../src/node/machine-types.ts";
import { type ClusterMessage, clusterMessages } from "../../src/node/protocol.ts";
import { keepOldest } from "../../src/resolve/resolvers.ts";
import type { Clash } from "../../src/resolve/types.ts";

type Effect<K extends NodeEffect["kind"]> = Extract<NodeEffect, { kind: K }>;

export interface ClusterOptions {
  readonly seed: string;
  /** Each frame takes this long at least and at most, drawn for each frame, but never overtakes one of its own link. */
  readonly delayMs?: readonly [number, number];
  readonly times?: Partial<typeof DEFAULT_TIMES> & { readonly arbiterTimeoutMs?: number };
  /** How long a turn lasts, at least and at most: what is sent in one leaves together. Each input is a turn when left out. */
  readonly turnMs?: readonly [number, number];
  /** Answers at once when left out. */
  readonly resolver?: (clash: Clash) => { readonly winner: Pid | "none"; readonly losers: "exit" | "notify" };
  /** How long it takes to answer, at least and at most. At once when left out. */
  readonly resolverMs?: readonly [number, number];
}

/** Node machines over links with delays of their own: no shell, no promise, virtual time. */
export class MachineCluster {
  readonly clock = new VirtualClock();
  readonly nodes = new Map<NodeId, MachineNode>();
  readonly clashes: Clash[] = [];
  /** The same, with when each was shown to a resolver, and what it says. */
  readonly judgements: { readonly clash: Clash; readonly atMs: number; readonly winner: Pid | "none" }[] = [];
  /** Frames of a link take this much longer, by `from>to`. */
  readonly #slowed = new Map<string, number>();
  /** Frames vanish without a word: nodes that hang, rather than connections that are gone. */
  silent = false;
  frames = 0;
  bytes = 0;
  readonly random: Random;
  readonly options: ClusterOptions;
  #started = 0;
  readonly #lastArrival = new Map<string, number>();
  readonly #linkRandom = new Map<string, Random>();
  #sides: ReadonlyMap<NodeId, number> | undefined;

  constructor(options: ClusterOptions) {
    this.options = options;
    this.random = new SeededRandom(options.seed);
  }

  /** Starts a node and returns at once; it is ready some virtual time later. */
  start(name: string): MachineNode {
    this.#started += 1;
    const now = this.clock.now();
    const id = makeNodeId(
      name,
      makeIncarnation(now.wallMs + this.#started, [this.random.u32(), this.random.u32()]),
    );
    const node = new MachineNode(this, id);
    this.nodes.set(id, node);
    node.feed({ kind: "start", serverId: "s", replaces: true });
    return node;
  }

  startMany(names: readonly string[]): MachineNode[] {
    const nodes = names.map((name) => this.start(name));
    this.runUntil(() => nodes.every((node) => node.ready), 30_000);
    return nodes;
  }

  run(ms: number): void {
    this.clock.advanceBy(ms);
  }

  runUntil(condition: () => boolean, withinMs: number): void {
    const endMs = this.clock.now().monotonicMs + withinMs;
    while (!condition()) {
      if (this.clock.now().monotonicMs > endMs) throw new Error(`not within ${withinMs} ms of virtual time`);
      if (!this.clock.runNext()) throw new Error("nothing left to happen");
    }
  }

  /** Frames between sides vanish; both stay connected to their part of the bus. */
  partition(...sides: readonly (readonly MachineNode[])[]): void {
    this.#sides = new Map(sides.flatMap((side, index) => side.map((node) => [node.id, index] as const)));
  }

  heal(): void {
    this.#sides = undefined;
  }

  /** Frames from one node to another take this much longer from now on. They overtake those of others, never each other. */
  slow(from: MachineNode, to: MachineNode, byMs: number): void {
    this.#slowed.set(`${from.id}>${to.id}`, byMs);
  }

  reaches(from: NodeId, to: NodeId): boolean {
    const node = this.nodes.get(to);
    if (node === undefined || node.dead) return false;
    return this.#sides === undefined || this.#sides.get(from) === this.#sides.get(to);
  }

  deliver(from: MachineNode, to: NodeId, body: Uint8Array): void {
    if (!this.reaches(from.id, to)) return;
    const stamp = from.machine.stamp(this.clock.now());
    this.frames += 1;
    this.bytes += body.length;
    this.#later(from.id, to, () => {
      const node = this.nodes.get(to);
      if (node === undefined || node.dead || !this.reaches(from.id, to)) return;
      node.feed({ kind: "frame", from: from.id, stamp, messages: clusterMessages.decodeAll(body) });
    });
  }

  probe(from: MachineNode, to: NodeId): void {
    if (this.silent || this.reaches(from.id, to)) return;
    this.#later(to, from.id, () => {
      if (!from.dead) from.feed({ kind: "noResponders", node: to });
    });
  }

  #later(from: NodeId, to: NodeId, run: () => void): void {
    const link = `${from}>${to}`;
    let random = this.#linkRandom.get(link);
    if (random === undefined) {
      random = this.random.fork(link);
      this.#linkRandom.set(link, random);
    }
    const [least, most] = this.options.delayMs ?? [0.1, 5];
    const nowMs = this.clock.now().monotonicMs;
    const atMs = Math.max(
      nowMs + least + fraction(random) * (most - least) + (this.#slowed.get(link) ?? 0),
      this.#lastArrival.get(link) ?? 0,
    );
    this.#lastArrival.set(link, atMs);
    this.clock.after(atMs - nowMs, run);
  }
}

/** One machine with a stand-in for its shell. */
export class MachineNode {
  readonly machine: NodeMachine;
  readonly answers = new Map<number, Answer>();
  readonly downs: Effect<"down">[] = [];
  readonly exits: Effect<"exit">[] = [];
  readonly notices: Effect<"notify">[] = [];
  readonly nodeEvents: Effect<"nodeEvent">["event"][] = [];
  readonly nameEvents: Effect<"nameEvent">["event"][] = [];
  readonly groupEvents: Effect<"groupEvent">["event"][] = [];
  ready = false;
  dead = false;
  fatal: Error | undefined;
  /** Called after each step: what holds at every instant is checked here. */
  afterStep: () => void = () => {};
  readonly #cluster: MachineCluster;
  #requests = 0;
  #serials = 0;
  #cancelTick: () => void = () => {};
  #inputs: NodeInput[] = [];
  #stepping = false;
  #inTurn = false;
  #wrote = false;
  #outbox: { to: NodeId | undefined; scope: string | undefined; messages: ClusterMessage[] }[] = [];

  constructor(
    cluster: MachineCluster,
    readonly id: NodeId,
  ) {
    this.#cluster = cluster;
    this.machine = new NodeMachine({
      id,
      failureDetection: { ...DEFAULT_TIMES, arbiterTimeoutMs: 3_000, ...cluster.options.times },
      limits: { namesPerNode: 1_000_000, resolverMs: 5_000 },
    });
  }

  feed(input: NodeInput): void {
    this.#inputs.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      for (const effect of this.machine.step(next, this.#cluster.clock.now())) this.#carry(effect);
      this.afterStep();
    }
    this.#stepping = false;
    this.#beginTurn();
    this.#setTick();
  }

  #beginTurn(): void {
    if (this.#inTurn) return;
    this.#inTurn = true;
    const { turnMs } = this.#cluster.options;
    if (turnMs === undefined) {
      this.#endTurn();
      return;
    }
    const [least, most] = turnMs;
    this.#cluster.clock.after(least + fraction(this.#cluster.random) * (most - least), () => {
      if (!this.dead) this.#endTurn();
    });
  }

  #endTurn(): void {
    if (this.#wrote) this.feed({ kind: "flush" });
    this.#wrote = false;
    this.#inTurn = false;
    this.#flush();
  }

  spawn(): Pid {
    this.#serials += 1;
    const pid = makePid(this.id, this.#serials);
    this.feed({ kind: "spawned", pid });
    return pid;
  }

  exit(pid: Pid): void {
    this.feed({ kind: "exited", pid, reason: { kind: "normal" } });
  }

  register(
    name: string,
    pid: Pid,
    options: { readonly takeover?: boolean; readonly meta?: unknown } = {},
  ): number {
    this.#requests += 1;
    const meta = Value.encode(options.meta, { name: "metadataBytes", bytes: 8_192 }, "meta");
    const { takeover = false } = options;
    this.feed({
      kind: "register",
      request: this.#requests,
      scope: "default",
      name,
      pid,
      meta,
      takeover,
      resolver: 0,
    });
    return this.#requests;
  }

  transfer(name: string, to: Pid): number {
    this.#requests += 1;
    this.feed({ kind: "transfer", request: this.#requests, scope: "default", name, to });
    return this.#requests;
  }

  unregister(name: string, pid?: Pid): number {
    this.#requests += 1;
    this.feed({ kind: "unregister", request: this.#requests, scope: "default", name, pid });
    return this.#requests;
  }

  request(make: (request: number) => NodeInput): number {
    this.#requests += 1;
    this.feed(make(this.#requests));
    return this.#requests;
  }

  holder(name: string): Pid | undefined {
    return this.machine.names("default")?.whereis(name)?.pid;
  }

  /** Says goodbye, after all that it had to say besides. */
  leave(): void {
    this.feed({ kind: "goodbye" });
    this.#endTurn();
    this.kill();
  }

  /** SIGKILL: nothing is said. */
  kill(): void {
    this.dead = true;
    this.#cancelTick();
    this.#cluster.nodes.delete(this.id);
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
        this.#cluster.probe(this, effect.node);
        return;
      case "wrote":
        this.#wrote = true;
        return;
      case "answer":
        this.answers.set(effect.request, effect.answer);
        return;
      case "exit":
        this.exits.push(effect);
        this.feed({ kind: "exited", pid: effect.pid, reason: effect.reason });
        return;
      case "notify":
        this.notices.push(effect);
        return;
      case "nameEvent":
        this.nameEvents.push(effect.event);
        return;
      case "groupEvent":
        this.groupEvents.push(effect.event);
        return;
      case "nodeEvent":
        this.nodeEvents.push(effect.event);
        return;
      case "down":
        this.downs.push(effect);
        return;
      case "resolve":
        this.#resolve(effect);
        return;
      case "ready":
        this.ready = true;
        return;
      case "fatal":
        this.fatal = effect.error;
        return;
      case "forgetResolver":
      case "log":
        return;
    }
  }

  #resolve(effect: Effect<"resolve">): void {
    this.#cluster.clashes.push(effect.details);
    const chosen = this.#cluster.options.resolver?.(effect.details);
    const { keep } = keepOldest(effect.details);
    const winner = chosen?.winner ?? keep;
    const atMs = this.#cluster.clock.now().monotonicMs;
    this.#cluster.judgements.push({ clash: effect.details, atMs, winner });
    const outcome =
      winner === "none"
        ? ({ kind: "none", notify: true } as const)
        : ({ kind: "keep", winner, meta: undefined, losers: chosen?.losers ?? "exit" } as const);
    const input: NodeInput = { kind: "resolved", scope: effect.details.scope, clash: effect.clash, outcome };
    const { resolverMs } = this.#cluster.options;
    if (resolverMs === undefined) {
      this.#inputs.push(input);
      return;
    }
    const [least, most] = resolverMs;
    this.#cluster.clock.after(least + fraction(this.#cluster.random) * (most - least), () => {
      if (!this.dead) this.feed(input);
    });
  }

  /** A frame is closed before a message for an overlapping destination goes into another. */
  #append(to: NodeId | undefined, scope: string | undefined, message: ClusterMessage): void {
    const last = this.#outbox.at(-1);
    if (last !== undefined && last.to === to && last.scope === scope) last.messages.push(message);
    else this.#outbox.push({ to, scope, messages: [message] });
  }

  #flush(): void {
    const frames = this.#outbox;
    this.#outbox = [];
    for (const { to, messages } of frames) {
      const body = Buffer.concat(messages.map((message) => clusterMessages.encode(message)));
      if (to !== undefined) {
        this.#cluster.deliver(this, to, body);
        continue;
      }
      for (const other of this.#cluster.nodes.keys()) {
        if (other !== this.id) this.#cluster.deliver(this, other, body);
      }
    }
  }

  #setTick(): void {
    this.#cancelTick();
    const dueMs = this.machine.deadlineMs;
    if (this.dead || dueMs === undefined) return;
    const nowMs = this.#cluster.clock.now().monotonicMs;
    this.#cancelTick = this.#cluster.clock.after(Math.max(0, dueMs - nowMs), () =>
      this.feed({ kind: "tick" }),
    );
  }
}
