import type { Random } from "../../src/kernel/random.ts";
import type { LeaseSettings } from "../../src/lease/settings.ts";
import { eventually } from "./eventually.ts";
import { JetstreamCluster } from "./jetstream-cluster.ts";
import { LeasePeer } from "./lease-peer.ts";
import type { ServerProcess } from "./server-process.ts";
import { type LeaseStage, StrictCluster } from "./strict-cluster.ts";
import { leasesOf } from "./worker/leases.ts";

/** Drawn from between the two. */
type Span = readonly [least: number, most: number];

/** For how long, in multiples of the ttl. Below 0 is none at all. */
export interface StormTimes {
  readonly betweenServers: Span;
  /** From the kill of a server to its start. */
  readonly serverKilled: Span;
  readonly serverStopped: Span;
  readonly betweenNodes: Span;
  readonly nodePaused: Span;
  readonly nodeStopped: Span;
}

/** `leader` is of the stream, where there is one. Who is killed is started again. */
export type ServerFault = "server killed" | "server stopped" | "leader killed" | "leader stopped";
/** `stopped` is for longer than a ttl, `paused` for less. */
export type NodeFault = "node killed" | "node stopped" | "node paused";

/** What a storm rages on: lease servers of some kind, three workers, and what hurts them. */
export interface StormStage extends LeaseStage {
  readonly times: StormTimes;
  /** In any order, but each before the first comes again: also a short run has all of them. */
  readonly serverFaults: readonly ServerFault[];
  readonly nodeFaults: readonly NodeFault[];
  /** How many names are contended for. */
  readonly names: number;
  /** A node is made to hold so many of them at once before it is hurt. */
  readonly heldFirst: number;
  /** The server that is to be hurt next. */
  victim(fault: ServerFault, random: Random): Promise<ServerProcess>;
  /** Waits until this server, which is back, is of use again: the next one may be hurt. */
  opened(server: ServerProcess): Promise<void>;
}

const NODES = 3;

/** How long a server that has come back keeps out, at most: far above its guard, since somebody has to give it a floor too. */
const OPEN_MS = 30_000;

/** Three redis-servers. One that was killed comes back empty. Nothing is lost for ever, as long as the others are there. */
export class RedisStage implements StormStage {
  readonly times: StormTimes = {
    betweenServers: [0, 0.3],
    // Sometimes it is back before anybody has noticed.
    serverKilled: [-0.6, 1.4],
    serverStopped: [1.1, 2.1],
    betweenNodes: [0, 0.5],
    nodePaused: [0, 1],
    nodeStopped: [1.1, 2.1],
  };
  readonly serverFaults: readonly ServerFault[] = ["server killed", "server stopped"];
  readonly nodeFaults: readonly NodeFault[] = [
    ...(["node killed", "node killed", "node stopped", "node stopped", "node paused"] as const),
  ];
  readonly names = 8;
  readonly heldFirst = 0;
  readonly settings: LeaseSettings;
  readonly servers: readonly ServerProcess[];
  readonly cluster: StrictCluster<typeof NODES>["cluster"];
  readonly #strict: StrictCluster<typeof NODES>;
  readonly #observer: LeasePeer;

  private constructor(strict: StrictCluster<typeof NODES>) {
    this.#strict = strict;
    this.settings = strict.settings;
    this.servers = strict.servers;
    this.cluster = strict.cluster;
    const servers = strict.redis.map(({ url }) => url);
    const { ttlMs } = strict.settings;
    this.#observer = new LeasePeer(leasesOf({ kind: "redis", servers, options: { ttlMs } }), "observer");
  }

  static async start(ttlMs: number): Promise<RedisStage> {
    return new RedisStage(await StrictCluster.start(NODES, ttlMs));
  }

  async victim(_fault: ServerFault, random: Random): Promise<ServerProcess> {
    return anyOf(this.servers, random);
  }

  /** It votes again: nobody counts any more on what it has forgotten, and it has learnt how high tokens were. */
  async opened(server: ServerProcess): Promise<void> {
    const index = this.servers.indexOf(server);
    let last = "nothing";
    await eventually(
      async () => {
        const reply = await this.#observer.askAgain(index, { kind: "status" });
        last = JSON.stringify(reply);
        return reply.kind === "ready";
      },
      { withinMs: OPEN_MS, what: () => `server ${index} says ${last}` },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#observer.close();
    await this.#strict[Symbol.asyncDispose]();
  }
}

/** Three nats-servers with one stream. One that was killed comes back with its data: a copy is not expected to forget. */
export class JetstreamStage implements StormStage {
  readonly times: StormTimes = {
    // Nobody is granted anything until another leader is elected: without some time in between little else would happen.
    betweenServers: [0.2, 0.6],
    serverKilled: [-0.3, 0.7],
    // Others elect another leader after 4 to 10 s; then it wakes, and believes for a moment that it leads.
    serverStopped: [0.7, 1.3],
    betweenNodes: [0, 0.15],
    nodePaused: [0.1, 0.6],
    nodeStopped: [1.1, 1.4],
  };
  readonly serverFaults: readonly ServerFault[] = [
    ...(["leader killed", "leader killed", "leader stopped", "server killed", "server stopped"] as const),
  ];
  readonly nodeFaults: readonly NodeFault[] = [
    ...(["node killed", "node killed", "node killed", "node stopped", "node paused"] as const),
  ];
  // With so long a ttl there is time for few faults only: each has to free many names, and some must be left to go on with.
  readonly names = 16;
  readonly heldFirst = 12;
  readonly settings: LeaseSettings;
  readonly servers: readonly ServerProcess[];
  readonly cluster: JetstreamCluster<typeof NODES>["cluster"];
  readonly #jetstream: JetstreamCluster<typeof NODES>;

  private constructor(jetstream: JetstreamCluster<typeof NODES>) {
    this.#jetstream = jetstream;
    this.settings = jetstream.settings;
    this.servers = jetstream.servers;
    this.cluster = jetstream.cluster;
  }

  static async start(ttlMs: number): Promise<JetstreamStage> {
    return new JetstreamStage(await JetstreamCluster.start(NODES, ttlMs));
  }

  async victim(fault: ServerFault, random: Random): Promise<ServerProcess> {
    const { leader } = await this.#jetstream.whole();
    return fault.startsWith("leader") ? leader : anyOf(this.servers, random);
  }

  async opened(): Promise<void> {
    await this.#jetstream.whole();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jetstream[Symbol.asyncDispose]();
  }
}

function anyOf(servers: readonly ServerProcess[], random: Random): ServerProcess {
  const server = servers[random.u32() % servers.length];
  if (server === undefined) throw new Error("there are no servers");
  return server;
}
