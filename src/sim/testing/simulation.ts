import { InvalidArgumentError, TimeoutError } from "../../kernel/errors.ts";
import { fraction, type Random } from "../../kernel/random.ts";
import type { NodeOptions } from "../../node/options.ts";
import type { ClusterNode } from "../../node/types.ts";
import type { Member, ShellWorld } from "../shell/world.ts";
import { differences } from "./agreement.ts";
import { checkMs } from "./arguments.ts";

/** A node of the simulation, or its name. */
export type SimulatedNode = ClusterNode | string;

/** What the nodes of a simulation may be told, which is everything that does not make it a simulation. */
export type SimulatedNodeOptions = Omit<NodeOptions, "cluster" | "name" | "bus" | "leases" | "signal">;

export interface WaitInSimulation {
  /** Milliseconds of virtual time. Default: 60,000. */
  readonly withinMs?: number;
}

const DEFAULT_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 10;
/** Seldomer, for it looks at everything. */
const COMPARE_EVERY_MS = 200;
/** For how long nothing may differ until a cluster is said to have settled: two heartbeats, and what they bring about. */
const STEADY_MS = 3_000;

/**
 * A cluster of real nodes on a simulated bus, in virtual time: hours pass in milliseconds, and the same seed does the same every
 * time. Time passes whenever everybody waits. What lasts (a partition, a clog, a pause) lasts until `heal()`.
 *
 * Handlers, resolvers and workloads take time and chance from here: `sleep`, `nowMs` and `random`. `new Date()`, `Math.random`,
 * `setTimeout` and the like throw when they are called by code that is not in an installed package; of what code took hold of
 * before the simulation began, nothing is known here.
 */
export class Simulation {
  /** What chance depends on: print it, and the run can be had again. */
  readonly seed: string;
  readonly #world: ShellWorld;
  readonly #options: SimulatedNodeOptions;
  readonly #random: Random;
  readonly #lasting = new Set<() => void>();

  constructor(seed: string, world: ShellWorld, options: SimulatedNodeOptions) {
    this.seed = seed;
    this.#world = world;
    this.#options = options;
    this.#random = world.random.fork("workload");
  }

  /** The nodes that have joined and were neither killed nor stopped, in the order in which their names first came. */
  get nodes(): readonly ClusterNode[] {
    return this.#world.present.flatMap(({ node, state }) =>
      node !== undefined && state === "running" ? [node] : [],
    );
  }

  /** Milliseconds of virtual time since the start of the run. */
  get nowMs(): number {
    return this.#world.nowMs;
  }

  /** A number from 0 (included) to 1 (excluded), by the seed. */
  random(): number {
    return fraction(this.#random);
  }

  /** One of them, by the seed. */
  pick<T>(list: readonly [T, ...T[]] | readonly T[]): T {
    if (list.length === 0) throw new InvalidArgumentError("list", list, "a list that is not empty");
    return list[Math.floor(this.random() * list.length)] as T;
  }

  /**
   * Resolves when so many milliseconds of virtual time have passed.
   *
   * @throws InvalidArgumentError
   */
  sleep(ms: number): Promise<void> {
    checkMs("ms", ms);
    return new Promise((resolve) => this.#world.clock.after(ms, resolve));
  }

  /** Writes a line into the log that a failure shows. */
  log(what: string): void {
    this.#world.tell("simulation", what);
  }

  /**
   * Resolves when the condition holds; it is looked at every 10 ms.
   *
   * @throws TimeoutError when it does not hold in time; what the condition threw
   */
  async eventually(
    condition: () => boolean | Promise<boolean>,
    options: WaitInSimulation = {},
  ): Promise<void> {
    const withinMs = checkMs("withinMs", options.withinMs ?? DEFAULT_WITHIN_MS);
    const endsAtMs = this.nowMs + withinMs;
    while (!(await condition())) {
      if (this.nowMs >= endsAtMs) throw new TimeoutError("eventually", withinMs);
      await this.sleep(LOOK_EVERY_MS);
    }
  }

  /**
   * Resolves when the cluster has come to rest: every node sees every other, all agree on names and groups of the default
   * scope, no call and no request is under way, and all that has been so for 3 s. What is lasting is not ended: `heal()` first.
   *
   * @throws Error saying what still differs when that does not come about in time
   */
  async settle(options: WaitInSimulation = {}): Promise<void> {
    const withinMs = checkMs("withinMs", options.withinMs ?? DEFAULT_WITHIN_MS);
    const endsAtMs = this.nowMs + withinMs;
    for (let sinceMs = this.nowMs; this.nowMs - sinceMs < STEADY_MS; await this.sleep(COMPARE_EVERY_MS)) {
      const found = differences(this.#world.present);
      if (found === undefined) continue;
      sinceMs = this.nowMs;
      if (this.nowMs >= endsAtMs)
        throw new Error(`the cluster has not settled within ${withinMs} ms: ${found}`);
    }
  }

  /**
   * Cuts the network between these sides; nodes that are in none, those that start later included, are one more side together.
   * A cut does not end an earlier one: both hold.
   */
  partition(...sides: readonly (readonly SimulatedNode[])[]): void {
    const names = sides.map((side) => side.map(nameOf));
    this.log(`partition: ${names.map((side) => side.join(", ")).join(" | ")}`);
    this.#lasting.add(this.#world.network.cut(names, { apart: true }));
  }

  /**
   * What `from` sends takes so much longer to reach `to`, in milliseconds.
   *
   * @throws InvalidArgumentError, as all that takes a node does where none of that name runs
   */
  clog(from: SimulatedNode, to: SimulatedNode, byMs: number): void {
    const names = [this.#member(from).name, this.#member(to).name] as const;
    checkMs("byMs", byMs);
    this.log(`clog: ${names.join(" to ")}, by ${byMs} ms`);
    this.#lasting.add(this.#world.network.clog(...names, byMs));
  }

  /** What `from` sends does not reach `to`, without a word. */
  deafen(from: SimulatedNode, to: SimulatedNode): void {
    const names = [this.#member(from).name, this.#member(to).name] as const;
    this.log(`deafen: what ${names.join(" sends to ")} is lost`);
    this.#lasting.add(this.#world.network.deafen(...names));
  }

  /** The node's connection to the bus drops; with `noticeAfterMs` it is lost, and the node does not know for so long. */
  disconnect(node: SimulatedNode, options: { readonly noticeAfterMs?: number } = {}): void {
    const { name } = this.#member(node);
    const noticeAfterMs = checkMs("noticeAfterMs", options.noticeAfterMs ?? 0);
    this.log(`disconnect: ${name}`);
    const { network, clock } = this.#world;
    network.disconnectUnnoticed(name);
    if (noticeAfterMs === 0) network.noticeDrop(name);
    else clock.after(noticeAfterMs, () => network.noticeDrop(name));
    this.#lasting.add(() => network.reconnect(name));
  }

  reconnect(node: SimulatedNode): void {
    const { name } = this.#member(node);
    this.log(`reconnect: ${name}`);
    this.#world.network.reconnect(name);
  }

  /** The node's OS process stands still, as by SIGSTOP: it reads nothing, and its timers do not fire. */
  pause(node: SimulatedNode): void {
    const member = this.#member(node);
    this.#world.pause(member);
    this.#lasting.add(() => this.#world.resume(member));
  }

  resume(node: SimulatedNode): void {
    this.#world.resume(this.#member(node));
  }

  /** Ends everything that lasts: partitions, clogs, deafness, dropped connections and pauses. */
  heal(): void {
    this.log("heal");
    for (const end of this.#lasting) end();
    this.#lasting.clear();
  }

  /** The node's OS process ends at once, as by SIGKILL. What it was asked for is never answered: do not wait for it. */
  kill(node: SimulatedNode): void {
    this.#world.kill(this.#member(node).name);
  }

  /** Starts a node of this name; one that runs is killed in the same moment. Resolves when it has joined. */
  restart(node: SimulatedNode): Promise<ClusterNode> {
    return this.#world.start(nameOf(node), this.#options).started;
  }

  /**
   * Starts one more node. Resolves when it has joined.
   *
   * @throws InvalidArgumentError when one of this name runs
   */
  async start(name: string): Promise<ClusterNode> {
    if (this.#world.at(name) !== undefined)
      throw new InvalidArgumentError("name", name, "a name that no node has: restart() takes one's place");
    return this.#world.start(name, this.#options).started;
  }

  /** The node leaves in good order. */
  async stop(node: SimulatedNode): Promise<void> {
    await this.#world.stop(this.#member(node));
  }

  #member(node: SimulatedNode): Member {
    const member = this.#world.at(nameOf(node));
    if (member === undefined)
      throw new InvalidArgumentError("node", nameOf(node), "a node of this simulation that runs");
    return member;
  }
}

function nameOf(node: SimulatedNode): string {
  return typeof node === "string" ? node : node.name;
}
