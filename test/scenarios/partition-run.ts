import type { Pid } from "../../src/kernel/ids.ts";
import { fraction, type Random, SeededRandom } from "../../src/kernel/random.ts";
import { Value } from "../../src/kernel/value.ts";
import type { Clash } from "../../src/resolve/types.ts";
import { type ClusterOptions, MachineCluster, type MachineNode } from "../support/machine-cluster.ts";

export interface PartitionReport {
  readonly seed: string;
  /** Resolver runs. */
  readonly clashes: number;
  /** Contenders that were judged once more, all of them together, though nothing broke and no winner died in between. */
  readonly judgedTwice: readonly string[];
  /** The same where something did. */
  readonly judgedAgain: number;
  /** Processes that were ended without their registration having been shown to a resolver. */
  readonly unheard: readonly string[];
  readonly exits: number;
  /** Ends for any other reason than a clash. */
  readonly strangeExits: readonly string[];
  /** Where nodes do not see each other, do not agree, tables are not true, or work is left open. */
  readonly wrongAtRest: readonly string[];
}

type Judge = NonNullable<ClusterOptions["resolver"]>;

const NAMES = ["x", "y", "z", "w"];
const GROUPS = ["g", "h"];
const PROCESSES = 3;
const PHASES = 4;
/** Longer than it takes to give up a silent node, so that both sides go on alone. */
const LONG_CUT_MS = [9_000, 13_000] as const;
/** A hiccup: nobody may be given up for the shortest of these. */
const SHORT_CUT_MS = [300, 3_300] as const;
const REST_MS = 25_000;

/**
 * Nodes go on with names and groups while the network between them is cut in two or three, or one of them is killed; then it
 * heals, and sometimes a new node joins right into that. Four times over, then a rest.
 */
export class PartitionRun {
  readonly cluster: MachineCluster;
  readonly #seed: string;
  readonly #random: Random;
  readonly #pids = new Map<MachineNode, Pid[]>();
  #nodes: MachineNode[];
  /** When something broke. */
  readonly #breaksMs: number[] = [];

  constructor(seed: string) {
    this.#seed = seed;
    const chance = new SeededRandom(seed).fork("verdicts");
    this.cluster = new MachineCluster({
      seed,
      delayMs: [0.1, 20],
      turnMs: [0, 3],
      resolverMs: [0, 2_000],
      resolver: (clash) => judge(clash, fraction(chance)),
    });
    this.#random = this.cluster.random.fork("commands");
    this.#nodes = this.cluster.startMany(["a", "b", "c", "d", "e"]);
    for (const node of this.#nodes) this.#settle(node);
  }

  run(): PartitionReport {
    for (let phase = 0; phase < PHASES; phase += 1) {
      for (let command = 0; command < 15; command += 1) this.#command(30);
      this.#break();
      const [least, most] = this.#draw() < 0.3 ? SHORT_CUT_MS : LONG_CUT_MS;
      const endMs = this.#nowMs + least + this.#draw() * (most - least);
      while (this.#nowMs < endMs) this.#command(400);
      this.cluster.heal();
      this.cluster.run(this.#draw() * 3_000);
      if (this.#draw() < 0.4) this.#join(`late-${phase}`);
    }
    this.cluster.run(REST_MS);
    return this.#report();
  }

  get #nowMs(): number {
    return this.cluster.clock.now().monotonicMs;
  }

  #settle(node: MachineNode): void {
    this.#pids.set(
      node,
      Array.from({ length: PROCESSES }, () => node.spawn()),
    );
  }

  #join(name: string): void {
    const node = this.cluster.start(name);
    this.#nodes.push(node);
    this.#settle(node);
    this.cluster.runUntil(() => node.ready, 30_000);
  }

  /** In two, in three, or a node dies; or nothing happens. */
  #break(): void {
    const shuffled = [...this.#nodes]
      .map((node) => ({ node, place: this.#draw() }))
      .sort((left, right) => left.place - right.place)
      .map(({ node }) => node);
    const cut = 1 + Math.floor(this.#draw() * (shuffled.length - 1));
    this.#breaksMs.push(this.#nowMs);
    const kind = this.#draw();
    if (kind < 0.5) this.cluster.partition(shuffled.slice(0, cut), shuffled.slice(cut));
    else if (kind < 0.7 && shuffled.length > 2)
      this.cluster.partition(shuffled.slice(0, 1), shuffled.slice(1, 2), shuffled.slice(2));
    else if (kind < 0.85 && shuffled.length > 3) {
      shuffled[0]?.kill();
      this.#nodes = this.#nodes.filter((node) => node !== shuffled[0]);
    }
  }

  #command(gapMs: number): void {
    const node = this.#pick(this.#nodes);
    const name = this.#pick(NAMES);
    const target = this.#pick(this.#pids.get(this.#pick(this.#nodes)) ?? []);
    const kind = this.#draw();
    if (kind < 0.4) node.register(name, target);
    else if (kind < 0.5) node.register(name, target, { takeover: true });
    else if (kind < 0.6) node.transfer(name, target);
    else if (kind < 0.7) node.unregister(name);
    else if (kind < 0.75) this.#exitOne(node);
    else if (kind < 0.95) this.#joinOrLeave(node, kind < 0.88 ? "join" : "leave");
    this.cluster.run(this.#draw() * gapMs);
  }

  #exitOne(node: MachineNode): void {
    const pids = this.#pids.get(node) ?? [];
    const index = Math.floor(this.#draw() * PROCESSES);
    node.exit(pids[index] as Pid);
    pids[index] = node.spawn();
  }

  #joinOrLeave(node: MachineNode, kind: "join" | "leave"): void {
    const pid = this.#pick(this.#pids.get(node) ?? []);
    if (node.exits.some((exit) => exit.pid === pid)) return;
    const group = this.#pick(GROUPS);
    if (kind === "join") node.feed({ kind, scope: "default", group, pids: [pid], meta: Value.undefined });
    else node.feed({ kind, scope: "default", group, pids: [pid] });
  }

  #report(): PartitionReport {
    const { clashes } = this.cluster;
    const again = this.#judgedAgain();
    const exits = this.#nodes.flatMap((node) => node.exits);
    return {
      seed: this.#seed,
      clashes: clashes.length,
      judgedTwice: again.filter(({ excused }) => !excused).map(({ contenders }) => contenders),
      judgedAgain: again.filter(({ excused }) => excused).length,
      unheard: exits
        .filter(({ pid }) => !clashes.some(({ contenders }) => contenders.some((one) => one.pid === pid)))
        .map(({ pid }) => pid),
      exits: exits.length,
      strangeExits: exits
        .filter(({ reason }) => reason.kind !== "nameClash")
        .map((exit) => JSON.stringify(exit)),
      wrongAtRest: [this.cluster.wrongAtRest ?? []].flat(),
    };
  }

  /** Contenders that were shown to a resolver once more, and whether that had to be: the decider may have been cut off. */
  #judgedAgain(): { readonly contenders: string; readonly excused: boolean }[] {
    const last = new Map<string, { readonly atMs: number; readonly winner: Pid | "none" | undefined }>();
    return this.cluster.judgements.flatMap(({ clash, atMs, winner }) => {
      const contenders = `${clash.name}: ${clash.contenders.map((one) => one.pid + one.registeredAt).join()}`;
      const former = last.get(contenders);
      last.set(contenders, { atMs, winner });
      if (former === undefined) return [];
      const broke = this.#breaksMs.some((breakMs) => former.atMs <= breakMs && breakMs <= atMs);
      return [{ contenders, excused: broke || !this.#isAlive(former.winner) }];
    });
  }

  #isAlive(pid: Pid | "none" | undefined): boolean {
    return this.#nodes.some(
      (node) =>
        this.#pids.get(node)?.some((one) => one === pid) && !node.exits.some((exit) => exit.pid === pid),
    );
  }

  #draw(): number {
    return fraction(this.#random);
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#draw() * list.length)] as T;
  }
}

/** Each kind of verdict, drawn. */
function judge({ contenders }: Clash, draw: number): ReturnType<Judge> {
  const [oldest, newest] = [contenders[0], contenders.at(-1)];
  if (oldest === undefined || newest === undefined) throw new Error("a clash of nobody");
  if (draw < 0.5) return { winner: oldest.pid, losers: "exit" };
  if (draw < 0.7) return { winner: newest.pid, losers: "exit" };
  if (draw < 0.9) return { winner: newest.pid, losers: "notify" };
  return { winner: "none", losers: "notify" };
}
