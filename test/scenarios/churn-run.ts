import type { Pid } from "../../src/kernel/ids.ts";
import { fraction, type Random } from "../../src/kernel/random.ts";
import { MachineCluster, type MachineNode } from "../support/machine-cluster.ts";

export interface ChurnOptions {
  readonly seed: string;
  readonly commands: number;
  readonly names: number;
  /** The longest delay of a frame. */
  readonly delayMs: number;
  /** The longest pause between two commands: a long one next to `delayMs` is a quiet cluster. */
  readonly gapMs: number;
  /** How likely a node comes or goes with each command. */
  readonly churn: number;
}

export interface ChurnReport {
  readonly seed: string;
  readonly succeeded: number;
  /** How often each error was the answer, by its code. */
  readonly refused: ReadonlyMap<string, number>;
  readonly visits: number;
  readonly unanswered: readonly string[];
  readonly clashes: number;
  readonly exits: number;
  /** Where nodes do not agree, tables are not true, or work is left open. */
  readonly wrongAtRest: string | undefined;
}

/** Links slower than the pauses, so that much is under way at once; and a few hot names on fast links. */
export const CHURN_KINDS: readonly Omit<ChurnOptions, "seed">[] = [
  { commands: 300, names: 12, delayMs: 40, gapMs: 4, churn: 0.3 },
  { commands: 300, names: 3, delayMs: 4, gapMs: 6, churn: 0.1 },
];

/** Runs of every kind, one for each seed. */
export function churn(seeds: readonly string[]): readonly ChurnReport[] {
  return seeds.flatMap((seed) => CHURN_KINDS.map((kind) => new ChurnRun({ seed, ...kind }).run()));
}

const PROCESSES = 3;
const VISITORS = 3;
const QUIET_MS = 3_000;

/**
 * Registers, takeovers, transfers and releases, by any node about any process, while processes exit and nodes come and go in
 * good order; then a while of quiet.
 */
export class ChurnRun {
  readonly cluster: MachineCluster;
  readonly #options: ChurnOptions;
  readonly #nodes: readonly MachineNode[];
  readonly #pids: Map<MachineNode, Pid[]>;
  readonly #names: readonly string[];
  readonly #random: Random;
  readonly #visitors: { readonly node: MachineNode; leaving: number | undefined }[] = [];
  readonly #asked: { readonly node: MachineNode; readonly request: number; readonly what: string }[] = [];
  #visits = 0;

  constructor(options: ChurnOptions) {
    this.#options = options;
    this.cluster = new MachineCluster({
      seed: options.seed,
      delayMs: [0.1, options.delayMs],
      turnMs: [0, 3],
      times: { discoveryMs: 20 },
    });
    this.#random = this.cluster.random.fork("commands");
    this.#names = Array.from({ length: options.names }, (_, index) => `n${index}`);
    this.#nodes = this.cluster.startMany(["a", "b", "c", "d", "e"]);
    this.#pids = new Map(
      this.#nodes.map((node) => [node, Array.from({ length: PROCESSES }, () => node.spawn())]),
    );
  }

  run(): ChurnReport {
    for (let command = 0; command < this.#options.commands; command += 1) {
      this.#command();
      if (this.#draw() < this.#options.churn) this.#comeOrGo();
      this.cluster.run(this.#draw() * this.#options.gapMs);
    }
    // A visitor whose start or leave is under way is done with it before all is looked at.
    this.cluster.run(QUIET_MS);
    return this.#report();
  }

  #command(): void {
    const node = this.#pick(this.#nodes);
    const name = this.#pick(this.#names);
    const target = this.#pick([...this.#pids.values()].flat());
    const kind = this.#draw();
    if (kind < 0.35) this.#ask(node, node.register(name, target), `register ${name}`);
    else if (kind < 0.5)
      this.#ask(node, node.register(name, target, { takeover: true }), `take over ${name}`);
    else if (kind < 0.65) this.#ask(node, node.transfer(name, target), `transfer ${name}`);
    else if (kind < 0.85) this.#ask(node, node.unregister(name), `unregister ${name}`);
    else if (kind < 0.9) this.#exitOne(node);
  }

  #ask(node: MachineNode, request: number, what: string): void {
    this.#asked.push({ node, request, what });
  }

  #exitOne(node: MachineNode): void {
    const pids = this.#pids.get(node) ?? [];
    const index = Math.floor(this.#draw() * PROCESSES);
    node.exit(pids[index] as Pid);
    pids[index] = node.spawn();
  }

  #comeOrGo(): void {
    if (this.#visitors.length < VISITORS && this.#draw() < 0.5) {
      const node = this.cluster.start(`visitor-${this.#visits + this.#visitors.length}`);
      this.#visitors.push({ node, leaving: undefined });
      return;
    }
    for (const visitor of [...this.#visitors]) {
      const { node } = visitor;
      if (visitor.leaving === undefined) {
        if (node.ready && this.#draw() < 0.5) {
          visitor.leaving = node.request((request) => ({ kind: "retire", request }));
        }
      } else if (node.answers.has(visitor.leaving)) {
        node.leave();
        this.#visitors.splice(this.#visitors.indexOf(visitor), 1);
        this.#visits += 1;
      }
    }
  }

  #report(): ChurnReport {
    const refused = new Map<string, number>();
    const unanswered: string[] = [];
    let succeeded = 0;
    for (const { node, request, what } of this.#asked) {
      const answer = node.answers.get(request);
      if (answer === undefined) unanswered.push(`${what}, by ${node.id}`);
      else if (answer.kind !== "error") succeeded += 1;
      else refused.set(answer.error.code, (refused.get(answer.error.code) ?? 0) + 1);
    }
    return {
      seed: this.#options.seed,
      succeeded,
      refused,
      unanswered,
      visits: this.#visits,
      clashes: this.cluster.clashes.length,
      exits: this.#nodes.reduce((sum, node) => sum + node.exits.length, 0),
      wrongAtRest: this.cluster.wrongAtRest,
    };
  }

  #draw(): number {
    return fraction(this.#random);
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#draw() * list.length)] as T;
  }
}
