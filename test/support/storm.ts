import { fraction, type Random } from "../../src/kernel/random.ts";
import { redisLeases } from "../../src/redis.ts";
import { eventually, pause } from "./eventually.ts";
import { LeasePeer } from "./lease-peer.ts";
import type { RedisServer } from "./redis-server.ts";
import type { StrictCluster } from "./strict-cluster.ts";
import type { Worker } from "./worker-client.ts";

export interface StormOptions {
  readonly ttlMs: number;
  readonly random: Random;
  /** The node of a new process runs. */
  onStarted(worker: Worker): Promise<void>;
}

/** Who is killed is started again, a server empty. `stopped` is for longer than a ttl, `paused` for less. */
type Fault = "server killed" | "server stopped" | "node killed" | "node stopped" | "node paused";

/** How long a server that has come back keeps out, at most: far above its guard, since somebody has to give it a floor too. */
const OPEN_MS = 30_000;

/** Kills and stops lease servers and nodes, at random: of each kind one at a time, and a server only when all are open. */
export class Storm<N extends number> implements AsyncDisposable {
  /** How often what was done. */
  readonly faults: Record<Fault, number> = {
    ...{ "server killed": 0, "server stopped": 0, "node killed": 0, "node stopped": 0, "node paused": 0 },
  };
  readonly #strict: StrictCluster<N>;
  readonly #options: StormOptions;
  readonly #observer: LeasePeer;
  #endsAtMs = 0;

  constructor(strict: StrictCluster<N>, options: StormOptions) {
    this.#strict = strict;
    this.#options = options;
    const servers = strict.redis.map(({ url }) => url);
    this.#observer = new LeasePeer(redisLeases(servers, { ttlMs: options.ttlMs }), "observer");
  }

  /** Resolves when it is over, and everything that was stopped or killed is back. */
  async rage(ms: number): Promise<void> {
    this.#endsAtMs = performance.now() + ms;
    const { random } = this.#options;
    await Promise.all([this.#hurtServers(random.fork("servers")), this.#hurtNodes(random.fork("nodes"))]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#observer.close();
  }

  get #isOver(): boolean {
    return performance.now() >= this.#endsAtMs;
  }

  async #hurtServers(random: Random): Promise<void> {
    const { ttlMs } = this.#options;
    while (!this.#isOver) {
      await pause(0.3 * ttlMs * fraction(random));
      const index = random.u32() % this.#strict.redis.length;
      const server = this.#strict.redis[index];
      if (server === undefined) continue;
      if (fraction(random) < 0.5) {
        await server.kill();
        this.faults["server killed"] += 1;
        // Sometimes it is back before anybody has noticed.
        await pause(Math.max(0, fraction(random) - 0.3) * 2 * ttlMs);
        await server.run();
      } else {
        this.faults["server stopped"] += 1;
        await stopped(server, ttlMs * (1.1 + fraction(random)));
      }
      await this.#isOpen(index);
    }
  }

  async #hurtNodes(random: Random): Promise<void> {
    const { onStarted, ttlMs } = this.#options;
    const { cluster } = this.#strict;
    while (!this.#isOver) {
      await pause(0.5 * ttlMs * fraction(random));
      const workers = cluster.running;
      const worker = workers[random.u32() % workers.length];
      if (worker === undefined) continue;
      const kind = fraction(random);
      if (kind < 0.2) {
        // What it holds is still held when it wakes, or has just run out.
        this.faults["node paused"] += 1;
        await stopped(worker, ttlMs * fraction(random));
      } else if (kind < 0.6) {
        this.faults["node stopped"] += 1;
        await stopped(worker, ttlMs * (1.1 + fraction(random)));
      } else {
        await cluster.kill(worker);
        this.faults["node killed"] += 1;
        await onStarted(await cluster.add(worker.name));
      }
    }
  }

  /** It votes again: nobody counts any more on what it has forgotten, and it has learnt how high tokens were. */
  async #isOpen(server: number): Promise<void> {
    let last = "nothing";
    await eventually(
      async () => {
        const reply = await this.#observer.askAgain(server, { kind: "status" });
        last = JSON.stringify(reply);
        return reply.kind === "ready";
      },
      { withinMs: OPEN_MS, what: () => `server ${server} says ${last}` },
    );
  }
}

async function stopped(process: RedisServer | Worker, ms: number): Promise<void> {
  process.signal("SIGSTOP");
  try {
    await pause(ms);
  } finally {
    process.signal("SIGCONT");
  }
}
