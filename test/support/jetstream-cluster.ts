import { connect, type StreamInfo } from "nats";
import type { LeaseSettings } from "../../src/lease/settings.ts";
import { eventually, pause } from "./eventually.ts";
import { type NatsCluster, type NatsServer, startNatsCluster } from "./nats-server.ts";
import { type LeaseStage, startHolders } from "./strict-cluster.ts";
import { leasesOf } from "./worker/leases.ts";
import type { WorkerCluster } from "./worker-cluster.ts";

const STREAM = "rollcall-lease-default";
/** What a server that stands still, or one that nobody leads, is given to answer. */
const ASK_MS = 1_000;
/** Between two looks: each is a connection of its own. */
const LOOK_EVERY_MS = 50;
/** Far above what an election takes, and the reading of what was missed. */
const WHOLE_MS = 60_000;

/** A cluster of three real nats-servers that keeps the log of leases three times, and workers on a server of their own. */
export class JetstreamCluster<N extends number> implements LeaseStage {
  readonly servers: readonly NatsServer[];
  readonly cluster: WorkerCluster<N>;
  readonly settings: LeaseSettings;
  readonly #nats: NatsCluster;

  private constructor(nats: NatsCluster, cluster: WorkerCluster<N>, settings: LeaseSettings) {
    this.#nats = nats;
    this.servers = nats.servers;
    this.cluster = cluster;
    this.settings = settings;
  }

  static async start<N extends number>(size: N, ttlMs: number): Promise<JetstreamCluster<N>> {
    const nats = await startNatsCluster({ size: 3, jetstream: true });
    try {
      const servers = nats.servers.map(({ url }) => url);
      const leases = { kind: "jetstream", options: { servers, replicas: 3, ttlMs } } as const;
      const { settings } = leasesOf(leases);
      return new JetstreamCluster(nats, await startHolders(size, leases), settings);
    } catch (error) {
      await nats[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits until somebody leads the stream, and all copies of it are up and have all that the leader has. */
  async whole(): Promise<{ readonly leader: NatsServer }> {
    let leader: NatsServer | undefined;
    let last = "nothing";
    const isWhole = async (): Promise<boolean> => {
      const info = await this.#ask();
      last = JSON.stringify(info?.cluster);
      const replicas = info?.cluster?.replicas ?? [];
      leader = this.servers[Number(info?.cluster?.leader?.slice(1) ?? -1)];
      const others = replicas.filter(({ current, offline }) => current && offline !== true);
      if (leader !== undefined && others.length === this.servers.length - 1) return true;
      await pause(LOOK_EVERY_MS);
      return false;
    };
    await eventually(isWhole, { withinMs: WHOLE_MS, what: () => `the stream is ${last}` });
    if (leader === undefined) throw new Error("led, then not");
    return { leader };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await this.#nats[Symbol.asyncDispose]();
  }

  /** What the leader says of the stream, asked by way of the first server that answers. */
  async #ask(): Promise<StreamInfo | undefined> {
    for (const { url } of this.servers) {
      const client = await connect({ servers: url, timeout: ASK_MS, reconnect: false }).catch(
        () => undefined,
      );
      if (client === undefined) continue;
      try {
        const manager = await client.jetstreamManager({ checkAPI: false, timeout: ASK_MS });
        return await manager.streams.info(STREAM);
      } catch {
        // It may be cut short by a fault, or nobody leads now.
      } finally {
        await client.close();
      }
    }
    return undefined;
  }
}
