import type { LeaseEffect } from "../../lease/quorum/types.ts";
import { guarded } from "../guard.ts";
import type { Tell } from "../machine/telling.ts";
import { type Broken, NOTHING_THROWS, type RunResult } from "../run.ts";
import { TraceHash } from "../trace.ts";
import { Violation } from "../violation.ts";
import { LeaseFaults } from "./faults.ts";
import { LeaseHistory } from "./history.ts";
import { LINEARIZABLE, ONE_HOLDER, SERVED, SETTLES, TOKENS_RISE } from "./invariants.ts";
import type { SimLeaseNode } from "./node.ts";
import type { LeaseFault, LeaseOperation, LeasePlan } from "./plan.ts";
import { LeaseTeller, wordsOfLeaseEffect, wordsOfLeaseOperation } from "./telling.ts";
import { LeaseWorld } from "./world.ts";

/** Longer than a session and a guard, one after the other, and whatever is tried again in between. */
const REST_MS = 12_000;
/** First the servers are used for the first time. */
const START_MS = 300;

/** Marks are made of these: a server knows something that the node does not. */
const TELLING_REPLIES: ReadonlySet<string> = new Set(["noSession", "stale"]);

/**
 * Carries one plan out.
 *
 * @param tell for a reader: a line for each thing that happens
 */
export function runLeases(plan: LeasePlan, tell?: Tell): RunResult {
  return guarded(() => {
    const run = new LeaseRun(plan, tell);
    const violation = attempt(run);
    const { events, injected } = run;
    return {
      seed: plan.seed,
      events,
      hash: run.trace.value,
      marks: [...run.marks].sort(),
      injected,
      effective: run.effective,
      violation,
    };
  });
}

function attempt(run: LeaseRun): Broken | undefined {
  try {
    run.run();
    return undefined;
  } catch (error) {
    const { atMs } = run;
    if (error instanceof Violation) return { invariant: error.invariant, seen: error.seen, atMs };
    const seen = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { invariant: NOTHING_THROWS, seen, atMs };
  }
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
  readonly trace = new TraceHash();
  events = 0;
  readonly #plan: LeasePlan;
  readonly #world: LeaseWorld;
  readonly #faults: LeaseFaults;
  readonly #teller: LeaseTeller | undefined;
  readonly #history = new LeaseHistory();
  /** By name: those that were granted, and are not known to be over. */
  readonly #holdings = new Map<string, Set<Holding>>();
  readonly #open = new Map<
    string,
    { readonly operation: LeaseOperation | undefined; readonly beganMs: number }
  >();

  constructor(plan: LeasePlan, tell: Tell | undefined) {
    this.#plan = plan;
    this.#world = new LeaseWorld(plan);
    this.#world.onEffect = (node, effect) => this.#effect(node, effect);
    this.#world.onStep = () => this.#look();
    this.#world.onReply = ({ kind }) => {
      if (TELLING_REPLIES.has(kind)) this.marks.add(`answer: ${kind}`);
    };
    this.#faults = new LeaseFaults({
      plan,
      world: this.#world,
      crash: (node) => this.#crash(node),
      mark: (mark) => void this.marks.add(mark),
    });
    this.#teller = tell && new LeaseTeller(tell, () => this.atMs);
    this.#world.teller = this.#teller;
  }

  /** By the clock of the plan. */
  get atMs(): number {
    return this.#world.nowMs - START_MS;
  }

  get injected(): ReadonlyMap<LeaseFault["kind"], number> {
    return this.#faults.injected;
  }

  get effective(): ReadonlySet<LeaseFault["kind"]> {
    return this.#world.effective;
  }

  run(): void {
    const { faults, operations, restAtMs } = this.#plan;
    const world = this.#world;
    for (const node of world.nodes) this.#teller?.started(node);
    for (const server of world.servers.keys()) this.#teller?.serverStarted(server);
    world.run(START_MS);
    for (const operation of operations) world.clock.after(operation.atMs, () => this.#operate(operation));
    for (const fault of faults) world.clock.after(fault.atMs, () => this.#faults.inject(fault));
    world.run(restAtMs);
    this.#faults.endAll();
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

  #operate(operation: LeaseOperation): void {
    const node = this.#world.at(operation.node);
    if (node === undefined) return;
    this.#teller?.line(node.place, "input", wordsOfLeaseOperation(operation), [operation.name]);
    const command = node.nextCommand();
    const { kind, name, timeoutMs } = operation;
    this.#open.set(keyOf(node, command), { operation, beganMs: this.atMs });
    if (kind === "lookup") node.feed({ kind, command, name, timeoutMs });
    else node.feed({ kind, command, name, timeoutMs, wait: operation.wait, value: Buffer.from(node.owner) });
  }

  #effect(node: SimLeaseNode, effect: LeaseEffect): void {
    this.events += 1;
    this.trace.addText(`${node.owner} ${effect.kind} ${this.atMs}`);
    if (effect.kind === "send") {
      if (effect.request.kind === "confirm" || effect.request.kind === "attach")
        this.marks.add(effect.request.kind);
      if (effect.request.kind === "recover")
        this.marks.add(effect.request.first ? "first use" : "a floor is given");
      return;
    }
    if (this.#teller !== undefined) this.#tellEffect(this.#teller, node, effect);
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
          this.#history.add(name, { ...span, kind: "taken", tokens: [effect.refusal.vote.token] });
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

  #crash(node: SimLeaseNode): void {
    const asked = [...this.#open.keys()].filter((key) => key.startsWith(`${node.owner} `));
    const holdings = [...this.#holdings.values()].flatMap((each) => [...each]);
    if (asked.length > 0 || holdings.some((holding) => holding.node === node))
      this.#world.effective.add("crash");
    for (const key of asked) this.#open.delete(key);
    node.crash();
  }

  #tellEffect(teller: LeaseTeller, node: SimLeaseNode, effect: LeaseEffect): void {
    const asked = "command" in effect ? this.#open.get(keyOf(node, effect.command))?.operation : undefined;
    const name = "name" in effect ? effect.name : asked?.name;
    const text = wordsOfLeaseEffect(effect, name ?? "");
    if (text !== undefined) teller.line(node.place, effect.kind, text, name === undefined ? [] : [name]);
  }

  /** Everyone lets go of everything. */
  #endAll(): void {
    for (const holdings of this.#holdings.values()) {
      for (const { claim, name, node, token } of [...holdings]) this.#release(node, name, claim, token);
    }
  }

  #serve(): void {
    const node = this.#world.at(0);
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
