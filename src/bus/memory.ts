import type { Clock } from "../kernel/clock.ts";
import { InvalidArgumentError } from "../kernel/errors.ts";
import type { Random } from "../kernel/random.ts";
import { Interest } from "./interest.ts";
import { type Carrier, MemoryConnection, type MemorySubscription } from "./memory/connection.ts";
import { type DelayRange, Link } from "./memory/link.ts";
import type { Bus, BusConnection, BusConnectOptions } from "./port.ts";

export interface MemoryNetworkOptions {
  /** Virtual or real: everything that takes time takes it from here. */
  readonly clock: Clock;
  readonly random: Random;
  /** How long a frame is under way, in milliseconds. Each frame draws its own, from a stream for each link. Default 0.2 to 2. */
  readonly delayMs?: DelayRange;
  readonly maxPayload?: number;
  /** Whether the end of a connection is announced to the others, as NATS does when `$SYS` advisories are imported. Default no. */
  readonly advisories?: boolean;
  /** For a reader: a frame has arrived, or was taken away on its way. Called at that moment. */
  readonly onFrame?: ((frame: FrameSeen) => void) | undefined;
}

/** A frame at the end of its way, whichever that is. */
export interface FrameSeen {
  /** The names of the buses. */
  readonly from: string;
  readonly to: string;
  readonly isLost: boolean;
  readonly data: Uint8Array;
}

export interface MemoryBus extends Bus {
  readonly kind: "memory";
  /** As `connect`, without a promise. */
  connectNow(options: BusConnectOptions): BusConnection;
}

interface Cut {
  parts(left: string, right: string): boolean;
  readonly isBlackHole: boolean;
}

/** How often each fault of a network took something away, held it up, or doubled it. */
export interface NetworkEffects {
  lostToCut: number;
  lostToDrop: number;
  lostOneWay: number;
  clogged: number;
  repeated: number;
}

const DEFAULT_DELAY_MS: DelayRange = { min: 0.2, max: 2 };
const DEFAULT_MAX_PAYLOAD = 1_048_576;
const DEFAULT_SERVER = "memory-1";
/** Where answers of the bus itself come from: no connection can have this name. */
const SERVER = "(server)";

/**
 * A bus in memory that misbehaves as NATS does, on command and reproducibly. Between two connections order is kept; frames of
 * different senders overtake each other, and one publish reaches its receivers at different times. Faults are addressed by the
 * names that the buses were given.
 */
export class MemoryNetwork {
  readonly #options: MemoryNetworkOptions;
  readonly #interest = new Interest<MemorySubscription>();
  readonly #connections = new Map<string, MemoryConnection>();
  readonly #links = new Map<string, Map<string, Link>>();
  /** Until when frames of connections that have ended still reach this one. */
  readonly #lastWordsAtMs = new Map<string, number>();
  readonly #carrier: Carrier;
  readonly #cuts = new Set<Cut>();
  #partition: Cut | undefined;
  readonly effects: NetworkEffects = { lostToCut: 0, lostToDrop: 0, lostOneWay: 0, clogged: 0, repeated: 0 };

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
    this.#carrier = {
      maxPayload: options.maxPayload ?? DEFAULT_MAX_PAYLOAD,
      add: (subscription) => this.#interest.add(subscription.pattern, subscription),
      remove: (subscription) => this.#interest.remove(subscription.pattern, subscription),
      publish: (from, subject, data) => this.#publish(from, subject, data),
      probe: (from, subject) => this.#probe(from, subject),
      flush: (from, taken) => this.#answer(from, taken),
      left: (connection) => this.#left(connection),
    };
  }

  /**
   * The bus of one node. After its connection has ended it can connect again, as a restarted node would.
   * @param serverId which server of the bus it is on; by default all share one
   */
  bus(name: string, options: { readonly serverId?: string } = {}): MemoryBus {
    const connectNow = (connectOptions: BusConnectOptions): BusConnection => {
      if (this.#connections.get(name)?.hasEnded === false || name === SERVER) {
        throw new InvalidArgumentError("MemoryNetwork.bus", name, "a name that no live connection has");
      }
      const serverId = options.serverId ?? DEFAULT_SERVER;
      const connection = new MemoryConnection(name, serverId, this.#carrier, connectOptions);
      this.#connections.set(name, connection);
      return connection;
    };
    return {
      kind: "memory",
      connectNow,
      connect: async (connectOptions) => {
        connectOptions.signal?.throwIfAborted();
        return connectNow(connectOptions);
      },
    };
  }

  /**
   * Cuts the network between groups of names; those not mentioned form a group of their own. Nobody is told. Probes across the
   * cut are answered "no responders", as by the servers of a NATS cluster whose routes broke; with `blackHole` they vanish, as
   * while the servers have not noticed.
   */
  partition(groups: readonly (readonly string[])[], options: { readonly blackHole?: boolean } = {}): void {
    this.heal();
    const sides = sidesOf(groups);
    this.#partition = {
      parts: (left, right) => sides.get(left) !== sides.get(right),
      isBlackHole: options.blackHole === true,
    };
    this.#cuts.add(this.#partition);
  }

  heal(): void {
    if (this.#partition !== undefined) this.#cuts.delete(this.#partition);
    this.#partition = undefined;
  }

  /**
   * As `partition`, but several may hold at once, and those not mentioned are cut off from nobody, unless they are `apart`.
   * Returns what ends it.
   */
  cut(
    groups: readonly (readonly string[])[],
    options: { readonly blackHole?: boolean; readonly apart?: boolean } = {},
  ): () => void {
    const sides = sidesOf(groups);
    const isPart = (name: string): boolean => options.apart === true || sides.has(name);
    const cut: Cut = {
      parts: (left, right) => isPart(left) && isPart(right) && sides.get(left) !== sides.get(right),
      isBlackHole: options.blackHole === true,
    };
    this.#cuts.add(cut);
    return () => this.#cuts.delete(cut);
  }

  /** What one sends to the other vanishes. Returns what ends it. */
  deafen(from: string, to: string): () => void {
    const link = this.#link(from, to);
    link.deaf += 1;
    return once(() => {
      link.deaf -= 1;
    });
  }

  /** What one sends to the other takes this much longer. Returns what ends it. */
  clog(from: string, to: string, byMs: number): () => void {
    const link = this.#link(from, to);
    link.slowerByMs += byMs;
    return once(() => {
      link.slowerByMs -= byMs;
    });
  }

  /** What one sends to the other arrives twice. No bus of ours does it; whoever listens must stand it. Returns what ends it. */
  repeat(from: string, to: string): () => void {
    const link = this.#link(from, to);
    link.repeating += 1;
    return once(() => {
      link.repeating -= 1;
    });
  }

  /** Its connection drops, and is not made again until `reconnect`. What is under way to it or from it is lost. */
  disconnect(name: string): void {
    this.#connections.get(name)?.drop();
  }

  /** As `disconnect`, but the node has no idea until `noticeDrop`, or until it is connected again: what it sends is lost. */
  disconnectUnnoticed(name: string): void {
    this.#connections.get(name)?.lose();
  }

  noticeDrop(name: string): void {
    this.#connections.get(name)?.noticeDrop();
  }

  reconnect(name: string, options: { readonly serverId?: string } = {}): void {
    const connection = this.#connections.get(name);
    connection?.revive(options.serverId ?? connection.serverId);
  }

  /** The node's OS process ends without a goodbye. What it had sent still arrives. */
  kill(name: string): void {
    this.#connections.get(name)?.end();
  }

  /** The node stops reading, while its connection stays: what comes is kept, and probes find it there. */
  pause(name: string): void {
    this.#connections.get(name)?.pause();
  }

  /** Hands over what was kept, in order. */
  resume(name: string): void {
    this.#connections.get(name)?.resume();
  }

  /** How many subscriptions live connections have. */
  get subscriptions(): number {
    return this.#interest.size;
  }

  #publish(from: MemoryConnection, subject: string, data: Uint8Array): void {
    const receivers = new Map<MemoryConnection, MemorySubscription[]>();
    for (const subscription of this.#interest.match(subject)) {
      if (subscription.connection === from) continue;
      const subscriptions = receivers.get(subscription.connection);
      if (subscriptions === undefined) receivers.set(subscription.connection, [subscription]);
      else subscriptions.push(subscription);
    }
    for (const [to, subscriptions] of receivers) this.#carry(from, to, subscriptions, subject, data);
  }

  #carry(
    from: MemoryConnection,
    to: MemoryConnection,
    subscriptions: readonly MemorySubscription[],
    subject: string,
    data: Uint8Array,
  ): void {
    const { effects } = this;
    const see = (isLost: boolean): void =>
      this.#options.onFrame?.({ from: from.name, to: to.name, isLost, data });
    const lose = (how: "lostToCut" | "lostToDrop" | "lostOneWay"): void => {
      effects[how] += 1;
      see(true);
    };
    if (!this.#isReachable(from.name, to.name)) {
      lose("lostToCut");
      return;
    }
    const link = this.#link(from.name, to.name);
    if (link.deaf > 0) {
      lose("lostOneWay");
      return;
    }
    if (link.slowerByMs > 0) effects.clogged += 1;
    if (link.repeating > 0) effects.repeated += 1;
    const drops = [from.drops, to.drops] as const;
    const arrive = (): void => {
      if (from.drops !== drops[0] || to.drops !== drops[1]) lose("lostToDrop");
      else if (!this.#isReachable(from.name, to.name)) lose("lostToCut");
      else {
        see(false);
        to.receive(subscriptions, subject, data);
      }
    };
    link.send(arrive);
    if (link.repeating > 0) link.send(arrive);
  }

  #probe(from: MemoryConnection, subject: string): void {
    let isBlackHole = false;
    for (const { connection } of this.#interest.match(subject)) {
      if (connection === from) continue;
      if (this.#isReachable(from.name, connection.name)) return;
      isBlackHole ||= this.#cutsBetween(from.name, connection.name).some((cut) => cut.isBlackHole);
    }
    if (isBlackHole) return;
    this.#answer(from, () => from.receiveNoResponders(subject));
  }

  /**
   * Something that the bus itself says. It comes after the last words of those who have gone: a server hears a connection end
   * after all that came on it, so "no responders" never overtakes what the dead had said.
   */
  #answer(to: MemoryConnection, arrive: () => void): void {
    const drops = to.drops;
    this.#link(SERVER, to.name).send(() => {
      if (to.drops === drops && !to.hasEnded) arrive();
    }, this.#lastWordsAtMs.get(to.name));
  }

  #left(gone: MemoryConnection): void {
    // A drop loses what is under way; then there are no last words.
    if (gone.hasEnded) {
      for (const [name, link] of this.#links.get(gone.name) ?? []) {
        this.#lastWordsAtMs.set(name, Math.max(this.#lastWordsAtMs.get(name) ?? 0, link.lastAtMs));
      }
    }
    if (this.#options.advisories !== true) return;
    for (const other of this.#connections.values()) {
      if (other === gone || !other.isUp || !this.#isReachable(gone.name, other.name)) continue;
      this.#answer(other, () => other.receiveAdvisory(gone.clientName));
    }
  }

  #isReachable(left: string, right: string): boolean {
    for (const cut of this.#cuts) if (cut.parts(left, right)) return false;
    return true;
  }

  #cutsBetween(left: string, right: string): readonly Cut[] {
    return [...this.#cuts].filter((cut) => cut.parts(left, right));
  }

  #link(from: string, to: string): Link {
    const ways = this.#links.get(from) ?? new Map<string, Link>();
    this.#links.set(from, ways);
    const known = ways.get(to);
    if (known !== undefined) return known;
    const { clock, random, delayMs = DEFAULT_DELAY_MS } = this.#options;
    const link = new Link(clock, random.fork(`link:${from}→${to}`), delayMs);
    ways.set(to, link);
    return link;
  }
}

function sidesOf(groups: readonly (readonly string[])[]): ReadonlyMap<string, number> {
  return new Map(groups.flatMap((group, side) => group.map((name) => [name, side] as const)));
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}
