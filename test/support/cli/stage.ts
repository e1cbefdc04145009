import { NatsServer } from "../nats-server.ts";
import { RedisServer } from "../redis-server.ts";
import { Cli, type Variables } from "./command.ts";
import { Journal, type JournalLine } from "./journal.ts";

/** Real servers, and runners of one job, of which one at a time holds the name. All of it ends with the disposal. */
export class RunnerStage implements AsyncDisposable {
  readonly journal = new Journal();
  readonly variables: Variables;
  readonly leaseServers: readonly RedisServer[];
  readonly #nats: NatsServer;
  readonly #runners = new Map<string, Cli>();

  private constructor(nats: NatsServer, leaseServers: readonly RedisServer[], ttlMs: number | undefined) {
    this.#nats = nats;
    this.leaseServers = leaseServers;
    this.variables = {
      NATS_URL: nats.url,
      REDIS_URLS: leaseServers.map(({ url }) => url).join(","),
      ROLLCALL_LEASE_TTL_MS: ttlMs === undefined ? "" : String(ttlMs),
    };
  }

  /** @param ttlMs of leases; undefined: no lease servers */
  static async start(ttlMs?: number): Promise<RunnerStage> {
    const nats = await NatsServer.start();
    const leaseServers: RedisServer[] = [];
    try {
      for (const _ of ttlMs === undefined ? [] : [1, 2, 3]) leaseServers.push(await RedisServer.start());
      return new RunnerStage(nats, leaseServers, ttlMs);
    } catch (error) {
      await endAll([nats, ...leaseServers]);
      throw error;
    }
  }

  /** A runner whose node has this name. */
  run(name: string, { flags = [], mode = "plain" }: { flags?: readonly string[]; mode?: string } = {}): Cli {
    const words = ["register", "job", "--node", name, ...flags, "--", ...this.journal.command(mode)];
    const runner = new Cli(words, { ...this.variables, JOB_OF: name });
    this.#runners.set(name, runner);
    return runner;
  }

  runnerOf({ of }: JournalLine): Cli {
    const runner = this.#runners.get(of);
    if (runner === undefined) throw new Error(`nobody is called ${of}`);
    return runner;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endAll([...this.#runners.values()]);
    this.journal[Symbol.dispose]();
    await endAll([this.#nats, ...this.leaseServers]);
  }
}

async function endAll(all: readonly AsyncDisposable[]): Promise<void> {
  await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
}
