import { InvalidArgumentError } from "../../kernel/errors.ts";
import { checkNodeId, type NodeId } from "../../kernel/ids.ts";
import { MAX_SERVERS } from "../../lease/limits.ts";
import { MemoryLeases } from "../../lease/memory/store.ts";
import type { LeaseLinks, LeaseOpenOptions, LeaseStore } from "../../lease/port.ts";
import { DEFAULT_LEASE_SETTINGS, type LeaseSettings, leaseTimes } from "../../lease/settings.ts";
import { realClock } from "../../node/real-clock.ts";
import { SystemRandom } from "../../node/system-random.ts";
import { checkCount, checkKeys } from "./arguments.ts";

export interface MemoryLeasesOptions {
  /** How many servers: an odd number from 1 to 7. Default 3. */
  readonly servers?: number;
  /** How long a server keeps a session that is not renewed: a whole number of milliseconds, 50 to 600,000. Default 10,000. */
  readonly ttlMs?: number;
}

/** Lease servers in the memory of one program, out of reach of its nodes where the program says so. */
export interface MemoryLeaseStore extends LeaseStore {
  readonly kind: "memory";
  /**
   * Breaks the connection of a node to a server, which it cannot make again before `heal`. Without a node: the connections of
   * all nodes, later ones included.
   *
   * @param server one of `servers`
   * @throws InvalidArgumentError
   */
  cut(server: string, node?: NodeId): void;
  /** Ends all cuts. */
  heal(): void;
}

const DEFAULT_SERVERS = 3;
const OPTIONS = { servers: true, ttlMs: true } as const satisfies Record<keyof MemoryLeasesOptions, true>;

/**
 * Lease servers in memory, for real nodes that share one program: to try and to test what you build on strict names, without a
 * server to install. All nodes are given the same store. The servers keep every rule that those on Redis do, a majority of
 * them included, and forget everything when the program ends. Like those, they keep out for a `ttlMs` when nobody asked them
 * for half of one: a store is for nodes that run at the same time.
 *
 * Not for `simulate`: the servers live in real time.
 *
 * @throws InvalidArgumentError naming the option that is wrong
 */
export function memoryLeases(options: MemoryLeasesOptions = {}): MemoryLeaseStore {
  checkKeys(options, OPTIONS);
  const { servers = DEFAULT_SERVERS, ttlMs = DEFAULT_LEASE_SETTINGS.ttlMs } = options;
  if (checkCount("servers", servers, MAX_SERVERS) % 2 === 0)
    throw new InvalidArgumentError("servers", servers, `an odd number from 1 to ${MAX_SERVERS}`);
  if (!Number.isInteger(ttlMs))
    throw new InvalidArgumentError("ttlMs", ttlMs, "a whole number of milliseconds from 50 to 600000");
  // Their clock is the monotonic one of this program: it never steps.
  const settings = { ...DEFAULT_LEASE_SETTINGS, ttlMs, serverStepMs: 0 };
  leaseTimes(settings);
  return new CuttableLeases(servers, settings);
}

interface Cut {
  readonly server: number;
  readonly node: NodeId | undefined;
}

class CuttableLeases implements MemoryLeaseStore {
  readonly kind = "memory";
  readonly servers: readonly string[];
  readonly settings: LeaseSettings;
  readonly #store: MemoryLeases;
  #cuts: Cut[] = [];

  constructor(servers: number, settings: LeaseSettings) {
    this.#store = new MemoryLeases({
      clock: realClock,
      random: new SystemRandom(),
      servers,
      settings,
      serverNow: () => realClock.now().monotonicMs,
    });
    this.servers = this.#store.servers;
    this.settings = this.#store.settings;
  }

  open(options: LeaseOpenOptions): LeaseLinks {
    return this.#store.open(options);
  }

  cut(name: string, node?: NodeId): void {
    const server = this.servers.indexOf(name);
    if (server < 0) throw new InvalidArgumentError("server", name, `one of ${this.servers.join(", ")}`);
    const cut = { server, node: node === undefined ? undefined : checkNodeId(node) };
    this.#cuts.push(cut);
    this.#store.cut(cut.server, cut.node);
  }

  heal(): void {
    const cuts = this.#cuts;
    this.#cuts = [];
    for (const { server, node } of cuts) this.#store.heal(server, node);
  }
}
