import { createServer } from "node:net";
import { type ClusterNode, embeddedBus, keepOldest, type Logger, type Resolver, startNode } from "rollcall";
import { type MemoryLeaseStore, memoryLeases } from "rollcall/testing";
import { Notebook } from "./notebook.ts";
import { type PartableBus, partable } from "./partable-bus.ts";
import { type Ask, byAvailableName, byStrictName, pause, runTicker } from "./ticker.ts";
import type { Kind, Side, Timeline } from "./timeline.ts";

/** It has two of the three lease servers. */
const MAJORITY: Side = {
  name: "west",
  nodes: ["west-1", "west-2", "west-3"],
  servers: ["memory-1", "memory-2"],
};
const MINORITY: Side = { name: "east", nodes: ["east-1", "east-2"], servers: ["memory-3"] };
const SIDES = [MAJORITY, MINORITY];
const NAMES = SIDES.flatMap(({ nodes }) => nodes);

const TICK_MS = 250;
/** Least lengths of the parts of a round, in milliseconds: where something has to happen meanwhile, it is waited for. */
const BEFORE_CUT_MS = 2_500;
const CUT_MS = 6_500;
const AFTER_HEAL_MS = 2_500;
/** How long anything may take that has to happen. */
const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 10;

/** A fifth of the defaults, so that a round takes seconds. What happens is the same. */
const TTL_MS = 2_000;
const TIMES = { heartbeatMs: 200, suspectAfterMs: 600, deadAfterMs: 1_600, arbiterTimeoutMs: 600 };

export interface RoundOptions {
  /** The node that runs both tickers at first. */
  readonly first: string;
  /** Takes what the nodes warn of: of lost leases, say, as is the point here. */
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Starts five nodes with two tickers on each, one by an available name and one by a strict name, cuts the network, heals it, and
 * tells what was written down of each ticker. Both go through the very same partition.
 *
 * @throws Error when the nodes do not come to run the tickers, as `startNode`, and the signal's reason when it aborts first
 */
export async function playRound(options: RoundOptions): Promise<readonly Timeline[]> {
  const round = new Round(await prepare(options));
  try {
    return await round.play(options.first);
  } finally {
    await round.stop();
  }
}

interface Parts {
  readonly nodes: readonly ClusterNode[];
  readonly bus: PartableBus;
  readonly leases: MemoryLeaseStore;
  readonly notebooks: Readonly<Record<Kind, Notebook>>;
  readonly signal: AbortSignal;
  /** Milliseconds since the start of the round. */
  now(): number;
}

/** @throws as `startNode`; then no node is left */
async function prepare({ logger, signal }: RoundOptions): Promise<Parts> {
  const startedMs = performance.now();
  // To the microsecond: more is noise.
  const now = (): number => Math.round((performance.now() - startedMs) * 1_000) / 1_000;
  const notebooks = { available: new Notebook("available", now), strict: new Notebook("strict", now) };
  const bus = partable(embeddedBus({ port: await freePort() }));
  const leases = memoryLeases({ ttlMs: TTL_MS });
  const starting = NAMES.map((name) => {
    const resolve = keepOldestAnd((contenders, kept) =>
      notebooks.available.resolved({ by: name, contenders, kept }),
    );
    return startNode({
      cluster: "ap-and-cp",
      name,
      bus,
      leases,
      logger,
      failureDetection: TIMES,
      resolve,
      signal,
    });
  });
  const settled = await Promise.allSettled(starting);
  const nodes = settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const failed = settled.find((each) => each.status === "rejected");
  if (failed === undefined) return { nodes, bus, leases, notebooks, now, signal };
  await Promise.all(nodes.map((node) => node.stop()));
  throw failed.reason;
}

class Round {
  readonly #parts: Parts;
  readonly #stopping = new AbortController();
  /** Aborted when a ticker threw. */
  readonly #failing = new AbortController();
  readonly #tickers: Promise<void>[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async play(first: string): Promise<readonly Timeline[]> {
    const { available, strict } = this.#parts.notebooks;
    await this.#must("all see each other, and the lease servers", () =>
      this.#parts.nodes.every(
        (node) => node.nodes().length === NAMES.length && node.stats().leases.reached === 3,
      ),
    );
    this.#run(first);
    await this.#must(`${first} runs both tickers`, () =>
      [available, strict].every(({ running }) => running.includes(first)),
    );
    for (const name of NAMES) if (name !== first) this.#run(name);
    await this.#atLeast(BEFORE_CUT_MS);

    const cutMs = this.#cut();
    await this.#atLeast(CUT_MS);
    await this.#comes(() => {
      const sides = SIDES.filter((side) => isRunIn(side, available));
      return sides.length === SIDES.length && isRunIn(MAJORITY, strict);
    });

    const healMs = this.#heal();
    await this.#comes(() => available.decisions > 0 && available.running.length === 1);
    await this.#atLeast(AFTER_HEAL_MS);
    const stallMs = Math.max(...this.#parts.nodes.map((node) => node.stats().worstStallMs));
    const round = { sides: SIDES, tickMs: TICK_MS, cutMs, healMs, stallMs };
    return [available.close(round), strict.close(round)];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#tickers);
    this.#heal();
    await Promise.all(this.#parts.nodes.map((node) => node.stop()));
  }

  #run(name: string): void {
    const node = this.#parts.nodes.find((each) => each.name === name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    const asks: readonly (readonly [Kind, Ask])[] = [
      ["available", byAvailableName],
      ["strict", byStrictName],
    ];
    for (const [kind, ask] of asks) {
      const notebook = this.#parts.notebooks[kind];
      const ticker = runTicker({
        node,
        ask,
        notebook,
        now: this.#parts.now,
        tickMs: TICK_MS,
        stop: this.#stopping.signal,
      });
      this.#tickers.push(ticker.catch((error: unknown) => this.#failing.abort(error)));
    }
  }

  /** Between the sides nothing passes any more: neither frames between nodes, nor what nodes ask of lease servers. */
  #cut(): number {
    this.#parts.bus.part(SIDES.map(({ nodes }) => nodes));
    for (const { nodes, servers } of SIDES) {
      const beyond = this.#parts.leases.servers.filter((server) => !servers.includes(server));
      for (const { id } of this.#parts.nodes.filter(({ name }) => nodes.includes(name)))
        for (const server of beyond) this.#parts.leases.cut(server, id);
    }
    return this.#parts.now();
  }

  #heal(): number {
    this.#parts.bus.heal();
    this.#parts.leases.heal();
    return this.#parts.now();
  }

  async #atLeast(ms: number): Promise<void> {
    const signals = [this.#parts.signal, this.#failing.signal];
    await pause(ms, ...signals);
    for (const signal of signals) signal.throwIfAborted();
  }

  async #must(what: string, condition: () => boolean): Promise<void> {
    if (!(await this.#comes(condition))) throw new Error(`not so after ${PATIENCE_MS} ms: ${what}`);
  }

  /** Whether it came to hold. If it did not, the round goes on: what is missing from it is for the verdict to say. */
  async #comes(condition: () => boolean): Promise<boolean> {
    const deadlineMs = this.#parts.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.#parts.now() > deadlineMs) return false;
      await this.#atLeast(LOOK_EVERY_MS);
    }
    return true;
  }
}

function isRunIn({ nodes }: Side, { running }: Notebook): boolean {
  return nodes.some((node) => running.includes(node));
}

/** `keepOldest`, which is the default too, and a word of each of its runs. */
function keepOldestAnd(tell: (contenders: readonly string[], kept: string) => void): Resolver {
  return (clash) => {
    const verdict = keepOldest(clash);
    const kept = clash.contenders.find(({ pid }) => pid === verdict.keep);
    tell(
      clash.contenders.map(({ node }) => nameOf(node)),
      kept === undefined ? "none" : nameOf(kept.node),
    );
    return verdict;
  };
}

function nameOf(node: string): string {
  return node.slice(0, node.lastIndexOf("@"));
}

/** Free a moment ago, at least, so that this meets no other nodes of this machine. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === "object" ? address.port : 0));
    });
  });
}
