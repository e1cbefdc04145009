import { RedisServer } from "./redis-server.ts";
import { type NodeSetup, WorkerCluster } from "./worker-cluster.ts";

/** Three real redis-servers, and workers on one real nats-server that keep their leases there. All of it ends with the disposal. */
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
  ): Promise<StrictCluster<N>> {
    const redis = await Promise.all([RedisServer.start(), RedisServer.start(), RedisServer.start()]);
    try {
      const servers = redis.map(({ url }) => url);
      const setup = { node: { ...node, redis: { servers, options: { ttlMs } } } };
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await Promise.all(this.redis.map((server) => server[Symbol.asyncDispose]()));
  }
}
