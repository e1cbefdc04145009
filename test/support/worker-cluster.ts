import { expect } from "vitest";
import type { NodeId, Pid } from "../../src/index.ts";
import { eventually } from "./eventually.ts";
import { type NatsCluster, NatsServer, startNatsCluster } from "./nats-server.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import type { StartOptions } from "./worker/protocol.ts";
import { Worker } from "./worker-client.ts";

type Tuple<T, N extends number, R extends readonly T[] = []> = R["length"] extends N
  ? R
  : Tuple<T, N, readonly [...R, T]>;

export type NodeSetup = Partial<Omit<StartOptions, "servers" | "name">>;

/**
 * Shorter than the defaults, for tests in which somebody must be found to be gone. Long enough that no process of a busy machine
 * is taken for dead because it waits for the processor.
 */
export const QUICK = {
  heartbeatMs: 300,
  suspectAfterMs: 1_200,
  deadAfterMs: 3_000,
  arbiterTimeoutMs: 1_200,
  busGraceMs: 3_500,
} as const;

/** The first of many errors say the most. */
const SHOWN = 2;

export interface ClusterSetup {
  /** What every node is started with, unless `add` says otherwise. */
  readonly node?: NodeSetup;
  /** Each worker's way to the bus goes through a proxy of its own, to be cut. */
  readonly proxied?: boolean;
  /** Lines of the server's configuration. */
  readonly config?: string;
  /** Servers that run already, for each worker the ones it may use. */
  readonly servers?: readonly (readonly string[])[];
}

/** Some workers on one real nats-server, or on a server each of one NATS cluster. All of it ends with the disposal. */
export class WorkerCluster<N extends number> implements AsyncDisposable {
  readonly workers: Tuple<Worker, N>;
  readonly ids = new Map<Worker, NodeId>();
  readonly #size: number;
  readonly #started: Worker[];
  readonly #setup: ClusterSetup;
  readonly #name: string;
  #server: NatsServer | undefined;
  #servers: NatsCluster | undefined;
  readonly #proxies = new Map<Worker, TcpProxy>();

  private constructor(size: N, setup: ClusterSetup) {
    this.#size = size;
    this.#setup = setup;
    this.#name = setup.node?.cluster ?? `cluster-${process.pid}`;
    this.#started = Array.from({ length: size }, (_, index) => new Worker(`w${index + 1}`));
    this.workers = [...this.#started] as unknown as Tuple<Worker, N>;
  }

  /** All workers on one server. */
  static async start<N extends number>(size: N, setup: ClusterSetup = {}): Promise<WorkerCluster<N>> {
    const cluster = new WorkerCluster(size, setup);
    return cluster.#orDispose(async () => {
      if (setup.servers === undefined)
        cluster.#server = await NatsServer.start(setup.config === undefined ? {} : { config: setup.config });
      await Promise.all(cluster.#started.map((worker) => cluster.startNode(worker)));
      await cluster.allUp();
    });
  }

  /** Each worker on a server of its own, with routes between them that can be cut. */
  static async startSplittable<N extends number>(
    size: N,
    setup: ClusterSetup = {},
  ): Promise<WorkerCluster<N>> {
    const cluster = new WorkerCluster(size, setup);
    return cluster.#orDispose(async () => {
      cluster.#servers = await startNatsCluster({ size, proxied: true });
      await Promise.all(cluster.#started.map((worker) => cluster.startNode(worker)));
      await cluster.allUp();
    });
  }

  get server(): NatsServer {
    if (this.#server === undefined) throw new Error("this cluster has several servers");
    return this.#server;
  }

  /** Those that have not ended. */
  get running(): readonly Worker[] {
    return this.#started.filter((worker) => this.ids.has(worker));
  }

  id(worker: Worker): NodeId {
    const id = this.ids.get(worker);
    if (id === undefined) throw new Error(`the node of ${worker.name} does not run`);
    return id;
  }

  proxy(worker: Worker): TcpProxy {
    const proxy = this.#proxies.get(worker);
    if (proxy === undefined) throw new Error("this cluster was started without proxies");
    return proxy;
  }

  /** Starts one more process, and its node. */
  async add(name: string, setup: NodeSetup = {}): Promise<Worker> {
    const worker = this.addWorker(name);
    await this.startNode(worker, setup);
    return worker;
  }

  /** Starts one more process, without a node. */
  addWorker(name: string): Worker {
    const worker = new Worker(name);
    this.#started.push(worker);
    return worker;
  }

  /** Starts the node of a worker, or its next incarnation. */
  async startNode(worker: Worker, setup: NodeSetup = {}): Promise<NodeId> {
    await worker.booted;
    const node = { cluster: this.#name, ...this.#setup.node, ...setup, name: worker.name };
    const { id } = await worker.node.start({ ...node, servers: await this.#serversOf(worker) });
    this.ids.set(worker, id);
    return id;
  }

  async kill(worker: Worker): Promise<number> {
    this.ids.delete(worker);
    return worker.kill();
  }

  /** Says goodbye. The process stays, for another start. */
  async stopNode(worker: Worker): Promise<void> {
    this.ids.delete(worker);
    await worker.node.stop();
  }

  /** Leaves in good order. The process stays, for another start. */
  async drainNode(worker: Worker): Promise<void> {
    this.ids.delete(worker);
    await worker.node.drain();
  }

  /** Cuts the routes between these groups of workers. They stay connected to their servers. */
  split(...sides: readonly (readonly Worker[])[]): void {
    this.#betweenSides(sides, (left, right) => this.#servers?.cut(left, right));
  }

  heal(): void {
    const all = this.#started.slice(0, this.#size).map((worker) => [worker]);
    this.#betweenSides(all, (left, right) => this.#servers?.heal(left, right));
  }

  /** Waits until each of these sees exactly these, all up. */
  async allUp(workers: readonly Worker[] = this.running, withinMs = 20_000): Promise<void> {
    await this.sees(workers, workers, withinMs);
  }

  /** Waits until each of the observers sees exactly these nodes, all up. */
  async sees(observers: readonly Worker[], seen: readonly Worker[], withinMs = 20_000): Promise<void> {
    const expected = seen.map((worker) => `${this.id(worker)} up`).sort();
    await agree(observers, (worker) => upNodes(worker), expected, withinMs);
  }

  /** Whatever a test did, the rules of the library must have held. */
  async checkBugs(): Promise<void> {
    for (const worker of this.running) {
      const { bugs } = await worker.node.stats();
      const broken = worker.seen("log", ({ text }) => text.includes("a rule of this library was broken"));
      expect([worker.name, bugs, broken.slice(0, SHOWN)]).toStrictEqual([worker.name, 0, []]);
    }
  }

  forget(): void {
    for (const worker of this.#started) worker.forget();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map((worker) => worker[Symbol.asyncDispose]()));
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
    await this.#servers?.[Symbol.asyncDispose]();
    await this.#server?.[Symbol.asyncDispose]();
  }

  async #orDispose(begin: () => Promise<void>): Promise<this> {
    try {
      await begin();
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #serversOf(worker: Worker): Promise<string | readonly string[]> {
    const index = this.#started.indexOf(worker);
    const given = this.#setup.servers?.[index % this.#size];
    if (given !== undefined) return given;
    const own = this.#servers?.servers[index % this.#size];
    if (own !== undefined) return own.url;
    if (this.#setup.proxied !== true) return this.server.url;
    const proxy = this.#proxies.get(worker) ?? (await TcpProxy.start(this.server.port));
    this.#proxies.set(worker, proxy);
    return `nats://127.0.0.1:${proxy.port}`;
  }

  #betweenSides(sides: readonly (readonly Worker[])[], act: (left: number, right: number) => void): void {
    const side = new Map(
      sides.flatMap((workers, index) => workers.map((worker) => [worker, index] as const)),
    );
    for (const [left, first] of this.#started.entries()) {
      for (const [right, second] of this.#started.entries()) {
        const isApart = side.get(first) !== side.get(second);
        if (left < right && side.has(first) && side.has(second) && isApart) act(left, right);
      }
    }
  }
}

async function upNodes(worker: Worker): Promise<readonly string[]> {
  return (await worker.node.nodes()).map(({ id, state }) => `${id} ${state}`).sort();
}

/** Waits until all of these workers say the same of something: what is expected. */
export async function agree<T>(
  workers: readonly Worker[],
  look: (worker: Worker) => Promise<T>,
  expected: T,
  withinMs = 20_000,
): Promise<void> {
  let last: readonly (readonly [string, T])[] = [];
  const wanted = JSON.stringify(expected);
  const holds = async (): Promise<boolean> => {
    last = await Promise.all(workers.map(async (worker) => [worker.name, await look(worker)] as const));
    return last.every(([, value]) => JSON.stringify(value) === wanted);
  };
  await eventually(holds, {
    withinMs,
    what: () => `wanted ${wanted.slice(0, 2_000)}, last seen ${JSON.stringify(last).slice(0, 6_000)}`,
  });
}

/** The holder of a name as one worker sees it. */
export async function holderOf(worker: Worker, name: string, scope?: string): Promise<Pid | undefined> {
  return (await worker.in(scope).whereis(name))?.pid;
}

/** The pids in a group as one worker sees it, sorted. */
export async function pidsIn(worker: Worker, group: string, scope?: string): Promise<readonly Pid[]> {
  return (await worker.in(scope).members(group)).map(({ pid }) => pid);
}
