import { hashText } from "../../kernel/hash.ts";
import type { LeaseEffect } from "../../lease/quorum/types.ts";
import { type Broken, NOTHING_THROWS } from "../run.ts";
import { Violation } from "../violation.ts";
import { LeaseHistory } from "./history.ts";
import { LINEARIZABLE, ONE_HOLDER, SERVED, SETTLES, TOKENS_RISE } from "./invariants.ts";
import type { SimLeaseNode } from "./node.ts";
import { generateLeases, type LeaseFault, type LeaseOperation, type LeasePlan } from "./plan.ts";
import { LeaseWorld } from "./world.ts";

/** Longer than a session and a guard, one after the other, and whatever is tried again in between. */
const REST_MS = 12_000;
/** First the servers are used for the first time. */
const START_MS = 300;

export interface LeaseResult {
  readonly seed: string;
  readonly events: number;
  /** Equal for equal runs. */
  readonly hash: string;
  /** How often each kind of fault was injected. */
  readonly injected: ReadonlyMap<string, number>;
  readonly marks: readonly string[];
  readonly violation: Broken | undefined;
}

/** Carries one plan out. @param seed of a plan to draw, or a plan */
export function runLeases(seed: string | LeasePlan): LeaseResult {
  const plan = typeof seed === "string" ? generateLeases(seed) : seed;
  const run = new LeaseRun(plan);
  let violation: Broken | undefined;
  try {
    run.run();
  } catch (error) {
    const { atMs } = run;
    if (error instanceof Violation) violation = { invariant: error.invariant, seen: error.seen, atMs };
    else
      violation = {
        invariant: NOTHING_THROWS,
        seen: error instanceof Error ? (error.stack ?? error.message) : String(error),
        atMs,
      };
  }
  const { events, injected } = run;
  return {
    seed: plan.seed,
    events,
    hash: run.hash.toString(16),
    injected,
    marks: [...run.marks].sort(),
    violation,
  };
}

interface Holding {
  readonly node: SimLeaseNode;
  readonly name: string;
  readonly claim: number;
  readonly token: number;
  lastHeldMs: number;
}

class LeaseRun {
  readonly marks = new Set<string>();
  readonly injected = new Map<string, number>();
  events = 0;
  hash = 0;
  readonly #plan: LeasePlan;
  readonly #world: LeaseWorld;
  readonly #history = new LeaseHistory();
  /** By name: those that were granted, and are not known to be over. */
  readonly #holdings = new Map<string, Set<Holding>>();
  readonly #open = new Map<
    string,
    { readonly operation: LeaseOperation | undefined; readonly beganMs: number }
  >();

  constructor(plan: LeasePlan) {
    this.#plan = plan;
    this.#world = new LeaseWorld(plan);
    this.#world.onEffect = (node, effect) => this.#effect(node, effect);
    this.#world.onStep = () => this.#look();
  }

  get atMs(): number {
    return this.#world.nowMs;
  }

  run(): void {
    const { faults, operations, restAtMs } = this.#plan;
    const world = this.#world;
    world.run(START_MS);
    for (const operation of operations) world.clock.after(operation.atMs, () => this.#operate(operation));
    for (const fault of faults) world.clock.after(fault.atMs, () => this.#fail(fault));
    world.run(restAtMs);
    this.#heal();
    world.run(REST_MS);
    this.#endAll();
    world.run(REST_MS);
    if (this.#open.size > 0) this.#violated(SETTLES, [...this.#open.keys()].join());
    this.#serve();
    if (!this.#plan.areClocksSound) return;
    for (const [name, unexplained] of this.#history.unexplained())
      this.#violated(LINEARIZABLE, `${name}: ${unexplained}`);
  }

  #violated(invariant: string, seen: string): never {
    throw new Violation(invariant, seen, this.atMs);
  }

  #node(place: number): SimLeaseNode | undefined {
    const alive = this.#world.nodes.filter((node) => node.isAlive);
    return alive[place % alive.length];
  }

  #operate(operation: LeaseOperation): void {
    const node = this.#node(operation.node);
    if (node === undefined) return;
    const command = node.nextCommand();
    const { kind, name, timeoutMs } = operation;
    this.#open.set(keyOf(node, command), { operation, beganMs: this.atMs });
    if (kind === "lookup") node.feed({ kind, command, name, timeoutMs });
    else node.feed({ kind, command, name, timeoutMs, wait: operation.wait, value: Buffer.from(node.owner) });
  }

  #effect(node: SimLeaseNode, effect: LeaseEffect): void {
    this.events += 1;
    this.hash = hashText(`${node.owner} ${effect.kind} ${this.atMs}`, this.hash);
    if (effect.kind === "send") {
      if (effect.request.kind === "confirm" || effect.request.kind === "attach")
        this.marks.add(effect.request.kind);
      if (effect.request.kind === "recover")
        this.marks.add(effect.request.first ? "first use" : "a floor is given");
      return;
    }
    this.marks.add(effect.kind === "refused" ? `refused: ${effect.refusal.kind}` : effect.kind);
    if (effect.kind === "lost") this.#over(node, effect.name, effect.claim);
    if (!("command" in effect)) return;
    const key = keyOf(node, effect.command);
    const open = this.#open.get(key);
    this.#open.delete(key);
    if (open === undefined) return;
    const span = { beganMs: open.beganMs, endedMs: this.atMs };
    const name = open.operation?.name ?? "";
    switch (effect.kind) {
      case "granted":
        this.#granted(node, effect, open.beganMs);
        if (open.operation?.kind === "acquire") this.#holdFor(node, effect, open.operation.holdMs);
        return;
      case "refused":
        if (effect.refusal.kind === "taken")
          this.#history.add(name, { ...span, kind: "taken", token: effect.refusal.vote.token });
        return;
      case "found":
        if (effect.holder === undefined) this.#history.add(name, { ...span, kind: "free" });
        else this.#history.add(name, { ...span, kind: "found", token: effect.holder.token });
        return;
      case "released":
        return;
    }
  }

  #granted(
    node: SimLeaseNode,
    { claim, name, token }: LeaseEffect & { kind: "granted" },
    beganMs: number,
  ): void {
    const broken = this.#history.register(
      name,
      { beganMs, endedMs: this.atMs, token },
      this.#plan.areClocksSound,
    );
    if (broken !== undefined)
      this.#violated(TOKENS_RISE, `${name}: ${node.owner} is granted ${token}: ${broken}`);
    const holdings = this.#holdings.get(name) ?? new Set<Holding>();
    this.#holdings.set(name, holdings);
    holdings.add({ node, name, claim, token, lastHeldMs: this.atMs });
    this.#look();
  }

  #holdFor(
    node: SimLeaseNode,
    { claim, name, token }: LeaseEffect & { kind: "granted" },
    holdMs: number,
  ): void {
    const until = Math.min(holdMs, this.#plan.restAtMs + REST_MS);
    this.#world.clock.after(until, () => this.#release(node, name, claim, token));
  }

  #release(node: SimLeaseNode, name: string, claim: number, token: number): void {
    if (!node.isAlive || node.isPaused) return;
    const isHeld = node.machine.remainingMs(name, claim, node.now()) > 0;
    const command = node.nextCommand();
    const beganMs = this.atMs;
    const holding = [...(this.#holdings.get(name) ?? [])].find((each) => each.token === token);
    if (isHeld && holding !== undefined) this.#holdings.get(name)?.delete(holding);
    const before = this.#world.onEffect;
    this.#world.onEffect = (from, effect) => {
      before?.(from, effect);
      if (from !== node || effect.kind !== "released" || effect.command !== command || !isHeld) return;
      const endedMs = effect.confirmed ? this.atMs : Number.POSITIVE_INFINITY;
      this.#history.release(name, token, beganMs, endedMs);
    };
    node.feed({ kind: "release", command, name, claim });
    if (isHeld) this.#history.release(name, token, beganMs, Number.POSITIVE_INFINITY);
  }

  #over(node: SimLeaseNode, name: string, claim: number): void {
    for (const holding of this.#holdings.get(name) ?? []) {
      if (holding.node === node && holding.claim === claim) this.#forget(holding);
    }
  }

  #forget(holding: Holding): void {
    this.#holdings.get(holding.name)?.delete(holding);
    this.#history.release(holding.name, holding.token, holding.lastHeldMs, Number.POSITIVE_INFINITY);
  }

  /** Everyone is asked at this moment, as their own code could ask. */
  #look(): void {
    for (const [name, holdings] of this.#holdings) {
      const holding: Holding[] = [];
      for (const each of holdings) {
        const { claim, node } = each;
        if (!node.isAlive) {
          this.#forget(each);
        } else if (!node.isSuspended && node.machine.remainingMs(name, claim, node.now()) > 0) {
          each.lastHeldMs = this.atMs;
          holding.push(each);
        }
      }
      if (holding.length < 2) continue;
      this.marks.add("two hold a name");
      if (this.#plan.areClocksSound)
        this.#violated(
          ONE_HOLDER,
          `${name}: ${holding.map(({ node, token }) => `${node.owner} with ${token}`).join(" and ")}`,
        );
    }
  }

  #fail(fault: LeaseFault): void {
    const world = this.#world;
    const node = "node" in fault ? this.#node(fault.node) : undefined;
    const server = "server" in fault ? world.servers[fault.server] : undefined;
    const later = (run: () => void): void => void world.clock.after(fault.forMs, run);
    this.injected.set(fault.kind, (this.injected.get(fault.kind) ?? 0) + 1);
    switch (fault.kind) {
      case "restart":
        if (server === undefined || !this.#mayForget()) return;
        if (fault.data === "wiped") server.wipe();
        else world.restart(fault.server, fault.data);
        return;
      case "serverPause":
        server?.pause();
        later(() => server?.resume());
        return;
      case "serverStep":
        server?.save();
        server?.clock.stepWall(fault.byMs);
        return;
      default:
        if (node !== undefined) this.#failNode(node, fault, later);
    }
  }

  /** Leases stand the loss of a minority's data, and of another's only when that minority is well again. */
  #mayForget(): boolean {
    const { servers } = this.#world;
    const unwell = servers.filter(({ isReady }) => !isReady).length;
    return unwell + 1 <= (servers.length - 1) / 2;
  }

  #failNode(node: SimLeaseNode, fault: LeaseFault, later: (run: () => void) => void): void {
    const world = this.#world;
    switch (fault.kind) {
      case "cut":
        world.cut(node, fault.server, fault.forMs / 3);
        later(() => world.heal(node, fault.server));
        return;
      case "mute":
        world.line(node, fault.server).isMute = true;
        later(() => {
          world.line(node, fault.server).isMute = false;
        });
        return;
      case "late": {
        const letGo = world.keepRequests(node, fault.server);
        world.clock.after(fault.forMs / 2, () => {
          world.line(node, fault.server).kept = undefined;
          world.breakLine(node, fault.server);
        });
        later(letGo);
        return;
      }
      case "slow":
        world.line(node, fault.server).slowerByMs = fault.byMs;
        later(() => {
          world.line(node, fault.server).slowerByMs = 0;
        });
        return;
      case "break":
        world.breakLine(node, fault.server);
        return;
      case "pause":
        node.pause();
        later(() => node.resume());
        return;
      case "crash":
        this.#crash(node);
        world.start();
        return;
      case "suspend":
        node.suspend();
        later(() => node.wake());
        return;
      case "deaf": {
        const other = this.#node(fault.other);
        if (other === undefined) return;
        world.deafen(node, other, true);
        later(() => world.deafen(node, other, false));
        return;
      }
      case "step":
        // Seen by the node before it falls asleep: two things that hide each other are more than it can stand.
        if (!node.isSuspended) node.clock.stepWall(fault.byMs);
        node.machine.quorum(node.now());
        return;
      case "drift":
        if (!node.isSuspended) node.clock.setRate(fault.rate);
        node.rearm();
        return;
      default:
        return;
    }
  }

  #crash(node: SimLeaseNode): void {
    for (const key of [...this.#open.keys()]) if (key.startsWith(`${node.owner} `)) this.#open.delete(key);
    node.crash();
  }

  #heal(): void {
    const world = this.#world;
    for (const node of world.nodes) {
      // A clock that is far too slow renews so seldom that servers which nobody else asks take themselves for stopped.
      if (!this.#plan.areClocksSound && !node.isSuspended) {
        node.clock.setRate(1);
        node.rearm();
      }
      for (const server of world.servers.keys()) {
        Object.assign(world.line(node, server), { isMute: false, slowerByMs: 0 });
        world.heal(node, server);
      }
      for (const other of world.nodes) world.deafen(node, other, false);
    }
  }

  /** Everyone lets go of everything. */
  #endAll(): void {
    for (const holdings of this.#holdings.values()) {
      for (const { claim, name, node, token } of [...holdings]) this.#release(node, name, claim, token);
    }
  }

  #serve(): void {
    const node = this.#node(0);
    for (const name of new Set(this.#plan.operations.map((operation) => operation.name))) {
      if (node === undefined) return;
      const command = node.nextCommand();
      const operation = {
        kind: "acquire",
        atMs: 0,
        node: 0,
        name,
        wait: false,
        timeoutMs: REST_MS,
        holdMs: 1e9,
      } as const;
      this.#open.set(keyOf(node, command), { operation, beganMs: this.atMs });
      node.feed({
        kind: "acquire",
        command,
        name,
        wait: false,
        timeoutMs: REST_MS,
        value: Buffer.from(node.owner),
      });
      this.#world.run(REST_MS, () => !this.#open.has(keyOf(node, command)));
      const holdings = [...(this.#holdings.get(name) ?? [])];
      if (!holdings.some((holding) => holding.node === node))
        this.#violated(SERVED, `${name} is not granted to ${node.owner}`);
    }
  }
}

function keyOf(node: SimLeaseNode, command: number): string {
  return `${node.owner} ${command}`;
}
