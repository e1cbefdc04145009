import { MemoryNetwork } from "../../src/bus/memory.ts";
import { SeededRandom } from "../../src/kernel/random.ts";
import { VirtualClock } from "../../src/kernel/virtual-clock.ts";
import { type Environment, launch, launchShell } from "../../src/node/launch.ts";
import type { Logger } from "../../src/node/logger.ts";
import { type NodeOptions, parseOptions } from "../../src/node/options.ts";
import type { NodeSettings } from "../../src/node/settings.ts";
import type { Shell } from "../../src/node/shell.ts";
import type { ClusterNode } from "../../src/node/types.ts";

/** Everything that a node logged. */
export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly details: object;
}

/** Real nodes on a bus in memory, in virtual time: the shell, the codec and the machine, without sockets and without waiting. */
export class Shells {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly log: LogLine[] = [];
  readonly #random: SeededRandom;

  constructor(seed: string, options: { readonly advisories?: boolean } = {}) {
    this.#random = new SeededRandom(seed);
    this.network = new MemoryNetwork({ clock: this.clock, random: this.#random.fork("network"), ...options });
  }

  /** Starts a node; on the network it is known by its name. */
  async start(name: string, options: Partial<NodeOptions> = {}): Promise<ClusterNode> {
    return this.until(this.begin(name, options));
  }

  /** As `start`, for one that may take long, or never succeed. */
  begin(name: string, options: Partial<NodeOptions> = {}): Promise<ClusterNode> {
    return launch(...this.#prepare(name, options));
  }

  /** A node as it is inside, for tests that make it say what it never would. */
  async startShell(name: string, options: Partial<NodeOptions> = {}): Promise<Shell> {
    return this.until(launchShell(...this.#prepare(name, options)));
  }

  #prepare(name: string, options: Partial<NodeOptions>): [NodeSettings, Environment] {
    const logger = this.#logger();
    const settings = parseOptions({ cluster: "test", name, logger, ...options });
    const random = this.#random.fork(`node:${name}`);
    return [
      settings,
      { clock: this.clock, random, host: "host", bus: settings.bus ?? this.network.bus(name) },
    ];
  }

  async startAll<const N extends readonly string[]>(...names: N): Promise<{ [K in keyof N]: ClusterNode }> {
    const nodes: ClusterNode[] = [];
    for (const name of names) nodes.push(await this.start(name));
    return nodes as { [K in keyof N]: ClusterNode };
  }

  /** Lets time pass until the promise is settled. */
  async until<T>(promise: Promise<T>, withinMs = 120_000): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    const endsAtMs = this.clock.now().monotonicMs + withinMs;
    await microtasks();
    while (!settled) {
      if (this.clock.now().monotonicMs > endsAtMs) throw new Error(`not settled within ${withinMs} ms`);
      if (!this.clock.runNext()) throw new Error("nothing is left to happen, and it is not settled");
      await microtasks();
    }
    return promise;
  }

  async run(ms: number): Promise<void> {
    const endsAtMs = this.clock.now().monotonicMs + ms;
    await microtasks();
    while ((this.clock.nextAtMs ?? Number.POSITIVE_INFINITY) <= endsAtMs) {
      this.clock.runNext();
      await microtasks();
    }
    this.clock.runUntil(endsAtMs);
    await microtasks();
  }

  /** Lets time pass until the condition holds. */
  async eventually(condition: () => boolean, withinMs = 60_000): Promise<void> {
    const endsAtMs = this.clock.now().monotonicMs + withinMs;
    while (!condition()) {
      if (this.clock.now().monotonicMs > endsAtMs)
        throw new Error(`not true within ${withinMs} ms: ${condition}`);
      await this.run(1);
    }
  }

  #logger(): Logger {
    const write =
      (level: keyof Logger) =>
      (details: object, message: string): void => {
        this.log.push({ level, message, details });
      };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

/** The microtask queue is empty before an immediate runs. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
