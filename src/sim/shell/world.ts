import { type FrameSeen, MemoryNetwork } from "../../bus/memory.ts";
import { fraction, type Random, SeededRandom } from "../../kernel/random.ts";
import { VirtualClock } from "../../kernel/virtual-clock.ts";
import { launch } from "../../node/launch.ts";
import type { Logger } from "../../node/logger.ts";
import { type NodeOptions, parseOptions } from "../../node/options.ts";
import type { ClusterNode } from "../../node/types.ts";
import { keepOldest } from "../../resolve/resolvers.ts";
import type { Resolver } from "../../resolve/types.ts";
import { drained } from "./guard.ts";
import { OwnClock } from "./own-clock.ts";

export interface ShellWorldOptions {
  readonly seed: string;
  readonly delayMs: readonly [number, number];
  readonly turnMs: readonly [number, number];
  /** For a reader: a line for each thing that happens. */
  readonly tell?: ((who: string, what: string, kind: Kind) => void) | undefined;
  /** For a reader: each frame, where it ends. */
  readonly onFrame?: ((frame: FrameSeen) => void) | undefined;
  /** Looked at after each event. Throws when the run is over. */
  readonly look?: (() => void) | undefined;
}

/** Whether an OS process begins, ends, or something else is told. */
type Kind = "input" | "ended" | "seen";

/** One incarnation of a node. */
export interface Member {
  readonly name: string;
  readonly clock: OwnClock;
  readonly started: Promise<ClusterNode>;
  readonly startedAtMs: number;
  /** Undefined until it has joined. */
  node: ClusterNode | undefined;
  /** `leaving`: from the call of `stop()` on. `gone`: its OS process has ended. */
  state: "starting" | "running" | "leaving" | "gone";
}

/**
 * Real nodes, as `startNode` makes them, on a bus in memory and in virtual time. One thing happens at a time; after each, all
 * promises run as far as they can, before the next thing happens.
 */
export class ShellWorld {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly network: MemoryNetwork;
  /** How many things have happened. */
  events = 0;
  readonly #options: ShellWorldOptions;
  readonly #present = new Map<string, Member>();
  #incarnations = 0;

  constructor(options: ShellWorldOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed);
    const [min, max] = options.delayMs;
    this.network = new MemoryNetwork({
      clock: this.clock,
      random: this.random.fork("network"),
      delayMs: { min, max },
      onFrame: options.onFrame,
    });
  }

  get nowMs(): number {
    return this.clock.now().monotonicMs;
  }

  /** Those whose OS process runs, in the order in which their names first came. */
  get present(): readonly Member[] {
    return [...this.#present.values()];
  }

  at(name: string): Member | undefined {
    return this.#present.get(name);
  }

  /** Starts a node. One of the same name that still runs is killed in the same moment. */
  start(name: string, options: Partial<NodeOptions> = {}): Member {
    this.kill(name);
    this.#incarnations += 1;
    const random = this.random.fork(`incarnation:${name}:${this.#incarnations}`);
    const clock = new OwnClock(this.clock, this.#turns(random.fork("turns")));
    const resolve = this.#toldResolver(name, options.resolve ?? keepOldest);
    const settings = parseOptions({
      logger: this.#logger(name),
      cluster: "simulated",
      ...options,
      resolve,
      name,
    });
    const bus = this.network.bus(name);
    const started = launch(settings, { clock, random, host: "simulated", bus });
    const member: Member = {
      name,
      clock,
      started,
      startedAtMs: this.nowMs,
      node: undefined,
      state: "starting",
    };
    this.#present.set(name, member);
    this.tell(name, "starts", "input");
    started.then(
      (node) => {
        member.node = node;
        if (member.state === "starting") member.state = "running";
        this.tell(name, `has joined as ${node.id}`);
      },
      (error: unknown) => {
        this.tell(name, `could not start: ${String(error)}`, "ended");
        this.#end(member);
      },
    );
    return member;
  }

  /** SIGKILL: nothing is said, and nothing of it runs any more. */
  kill(name: string): void {
    const member = this.#present.get(name);
    if (member === undefined) return;
    this.tell(name, "is killed", "ended");
    member.clock.kill();
    this.network.kill(name);
    this.#end(member);
  }

  /** Leaves in good order, as far as it can. */
  async stop(member: Member): Promise<void> {
    if (member.state !== "running") return;
    member.state = "leaving";
    this.tell(member.name, "leaves");
    await member.node?.stop();
    this.tell(member.name, "has left", "ended");
    this.#end(member);
  }

  pause(member: Member): void {
    if (member.clock.isPaused) return;
    this.tell(member.name, "stands still");
    member.clock.pause();
    this.network.pause(member.name);
  }

  resume(member: Member): void {
    if (!member.clock.isPaused || member.state === "gone") return;
    this.tell(member.name, "goes on");
    member.clock.resume(() => this.network.resume(member.name));
  }

  tell(who: string, what: string, kind: Kind = "seen"): void {
    this.#options.tell?.(who, what, kind);
  }

  /** Lets time pass. */
  async runFor(ms: number): Promise<void> {
    const endsAtMs = this.nowMs + ms;
    await this.#run(() => (this.clock.nextAtMs ?? Number.POSITIVE_INFINITY) > endsAtMs);
    this.clock.runUntil(endsAtMs);
    await drained();
  }

  /** Lets time pass until the promise is settled. False: it was not, in this time. */
  async runUntilSettled(promise: Promise<unknown>, withinMs: number): Promise<boolean> {
    const endsAtMs = this.nowMs + withinMs;
    let isSettled = false;
    const mark = (): void => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await this.#run(
      () => isSettled || (this.clock.nextAtMs ?? Number.POSITIVE_INFINITY) > endsAtMs,
      () => isSettled,
    );
    return isSettled;
  }

  async #run(isOver: () => boolean, isOverInTurn: () => boolean = () => false): Promise<void> {
    for (;;) {
      await drained();
      this.#options.look?.();
      if (this.clock.isTurnOpen ? isOverInTurn() : isOver()) return;
      this.events += 1;
      if (!this.clock.runNext()) return;
    }
  }

  #end(member: Member): void {
    member.state = "gone";
    if (this.#present.get(member.name) === member) this.#present.delete(member.name);
  }

  /** The resolver, whose verdicts stand among what happened. */
  #toldResolver(name: string, resolve: Resolver): Resolver {
    if (typeof resolve !== "function") return resolve;
    return (clash) => {
      const contenders = clash.contenders.map(({ pid, meta }) => `${pid} ${shown({ meta })}`).join(", ");
      this.tell(name, `asks the resolver about ${clash.name}: ${contenders}`);
      const verdict = resolve(clash);
      if (verdict instanceof Promise)
        verdict.then(
          (settled) => this.tell(name, `the verdict on ${clash.name}: ${shown(settled)}`),
          (error: unknown) => this.tell(name, `the resolver of ${clash.name} failed: ${String(error)}`),
        );
      else this.tell(name, `the verdict on ${clash.name}: ${shown(verdict)}`);
      return verdict;
    };
  }

  #turns(random: Random): () => number {
    const [least, most] = this.#options.turnMs;
    return () => (most === 0 ? 0 : least + fraction(random) * (most - least));
  }

  #logger(name: string): Logger {
    const write =
      (level: keyof Logger) =>
      (details: object, message: string): void =>
        this.tell(name, `logs (${level}): ${message} ${shown(details)}`);
    return { debug: () => {}, info: write("info"), warn: write("warn"), error: write("error") };
  }
}

function shown(details: object): string {
  return JSON.stringify(details, (_key, value: unknown) =>
    value instanceof Error
      ? `${value.name}: ${value.message}`
      : typeof value === "bigint"
        ? String(value)
        : value,
  );
}
