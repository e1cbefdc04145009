import { fraction, type Random, SeededRandom } from "../../kernel/random.ts";
import { VirtualClock } from "../../kernel/virtual-clock.ts";
import type { LeaseEffect } from "../../lease/quorum/types.ts";
import { DEFAULT_LEASE_SETTINGS, type LeaseSettings } from "../../lease/settings.ts";
import { SimLeaseNode } from "./node.ts";
import { SimLeaseServer } from "./server.ts";

export interface LeaseWorldOptions {
  readonly servers?: number | undefined;
  readonly nodes?: number | undefined;
  readonly settings?: Partial<LeaseSettings> | undefined;
  readonly seed?: string | undefined;
  /** How long each message is under way, in milliseconds. Default 0.2 to 2. */
  readonly delayMs?: readonly [number, number] | undefined;
}

/** A node's connection to a server. */
interface Line {
  isUp: boolean;
  /** No packets pass. Neither side is told until it notices. */
  isCut: boolean;
  /** What the node sends is kept, and arrives when `letGo` is called, whatever has become of the connection. */
  kept: (() => void)[] | undefined;
  /** Replies vanish, and the connection stays. */
  isMute: boolean;
  slowerByMs: number;
  connection: number;
  requestsUntilMs: number;
  repliesUntilMs: number;
}

const RECONNECT_MS = 20;
const CONFIGURATION = "simulated";

/** Lease servers, nodes, and the network between all of them, in virtual time. Everything that goes wrong is done from outside. */
export class LeaseWorld {
  readonly clock = new VirtualClock();
  readonly settings: LeaseSettings;
  readonly servers: readonly SimLeaseServer[];
  readonly nodes: SimLeaseNode[] = [];
  /** Called after each effect has been carried out. */
  onEffect: ((node: SimLeaseNode, effect: LeaseEffect) => void) | undefined;
  onStep: ((node: SimLeaseNode) => void) | undefined;
  /** False: the request is lost, or the reply. */
  passes: (node: SimLeaseNode, server: number, effect: LeaseEffect & { kind: "send" }) => boolean = () =>
    true;
  readonly #delayMs: readonly [number, number];
  readonly #random: Random;
  readonly #lines = new Map<SimLeaseNode, Line[]>();
  /** Pairs of nodes that do not hear each other. */
  readonly #deaf = new Set<string>();
  #started = 0;

  constructor(options: LeaseWorldOptions = {}) {
    this.settings = { ...DEFAULT_LEASE_SETTINGS, ...options.settings };
    this.#delayMs = options.delayMs ?? [0.2, 2];
    this.#random = new SeededRandom(options.seed ?? "leases");
    this.servers = Array.from(
      { length: options.servers ?? 3 },
      (_, index) => new SimLeaseServer(index, this.clock, this.settings),
    );
    for (let node = 0; node < (options.nodes ?? 2); node += 1) this.start();
  }

  get nowMs(): number {
    return this.clock.now().monotonicMs;
  }

  /** Another node. It connects to all servers that it reaches. */
  start(): SimLeaseNode {
    this.#started += 1;
    const { clock, settings } = this;
    const node = new SimLeaseNode({
      ...{ owner: `n${this.#started}`, clock, settings, servers: this.servers.length },
      carryOut: (from, effect) => this.#carryOut(from, effect),
      stepped: (stepped) => this.onStep?.(stepped),
    });
    this.nodes.push(node);
    this.#lines.set(
      node,
      this.servers.map(() => ({
        ...{ isUp: false, isCut: false, isMute: false, kept: undefined, slowerByMs: 0 },
        ...{ connection: 0, requestsUntilMs: 0, repliesUntilMs: 0 },
      })),
    );
    for (const server of this.servers.keys()) this.#reconnect(node, server);
    return node;
  }

  /** @param until ends it early */
  run(ms: number, until: () => boolean = () => false): void {
    const endMs = this.nowMs + ms;
    while (!until()) {
      const nextMs = this.clock.nextAtMs;
      if (nextMs === undefined || nextMs > endMs) {
        this.clock.runUntil(endMs);
        return;
      }
      this.clock.runNext();
    }
  }

  line(node: SimLeaseNode, server: number): Line {
    const line = this.#lines.get(node)?.[server];
    if (line === undefined) throw new Error(`there is no server ${server}`);
    return line;
  }

  /** Nothing passes between them. The node notices after a while, if at all. */
  cut(node: SimLeaseNode, server: number, noticeMs = 0): void {
    const line = this.line(node, server);
    line.isCut = true;
    const { connection } = line;
    this.clock.after(noticeMs, () => {
      if (line.isCut && line.connection === connection) this.breakLine(node, server);
    });
  }

  heal(node: SimLeaseNode, server: number): void {
    this.line(node, server).isCut = false;
    this.#reconnect(node, server);
  }

  /** The connection ends, and the node hears of it. It is made again, unless it is cut. */
  breakLine(node: SimLeaseNode, server: number): void {
    const line = this.line(node, server);
    if (!line.isUp) return;
    line.isUp = false;
    node.feed({ kind: "disconnected", server });
    this.#reconnect(node, server);
  }

  /** What the node sends to the server from here on arrives later than it should. @returns what lets it go on */
  keepRequests(node: SimLeaseNode, server: number): () => void {
    const kept: (() => void)[] = [];
    const line = this.line(node, server);
    line.kept = kept;
    return () => {
      if (line.kept === kept) line.kept = undefined;
      for (const arrive of kept.splice(0)) arrive();
    };
  }

  /** The server is started again, and all connections to it break. */
  restart(server: number, data: "kept" | "older" | "lost"): void {
    this.servers[server]?.restart(data);
    for (const node of this.nodes) this.breakLine(node, server);
  }

  /** What one tells the other vanishes, both ways. */
  deafen(one: SimLeaseNode, other: SimLeaseNode, isDeaf: boolean): void {
    for (const pair of [`${one.owner} ${other.owner}`, `${other.owner} ${one.owner}`]) {
      if (isDeaf) this.#deaf.add(pair);
      else this.#deaf.delete(pair);
    }
  }

  delay(): number {
    const [least, most] = this.#delayMs;
    return least + fraction(this.#random) * (most - least);
  }

  #reconnect(node: SimLeaseNode, server: number): void {
    this.clock.after(RECONNECT_MS + this.delay(), () => {
      const line = this.line(node, server);
      if (line.isUp || line.isCut || !node.isAlive) return;
      line.isUp = true;
      line.connection += 1;
      line.requestsUntilMs = 0;
      line.repliesUntilMs = 0;
      node.feed({ kind: "connected", server });
    });
  }

  #carryOut(node: SimLeaseNode, effect: LeaseEffect): void {
    switch (effect.kind) {
      case "send":
        this.#send(node, effect);
        break;
      case "ask":
        this.#tell(node, effect.owner, (other) => {
          const holds = other.machine.holds(effect, other.now());
          const { question } = effect;
          this.#tell(other, node.owner, () => node.feed({ kind: "answer", question, holds }));
        });
        break;
      case "passOn":
        this.#tell(node, effect.owner, (other) => other.feed({ kind: "yourTurn", name: effect.name }));
        break;
    }
    this.onEffect?.(node, effect);
  }

  #send(node: SimLeaseNode, effect: LeaseEffect & { kind: "send" }): void {
    const { id, request, server } = effect;
    const line = this.line(node, server);
    if (!line.isUp || line.isCut || !this.passes(node, server, effect)) return;
    const { connection, kept } = line;
    const arrive = (): void => {
      this.servers[server]?.receive(request, CONFIGURATION, (reply) => {
        if (line.isCut || line.isMute) return;
        line.repliesUntilMs = Math.max(line.repliesUntilMs, this.nowMs + this.delay() + line.slowerByMs);
        this.clock.after(line.repliesUntilMs - this.nowMs, () => {
          if (line.isUp && line.connection === connection) node.feed({ kind: "reply", server, id, reply });
        });
      });
    };
    if (kept !== undefined) {
      kept.push(arrive);
      return;
    }
    line.requestsUntilMs = Math.max(line.requestsUntilMs, this.nowMs + this.delay() + line.slowerByMs);
    this.clock.after(line.requestsUntilMs - this.nowMs, arrive);
  }

  #tell(from: SimLeaseNode, to: string, arrive: (other: SimLeaseNode) => void): void {
    const other = this.nodes.find(({ owner }) => owner === to);
    if (other === undefined) return;
    this.clock.after(this.delay(), () => {
      if (other.isAlive && !other.isPaused && !this.#deaf.has(`${from.owner} ${to}`)) arrive(other);
    });
  }
}
