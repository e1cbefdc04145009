import type { NodeId, Pid } from "../../src/kernel/ids.ts";
import type { Random } from "../../src/kernel/random.ts";
import { Value } from "../../src/kernel/value.ts";
import type { VirtualClock } from "../../src/kernel/virtual-clock.ts";
import type { Answer, NodeEffect, NodeInput } from "../../src/node/machine-types.ts";
import { type ClusterMessage, clusterMessages } from "../../src/node/protocol.ts";
import type { FailureDetection } from "../../src/node/settings.ts";
import { keepOldest } from "../../src/resolve/resolvers.ts";
import type { Clash } from "../../src/resolve/types.ts";
import type { Invariant } from "../../src/sim/invariant.ts";
import { Agreement } from "../../src/sim/invariants/agreement.ts";
import type { SimNode } from "../../src/sim/machine/node.ts";
import { type Judgement, World } from "../../src/sim/machine/world.ts";
import { leftHalfDone } from "../../src/sim/nothing-left.ts";
import type { Plan } from "../../src/sim/plan.ts";
import { Violation } from "../../src/sim/violation.ts";

type Effect<K extends NodeEffect["kind"]> = Extract<NodeEffect, { kind: K }>;

export interface ClusterOptions {
  readonly seed: string;
  /** Each frame takes this long at least and at most, drawn for each frame, but never overtakes one of its own link. */
  readonly delayMs?: readonly [number, number];
  readonly times?: Partial<FailureDetection>;
  /** How long a turn lasts, at least and at most: what is sent in one leaves together. Each input is a turn when left out. */
  readonly turnMs?: readonly [number, number];
  /** Answers at once when left out. */
  readonly resolver?: (clash: Clash) => { readonly winner: Pid | "none"; readonly losers: "exit" | "notify" };
  /** How long it takes to answer, at least and at most. At once when left out. */
  readonly resolverMs?: readonly [number, number];
}

/** Nodes that are started, told what to do and parted by a test, in the world of the simulator. */
export class MachineCluster {
  readonly nodes = new Map<NodeId, MachineNode>();
  /** Probes across a partition vanish without a word: nodes that hang, rather than connections that are gone. */
  silent = false;
  readonly random: Random;
  readonly #world: TestWorld;
  readonly #bySim = new Map<SimNode, MachineNode>();
  readonly #slowedMs = new Map<string, number>();
  #healing: (() => void) | undefined;
  #started = 0;

  constructor(options: ClusterOptions) {
    const { seed, delayMs = [0.1, 5], turnMs = [0, 0], resolverMs = [0, 0], resolver, times } = options;
    const plan: Plan = {
      ...EMPTY,
      seed,
      delayMs: [...delayMs],
      turnMs: [...turnMs],
      resolverMs: [...resolverMs],
    };
    this.#world = new TestWorld(plan, {
      invariants: [() => this.#recorder()],
      resolver: (clash) => {
        const { winner, losers } = resolver?.(clash) ?? { winner: keepOldest(clash).keep, losers: "exit" };
        if (winner === "none") return { kind: "none", notify: true };
        return { kind: "keep", winner, meta: undefined, losers };
      },
      times,
      mostEvents: Number.POSITIVE_INFINITY,
    });
    this.random = this.#world.random;
  }

  get clock(): VirtualClock {
    return this.#world.clock;
  }

  get clashes(): readonly Clash[] {
    return this.#world.judgements.map(({ clash }) => clash);
  }

  /** The same, with when each was shown to a resolver, and what it says. */
  get judgements(): readonly Judgement[] {
    return this.#world.judgements;
  }

  get frames(): number {
    return this.#world.frames;
  }

  get bytes(): number {
    return this.#world.bytes;
  }

  /** Starts a node and returns at once; it is ready some virtual time later. */
  start(name: string): MachineNode {
    const node = this.#nodeOf(this.#world.start(this.#started, name));
    this.#started += 1;
    this.nodes.set(node.id, node);
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

  /** Frames between sides vanish; both stay connected to their part of the bus. Those not mentioned are a side of their own. */
  partition(...sides: readonly (readonly MachineNode[])[]): void {
    this.heal();
    const { network } = this.#world;
    const rest = [...this.nodes.values()].filter((node) => !sides.some((side) => side.includes(node)));
    const places = [...sides, rest].map((side) => side.map(({ sim }) => sim.place));
    const { silent } = this;
    network.cut(places, 1, silent);
    this.#healing = () => network.cut(places, -1, silent);
  }

  heal(): void {
    this.#healing?.();
    this.#healing = undefined;
  }

  /** Frames from one node to another take this much longer from now on. They overtake those of others, never each other. */
  slow(from: MachineNode, to: MachineNode, byMs: number): void {
    const link = `${from.id}>${to.id}`;
    this.#world.network.slow(from.sim.place, to.sim.place, byMs - (this.#slowedMs.get(link) ?? 0));
    this.#slowedMs.set(link, byMs);
  }

  /** The first thing that is wrong with the tables, or left to be done, when all should have come to rest. */
  get wrongAtRest(): string | undefined {
    try {
      new Agreement(this.#world).atRest();
    } catch (error) {
      if (error instanceof Violation) return error.message;
      throw error;
    }
    return this.#world.present.flatMap(({ id, machine }) =>
      leftHalfDone(machine.counters()).map((left) => `${left} on ${id}`),
    )[0];
  }

  #nodeOf(sim: SimNode): MachineNode {
    const known = this.#bySim.get(sim) ?? new MachineNode(sim, () => this.nodes.delete(sim.id));
    this.#bySim.set(sim, known);
    return known;
  }

  #recorder(): Invariant {
    return {
      stepped: (sim, _input, effects) => {
        const node = this.#nodeOf(sim);
        for (const effect of effects) node.record(effect);
      },
      settled: (sim) => this.#nodeOf(sim).afterStep(),
    };
  }
}

/** Nobody but the test does anything. */
const EMPTY = {
  format: 1,
  nodes: 1,
  processes: 1,
  probeEveryMs: 100,
  resolver: "oldest",
  restAtMs: 0,
  operations: [],
  faults: [],
} as const satisfies Partial<Plan>;

/** Messages pass through their wire form, and the nodes do nothing of themselves. */
class TestWorld extends World {
  frames = 0;
  bytes = 0;

  override transmit(
    from: SimNode,
    to: NodeId | undefined,
    scope: string | undefined,
    messages: readonly ClusterMessage[],
  ): void {
    const body = Buffer.concat(messages.map((message) => clusterMessages.encode(message)));
    const receivers = to === undefined ? this.present.length - 1 : 1;
    this.frames += receivers;
    this.bytes += receivers * body.length;
    super.transmit(from, to, scope, clusterMessages.decodeAll(body));
  }

  /** Neither spawns processes nor watches. */
  override ready(): void {}
}

/** One machine, and what came of it. */
export class MachineNode {
  readonly answers = new Map<number, Answer>();
  readonly exits: Effect<"exit">[] = [];
  readonly notices: Effect<"notify">[] = [];
  readonly nodeEvents: Effect<"nodeEvent">["event"][] = [];
  readonly nameEvents: Effect<"nameEvent">["event"][] = [];
  /** Called after each step: what holds at every instant is checked here. */
  afterStep: () => void = () => {};
  readonly #gone: () => void;
  #requests = 0;

  constructor(
    readonly sim: SimNode,
    gone: () => void,
  ) {
    this.#gone = gone;
  }

  get id(): NodeId {
    return this.sim.id;
  }

  get machine(): SimNode["machine"] {
    return this.sim.machine;
  }

  get ready(): boolean {
    return this.sim.isReady;
  }

  get dead(): boolean {
    return !this.sim.isAlive;
  }

  feed(input: NodeInput): void {
    this.sim.feed(input);
  }

  spawn(): Pid {
    const pid = this.sim.spawn();
    // The processes of a plan are replaced when they end.
    this.sim.pids.pop();
    return pid;
  }

  exit(pid: Pid): void {
    this.sim.exit(pid, { kind: "normal" });
  }

  register(
    name: string,
    pid: Pid,
    options: { readonly takeover?: boolean; readonly meta?: unknown } = {},
  ): number {
    const meta = Value.encode(options.meta, { name: "metadataBytes", bytes: 8_192 }, "meta");
    const { takeover = false } = options;
    return this.request((request) => ({
      kind: "register",
      request,
      scope: "default",
      name,
      pid,
      meta,
      takeover,
      resolver: 0,
    }));
  }

  transfer(name: string, to: Pid): number {
    return this.request((request) => ({ kind: "transfer", request, scope: "default", name, to }));
  }

  unregister(name: string, pid?: Pid): number {
    return this.request((request) => ({ kind: "unregister", request, scope: "default", name, pid }));
  }

  /** Asks, and waits for as long as the test does. */
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
    this.sim.depart();
    this.#gone();
  }

  /** SIGKILL: nothing is said. */
  kill(): void {
    this.sim.kill();
    this.#gone();
  }

  record(effect: NodeEffect): void {
    switch (effect.kind) {
      case "answer":
        this.answers.set(effect.request, effect.answer);
        return;
      case "exit":
        this.exits.push(effect);
        return;
      case "notify":
        this.notices.push(effect);
        return;
      case "nameEvent":
        this.nameEvents.push(effect.event);
        return;
      case "nodeEvent":
        this.nodeEvents.push(effect.event);
        return;
    }
  }
}
