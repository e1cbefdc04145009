import { keyOf } from "../../src/node/strict/key.ts";
import { RedisServer } from "./redis-server.ts";
import { type NodeSetup, WorkerCluster } from "./worker-cluster.ts";

/** Real redis-servers, three unless told otherwise, and workers on one real nats-server that keep their leases there. All of it ends with the disposal. */
export class StrictCluster<N extends number> implements AsyncDisposable {
  readonly redis: readonly RedisServer[];
  readonly cluster: WorkerCluster<N>;

  private constructor(redis: readonly RedisServer[], cluster: WorkerCluster<N>) {
    this.redis = redis;
    this.cluster = cluster;
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
      const urls = redis.map(({ url }) => url);
      const setup = { node: { ...node, redis: { servers: urls, options: { ttlMs } } } };
      const strict = new StrictCluster(redis, await WorkerCluster.start(size, setup));
      try {
        // Servers that have just started keep out for a ttl.
        for (const worker of strict.cluster.running) {
          const wait = { wait: true, timeoutMs: 20_000 };
          await worker.node.strictRegister(`of ${worker.name}`, undefined, wait);
        }
        return strict;
      } catch (error) {
        await strict.cluster[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      await Promise.all(redis.map((server) => server[Symbol.asyncDispose]()));
      throw error;
    }
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
