import type { ResolverOutcome } from "../../global/clash-decider.ts";
import type { Stamp } from "../../kernel/hlc.ts";
import { makeIncarnation, makeNodeId, type NodeId, type Pid } from "../../kernel/ids.ts";
import { fraction, type Random, SeededRandom } from "../../kernel/random.ts";
import { VirtualClock } from "../../kernel/virtual-clock.ts";
import { DEFAULT_TIMES } from "../../monitor/settings.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import type { ClusterMessage } from "../../node/protocol.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { FailureDetection } from "../../node/settings.ts";
import type { Clash } from "../../resolve/types.ts";
import type { Invariant } from "../invariant.ts";
import type { Fault, Plan } from "../plan.ts";
import { TraceHash } from "../trace.ts";
import { Violation } from "../violation.ts";
import { Faults } from "./faults.ts";
import { Network } from "./network.ts";
import { type Asked, SimNode } from "./node.ts";
import { Operations } from "./operations.ts";
import { type Tell, tellMessages, tellStep, wordsOfFault } from "./telling.ts";
import { decide } from "./user-code.ts";

/** No run of a sound core comes near this many events. */
const LIVELOCK_EVENTS = 200_000;

/** What goes on between machines and their clocks. */
const UNTOLD_INPUTS: ReadonlySet<NodeInput["kind"]> = new Set(["tick", "frame", "flush"]);
const UNTOLD_EFFECTS: ReadonlySet<NodeEffect["kind"]> = new Set([
  "send",
  "broadcast",
  "probe",
  "wrote",
  "log",
]);

/** A clash that a node was shown. */
export interface Judgement {
  readonly node: SimNode;
  readonly clash: Clash;
  readonly atMs: number;
  readonly winner: Pid | "none" | undefined;
}

/** Something that went wrong on purpose, for as long as it can be felt. */
export interface Disturbance {
  readonly kind: Fault["kind"];
  readonly fromMs: number;
  untilMs: number;
  /** Undefined: everybody's. */
  readonly places: readonly number[] | undefined;
}

export interface WorldHooks {
  readonly invariants: readonly ((world: World) => Invariant)[];
  /** What user code makes of a clash, in place of what the plan says. */
  readonly resolver?: ((clash: Clash) => ResolverOutcome) | undefined;
  /** Of every node, in place of the defaults and of what the plan says. */
  readonly times?: Partial<FailureDetection> | undefined;
  /** For runs that are long on purpose: after so many events one counts as a livelock. */
  readonly mostEvents?: number | undefined;
  /** For a reader: a line for each thing that happens. */
  readonly tell?: Tell | undefined;
}

type Hook<K extends keyof Invariant> = NonNullable<Invariant[K]>;

/** One run of a plan on machines alone: no promise, no timer but the world's, nothing left to chance but by the seed. */
export class World {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly network: Network;
  readonly trace = new TraceHash();
  /** Every incarnation there was. */
  readonly everyone: SimNode[] = [];
  readonly judgements: Judgement[] = [];
  readonly disturbances: Disturbance[] = [];
  /** Every request, in order. */
  readonly asked: Asked[] = [];
  /** How often each kind of fault was injected. */
  readonly injected = new Map<Fault["kind"], number>();
  /** The kinds that somebody felt: a message was lost or late, work was left undone, time went by wrongly. */
  readonly effective = new Set<Fault["kind"]>();
  readonly marks = new Set<string>();
  events = 0;
  readonly #present = new Map<number, SimNode>();
  readonly #byId = new Map<NodeId, SimNode>();
  readonly #invariants: readonly Invariant[];
  readonly #onStep: readonly Hook<"stepped">[];
  readonly #onTold: readonly Hook<"told">[];
  readonly #onSettled: readonly Hook<"settled">[];
  readonly #onSent: readonly Hook<"sent">[];
  readonly #hooks: WorldHooks;
  readonly #tell: WorldHooks["tell"];
  readonly #userRandom: Random;
  #incarnations = 0;

  constructor(
    readonly plan: Plan,
    hooks: WorldHooks,
  ) {
    this.random = new SeededRandom(plan.seed);
    this.network = new Network(this.clock, this.random.fork("network"), plan.delayMs, this.effective);
    this.#userRandom = this.random.fork("user code");
    this.#hooks = hooks;
    this.#tell = hooks.tell;
    this.#invariants = hooks.invariants.map((make) => make(this));
    this.#onStep = hooksOf(this.#invariants, "stepped");
    this.#onTold = hooksOf(this.#invariants, "told");
    this.#onSettled = hooksOf(this.#invariants, "settled");
    this.#onSent = hooksOf(this.#invariants, "sent");
  }

  get nowMs(): number {
    return this.clock.now().monotonicMs;
  }

  /** Those whose OS process runs, by their places. */
  get present(): readonly SimNode[] {
    return [...this.#present.values()];
  }

  at(place: number): SimNode | undefined {
    return this.#present.get(place);
  }

  nodeOf(id: NodeId): SimNode | undefined {
    return this.#byId.get(id);
  }

  /** Carries the whole plan out, and then waits until everything has come to rest. */
  run(restMs: number): void {
    const operations = new Operations(this);
    const faults = new Faults(this);
    for (let place = 0; place < this.plan.nodes; place += 1) this.start(place);
    for (const operation of this.plan.operations)
      this.#at(operation.atMs, () => operations.carryOut(operation));
    for (const fault of this.plan.faults)
      this.#at(fault.atMs, () => {
        this.tell("node" in fault ? fault.node : -1, "fault", wordsOfFault(fault));
        faults.inject(fault);
      });
    this.clock.runUntil(this.plan.restAtMs);
    faults.endAll();
    this.clock.runUntil(this.plan.restAtMs + restMs);
    for (const invariant of this.#invariants) invariant.atRest?.();
  }

  fail(invariant: string, seen: string): never {
    throw new Violation(invariant, seen, this.nowMs);
  }

  mark(name: string): void {
    this.marks.add(name);
  }

  /** A line about what no machine did. */
  tell(place: number, kind: string, text: string): void {
    this.#tell?.({ atMs: this.nowMs, place, kind, text, about: [] });
  }

  /** A machine has made a step; its effects are not carried out yet. */
  stepped(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    this.events += 1;
    if (this.events > (this.#hooks.mostEvents ?? LIVELOCK_EVENTS))
      this.fail("no livelock", `${this.events} events`);
    const { trace } = this;
    trace.add(Math.round(this.nowMs * 1_000));
    trace.add(node.place * 64 + effects.length);
    trace.add(input.kind.length * 256 + input.kind.charCodeAt(0));
    let isTold = !UNTOLD_INPUTS.has(input.kind);
    for (const effect of effects) {
      trace.add(effect.kind.length * 256 + effect.kind.charCodeAt(2));
      isTold ||= !UNTOLD_EFFECTS.has(effect.kind);
    }
    // First, so that a reader sees the step that broke a rule.
    if (this.#tell !== undefined) tellStep(this, this.#tell, node, input, effects);
    // A third of all steps: the clock goes on, and nobody learns anything.
    if (input.kind === "tick" && effects.length === 0) return;
    for (const hook of this.#onStep) hook(node, input, effects);
    if (isTold) for (const hook of this.#onTold) hook(node, input, effects);
  }

  /** What the step asked for has been done. */
  settled(node: SimNode, input: NodeInput): void {
    for (const hook of this.#onSettled) hook(node, input);
  }

  transmit(
    from: SimNode,
    to: NodeId | undefined,
    scope: string | undefined,
    messages: readonly ClusterMessage[],
  ): void {
    const stamp = from.machine.stamp(from.clock.now());
    for (const hook of this.#onSent) hook(from, stamp);
    if (to !== undefined) {
      const receiver = this.#byId.get(to);
      if (receiver !== undefined) this.#send(from, receiver, stamp, messages);
      return;
    }
    void scope;
    for (const other of this.#present.values()) {
      if (other !== from) this.#send(from, other, stamp, messages);
    }
  }

  #send(from: SimNode, to: SimNode, stamp: Stamp, messages: readonly ClusterMessage[]): void {
    const tell = this.#tell;
    const lost =
      tell &&
      (() =>
        tellMessages(messages, (text, about) =>
          tell({ atMs: this.nowMs, place: to.place, kind: "lost", text, about, from: from.place }),
        ));
    this.network.send(from, to, () => to.receive(from, stamp, messages), lost);
  }

  probe(from: SimNode, to: NodeId): void {
    const node = this.#byId.get(to);
    if (node === undefined) return;
    this.network.probe(from, node, node.place, () => from.feed({ kind: "noResponders", node: to }));
  }

  ready(node: SimNode): void {
    for (let count = 0; count < this.plan.processes; count += 1) node.spawn();
    node.feed({ kind: "watching", scope: DEFAULT_SCOPE, names: true, groups: true });
  }

  ended(node: SimNode): void {
    this.tell(node.place, "ended", `${node.id} ends`);
    if (this.#present.get(node.place) === node) this.#present.delete(node.place);
    for (const pid of node.pids) {
      if (node.processes.get(pid) === undefined)
        node.processes.set(pid, { kind: "nodeDown", node: node.id, cause: "disconnected" });
    }
  }

  resolve(node: SimNode, effect: Extract<NodeEffect, { kind: "resolve" }>): void {
    const { resolver, resolverMs } = this.plan;
    const draw = fraction(this.#userRandom);
    const decided = this.#hooks.resolver?.(effect.details) ?? decide(resolver, effect.details, draw);
    this.mark(`clash shown to a resolver that is ${resolver}`);
    const winner = decided?.kind === "keep" ? decided.winner : decided?.kind === "none" ? "none" : undefined;
    this.judgements.push({ node, clash: effect.details, atMs: this.nowMs, winner });
    if (decided === undefined) return;
    const [least, most] = resolverMs;
    this.clock.after(least + fraction(this.#userRandom) * (most - least), () =>
      node.feed({ kind: "resolved", scope: effect.details.scope, clash: effect.clash, outcome: decided }),
    );
  }

  /** Whether anything of these kinds could be felt by these places in this time. */
  wasDisturbed(fromMs: number, untilMs: number, places?: readonly number[]): boolean {
    return this.disturbances.some(
      (each) =>
        each.fromMs <= untilMs &&
        each.untilMs >= fromMs &&
        (each.places === undefined ||
          places === undefined ||
          each.places.some((place) => places.includes(place))),
    );
  }

  #at(atMs: number, run: () => void): void {
    this.clock.after(Math.max(0, atMs - this.nowMs), run);
  }

  /** Starts a node there, in place of one that still runs. */
  start(place: number, name = `n${place}`): SimNode {
    const former = this.#present.get(place);
    former?.kill();
    this.#incarnations += 1;
    const draw = this.random.fork(`incarnation:${place}:${this.#incarnations}`);
    const wallMs = this.clock.now().wallMs + this.#incarnations;
    const id = makeNodeId(name, makeIncarnation(wallMs, [draw.u32(), draw.u32()]));
    const times: FailureDetection = {
      ...DEFAULT_TIMES,
      arbiterTimeoutMs: 3_000,
      probeEveryMs: this.plan.probeEveryMs,
      ...this.#hooks.times,
    };
    const node = new SimNode(this, id, place, times);
    this.#present.set(place, node);
    this.#byId.set(id, node);
    this.everyone.push(node);
    node.feed({ kind: "start", serverId: "s", replaces: true });
    return node;
  }
}

/** Bound once: they are called at each step. */
function hooksOf<K extends keyof Invariant>(invariants: readonly Invariant[], kind: K): readonly Hook<K>[] {
  return invariants.flatMap((invariant) => {
    const hook = invariant[kind];
    return hook === undefined ? [] : [hook.bind(invariant) as Hook<K>];
  });
}
