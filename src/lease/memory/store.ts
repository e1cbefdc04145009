import type { Clock } from "../../kernel/clock.ts";
import { fraction, type Random } from "../../kernel/random.ts";
import type { LeaseLinks, LeaseOpenOptions, LeaseStore } from "../port.ts";
import type { LeaseReply, LeaseRequest } from "../requests.ts";
import { DEFAULT_LEASE_SETTINGS, type LeaseSettings } from "../settings.ts";
import { MemoryLeaseServer } from "./server.ts";

export interface MemoryLeasesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Default 3. */
  readonly servers?: number | undefined;
  readonly settings?: Partial<LeaseSettings> | undefined;
  /** How long a request or a reply is under way, in milliseconds. Default 0.2 to 2. */
  readonly delayMs?: { readonly min: number; readonly max: number } | undefined;
  /** The clock of each server. Default: the calendar of `clock`. */
  readonly serverNow?: ((server: number) => number) | undefined;
}

/** For how long servers have been running that nobody says more about: long enough to be used at once. */
const LONG_MS = 86_400_000;

/** Lease servers in memory, and the network between them and the nodes of one program. It fails on command. */
export class MemoryLeases implements LeaseStore {
  readonly kind = "memory";
  readonly servers: readonly string[];
  readonly settings: LeaseSettings;
  readonly members: readonly MemoryLeaseServer[];
  readonly #options: MemoryLeasesOptions;
  readonly #clients = new Set<MemoryLinks>();
  /** Clients by name, or all of them, that do not reach a server. */
  readonly #cuts = new Set<string>();

  constructor(options: MemoryLeasesOptions) {
    const { clock, servers = 3, serverNow = () => clock.now().wallMs } = options;
    this.#options = options;
    this.settings = { ...DEFAULT_LEASE_SETTINGS, ...options.settings };
    this.servers = Array.from({ length: servers }, (_, server) => `memory-${server + 1}`);
    this.members = this.servers.map((_, server) => {
      const now = (): number => serverNow(server);
      return new MemoryLeaseServer({ settings: this.settings, now, startedMs: now() - LONG_MS });
    });
  }

  /** @param configuration in place of what follows from the settings */
  open(options: LeaseOpenOptions, configuration = configurationOf(this)): LeaseLinks {
    const links = new MemoryLinks(options, this, configuration);
    this.#clients.add(links);
    this.#later(() => {
      for (const server of this.members.keys()) this.#connect(links, server);
    });
    return links;
  }

  /** The connections to one server break, that of one client or all, and are not made again before `heal`. */
  cut(server: number, client = ALL): void {
    this.#cuts.add(keyOf(server, client));
    for (const links of this.#clients) if (!this.#reaches(links, server)) links.disconnect(server);
  }

  heal(server: number, client = ALL): void {
    this.#cuts.delete(keyOf(server, client));
    for (const links of this.#clients) this.#connect(links, server);
  }

  /** For `MemoryLinks` only. */
  carry(
    links: MemoryLinks,
    server: number,
    request: LeaseRequest,
    answer: (reply: LeaseReply) => void,
  ): void {
    this.#later(() => {
      const reply = this.members[server]?.execute(request, links.configuration);
      if (reply !== undefined) this.#later(() => answer(reply));
    }, links.lane(server));
  }

  /** For `MemoryLinks` only. */
  left(links: MemoryLinks): void {
    this.#clients.delete(links);
  }

  #connect(links: MemoryLinks, server: number): void {
    if (this.#clients.has(links) && this.#reaches(links, server)) links.connect(server);
  }

  #reaches(links: MemoryLinks, server: number): boolean {
    return !this.#cuts.has(keyOf(server, ALL)) && !this.#cuts.has(keyOf(server, links.name));
  }

  /** @param lane what goes the same way does not overtake */
  #later(run: () => void, lane: { lastMs: number } = { lastMs: 0 }): void {
    const { clock, delayMs = { min: 0.2, max: 2 }, random } = this.#options;
    const nowMs = clock.now().monotonicMs;
    const atMs = nowMs + delayMs.min + fraction(random) * (delayMs.max - delayMs.min);
    lane.lastMs = Math.max(atMs, lane.lastMs);
    clock.after(lane.lastMs - nowMs, run);
  }
}

const ALL = "(all)";

function configurationOf({ servers, settings }: LeaseStore): string {
  return JSON.stringify([servers, settings]);
}

function keyOf(server: number, client: string): string {
  return `${server} ${client}`;
}

interface Lane {
  isUp: boolean;
  lastMs: number;
  /** Goes up when the connection breaks: replies to what was sent before are not told. */
  breaks: number;
}

/** The connections of one node to the servers of a `MemoryLeases`. */
class MemoryLinks implements LeaseLinks {
  readonly name: string;
  readonly configuration: string;
  readonly #options: LeaseOpenOptions;
  readonly #store: MemoryLeases;
  readonly #lanes: Lane[];
  #closed = false;

  constructor(options: LeaseOpenOptions, store: MemoryLeases, configuration: string) {
    this.configuration = configuration;
    this.name = options.clientName;
    this.#options = options;
    this.#store = store;
    this.#lanes = store.servers.map(() => ({ isUp: false, lastMs: 0, breaks: 0 }));
  }

  lane(server: number): Lane {
    return this.#lanes[server] ?? { isUp: false, lastMs: 0, breaks: 0 };
  }

  connect(server: number): void {
    const lane = this.lane(server);
    if (this.#closed || lane.isUp) return;
    lane.isUp = true;
    this.#options.onConnected(server);
  }

  disconnect(server: number): void {
    const lane = this.lane(server);
    if (this.#closed || !lane.isUp) return;
    lane.isUp = false;
    lane.breaks += 1;
    this.#options.onDisconnected(server);
  }

  send(server: number, id: number, request: LeaseRequest): void {
    const lane = this.lane(server);
    if (this.#closed || !lane.isUp) return;
    const { breaks } = lane;
    this.#store.carry(this, server, request, (reply) => {
      if (!this.#closed && lane.breaks === breaks) this.#options.onReply(server, id, reply);
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#store.left(this);
    return Promise.resolve();
  }
}
