import type { LeaseSettings } from "../../src/lease/settings.ts";
import { keyOf } from "../../src/node/strict/key.ts";
import { RedisServer } from "./redis-server.ts";
import type { ServerProcess } from "./server-process.ts";
import { type LeasesSetup, leasesOf } from "./worker/leases.ts";
import { type NodeSetup, WorkerCluster } from "./worker-cluster.ts";

/** Workers, and the real servers that keep their leases, of whatever kind. */
export interface LeaseStage extends AsyncDisposable {
  readonly servers: readonly ServerProcess[];
  readonly cluster: Pick<WorkerCluster<number>, "add" | "checkBugs" | "kill" | "running">;
  readonly settings: LeaseSettings;
}

/** How long it may take until the first names are granted: servers that have just started keep out for a ttl, or have to elect a leader. */
const OPEN_MS = 20_000;

/** Workers on one real nats-server that keep their leases on other servers. Returns when every node reaches those. */
export async function startHolders<N extends number>(
  size: N,
  leases: LeasesSetup,
  node: NodeSetup = {},
): Promise<WorkerCluster<N>> {
  const cluster = await WorkerCluster.start(size, { node: { ...node, leases } });
  try {
    for (const worker of cluster.running) {
      const wait = { wait: true, timeoutMs: OPEN_MS };
      await worker.node.strictRegister(`of ${worker.name}`, undefined, wait);
    }
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/** Real redis-servers, three unless told otherwise, and workers that keep their leases there. All of it ends with the disposal. */
export class StrictCluster<N extends number> implements LeaseStage {
  readonly redis: readonly RedisServer[];
  readonly cluster: WorkerCluster<N>;
  readonly settings: LeaseSettings;

  private constructor(redis: readonly RedisServer[], cluster: WorkerCluster<N>, settings: LeaseSettings) {
    this.redis = redis;
    this.cluster = cluster;
    this.settings = settings;
  }

  /** Returns when every node reaches all lease servers. */
  static async start<N extends number>(
    size: N,
    ttlMs: number,
    node: NodeSetup = {},
    servers = 3,
  ): Promise<StrictCluster<N>> {
    const redis = await Promise.all(Array.from({ length: servers }, () => RedisServer.start()));
    try {
      const leases = { kind: "redis", servers: redis.map(({ url }) => url), options: { ttlMs } } as const;
      const { settings } = leasesOf(leases);
      return new StrictCluster(redis, await startHolders(size, leases, node), settings);
    } catch (error) {
      await Promise.all(redis.map((server) => server[Symbol.asyncDispose]()));
      throw error;
    }
  }

  get servers(): readonly RedisServer[] {
    return this.redis;
  }

  /** How many stand in line for a name of the default scope, on each server. */
  async inLine(name: string): Promise<readonly number[]> {
    const queue = `rollcall:{default}:queue:${keyOf("default", name)}`;
    return Promise.all(this.redis.map(async (server) => Number(await server.ask("ZCARD", queue))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await Promise.all(this.redis.map((server) => server[Symbol.asyncDispose]()));
  }
}
