import { type ClusterNode, type NodeOptions, natsBus, startNode } from "../../../src/index.ts";
import { type ToldError, tell } from "./protocol.ts";
import { Reader, type Readings } from "./reader.ts";

export interface VisitsOptions {
  readonly servers: string | readonly string[];
  readonly cluster: string;
  readonly failureDetection?: NodeOptions["failureDetection"];
  /** How many nodes come and go beside each other. */
  readonly atOnce: number;
  /** How long each stays, at most. */
  readonly stayMs: number;
  readonly names: readonly string[];
}

export interface VisitsReport {
  readonly visits: number;
  readonly readings: readonly Readings[];
  readonly failures: readonly ToldError[];
  /** Clashes that any of them decided. */
  readonly clashes: number;
}

/** Nodes of this process that join, read names for a while, and leave in good order; then others do, until it ends. */
export class Visits {
  readonly #options: VisitsOptions;
  readonly #readings: Readings[] = [];
  readonly #failures: ToldError[] = [];
  readonly #loops: readonly Promise<void>[];
  #visits = 0;
  #clashes = 0;
  #ended = false;

  constructor(options: VisitsOptions) {
    this.#options = options;
    this.#loops = Array.from({ length: options.atOnce }, (_, index) => this.#comeAndGo(index));
  }

  get visits(): number {
    return this.#visits;
  }

  async end(): Promise<VisitsReport> {
    this.#ended = true;
    await Promise.all(this.#loops);
    const [visits, readings] = [this.#visits, this.#readings];
    return { visits, readings, failures: this.#failures, clashes: this.#clashes };
  }

  async #comeAndGo(index: number): Promise<void> {
    for (let count = 0; !this.#ended; count += 1) {
      try {
        await this.#visit(`visitor-${index}-${count}`, (this.#options.stayMs * (count % 4)) / 3);
        this.#visits += 1;
      } catch (error) {
        this.#failures.push(tell(error));
        return;
      }
    }
  }

  async #visit(name: string, stayMs: number): Promise<void> {
    const { servers, cluster, failureDetection, names } = this.#options;
    const node: ClusterNode = await startNode({ cluster, name, failureDetection, bus: natsBus({ servers }) });
    const reader = new Reader(node, names);
    await new Promise((resolve) => void setTimeout(resolve, stayMs));
    this.#clashes += node.stats().cluster["tables.clashes"] ?? 0;
    this.#readings.push(await reader.end());
    await node.drain();
  }
}
