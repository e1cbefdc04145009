import { fraction, type Random, SeededRandom } from "../../kernel/random.ts";
import { VirtualClock } from "../../kernel/virtual-clock.ts";
import type { LeaseEffect } from "../../lease/quorum/types.ts";
import type { LeaseReply } from "../../lease/requests.ts";
import { DEFAULT_LEASE_SETTINGS, type LeaseSettings } from "../../lease/settings.ts";
import { SimLeaseNode } from "./node.ts";
import type { LeaseFault } from "./plan.ts";
import { SimLeaseServer } from "./server.ts";
import type { LeaseTeller } from "./telling.ts";

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
  /** What a server answers, whether it arrives or not. */
  onReply: ((reply: LeaseReply) => void) | undefined;
  /** False: the request is lost, or the reply. */
  passes: (node: SimLeaseNode, server: number, effect: LeaseEffect & { kind: "send" }) => boolean = () =>
    true;
  /** The kinds of fault that have made a difference to somebody. */
  readonly effective = new Set<LeaseFault["kind"]>();
  teller: LeaseTeller | undefined;
  readonly #delayMs: readonly [number, number];
  readonly #random: Random;
  readonly #lines = new Map<SimLeaseNode, Line[]>();
  /** Pairs of nodes that do not hear each other. */
  readonly #deaf = new Set<string>();

  readonly #felt = (kind: LeaseFault["kind"]): void => void this.effective.add(kind);

  constructor(options: LeaseWorldOptions = {}) {
    this.settings = { ...DEFAULT_LEASE_SETTINGS, ...options.settings };
    this.#delayMs = options.delayMs ?? [0.2, 2];
    this.#random = new SeededRandom(options.seed ?? "leases");
    this.servers = Array.from(
      { length: options.servers ?? 3 },
      (_, index) =>
        new SimLeaseServer({ index, clock: this.clock, settings: this.settings, felt: this.#felt }),
    );
    for (let node = 0; node < (options.nodes ?? 2); node += 1) this.start();
  }

  get nowMs(): number {
    return this.clock.now().monotonicMs;
  }

  /** Who has this place now. */
  at(place: number): SimLeaseNode | undefined {
    return this.nodes.find((node) => node.place === place && node.isAlive);
  }

  /** Another node. It connects to all servers that it reaches. @param place of one that has crashed, or else a new one */
  start(place = Math.max(-1, ...this.nodes.map((node) => node.place)) + 1): SimLeaseNode {
    const { clock, settings } = this;
    const earlier = this.nodes.filter((node) => node.place === place).length;
    const node = new SimLeaseNode({
      ...{ owner: `n${place}${"′".repeat(earlier)}`, place, clock, settings, servers: this.servers.length },
      felt: this.#felt,
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
    this.teller?.connection(node, server, false);
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
      if (line.isUp || !node.isAlive) return;
      if (line.isCut) {
        this.#felt("cut");
        return;
      }
      line.isUp = true;
      line.connection += 1;
      line.requestsUntilMs = 0;
      line.repliesUntilMs = 0;
      this.teller?.connection(node, server, true);
      node.feed({ kind: "connected", server });
    });
  }

  #carryOut(node: SimLeaseNode, effect: LeaseEffect): void {
    switch (effect.kind) {
      case "send":
        this.#send(node, effect);
        break;
      case "ask":
        this.#tell(node, effect.owner, [`who holds ${effect.name}?`, effect.name], (other) => {
          const holds = other.machine.holds(effect, other.now());
          const { question } = effect;
          const answer = `${holds ? "holds" : "does not hold"} ${effect.name}`;
          this.#tell(other, node.owner, [answer, effect.name], () =>
            node.feed({ kind: "answer", question, holds }),
          );
        });
        break;
      case "passOn":
        this.#tell(node, effect.owner, [`your turn: ${effect.name}`, effect.name], (other) =>
          other.feed({ kind: "yourTurn", name: effect.name }),
        );
        break;
    }
    this.onEffect?.(node, effect);
  }

  #send(node: SimLeaseNode, effect: LeaseEffect & { kind: "send" }): void {
    const { id, request, server } = effect;
    const line = this.line(node, server);
    if (!line.isUp || !this.passes(node, server, effect)) return;
    if (line.isCut) {
      this.#felt("cut");
      this.teller?.request(node, server, request, "lost");
      return;
    }
    const { connection, kept } = line;
    const arrive = (): void => {
      this.teller?.request(node, server, request, line.connection === connection ? "arrives" : "late");
      this.servers[server]?.receive(request, CONFIGURATION, (reply) =>
        this.#reply(node, server, { id, request, reply, connection }),
      );
    };
    if (kept !== undefined) {
      this.#felt("late");
      kept.push(arrive);
      return;
    }
    if (line.slowerByMs > 0) this.#felt("slow");
    line.requestsUntilMs = Math.max(line.requestsUntilMs, this.nowMs + this.delay() + line.slowerByMs);
    this.clock.after(line.requestsUntilMs - this.nowMs, arrive);
  }

  #reply(
    node: SimLeaseNode,
    server: number,
    {
      id,
      request,
      reply,
      connection,
    }: Pick<LeaseEffect & { kind: "send" }, "id" | "request"> & {
      readonly reply: LeaseReply;
      readonly connection: number;
    },
  ): void {
    const line = this.line(node, server);
    this.onReply?.(reply);
    this.teller?.server(server, this.servers[server]?.isReady === true);
    if (line.isCut || line.isMute) {
      this.#felt(line.isCut ? "cut" : "mute");
      this.teller?.reply(node, server, request, reply, "lost");
      return;
    }
    if (line.slowerByMs > 0) this.#felt("slow");
    line.repliesUntilMs = Math.max(line.repliesUntilMs, this.nowMs + this.delay() + line.slowerByMs);
    this.clock.after(line.repliesUntilMs - this.nowMs, () => {
      const isHeard = line.isUp && line.connection === connection;
      this.teller?.reply(node, server, request, reply, isHeard ? "arrives" : "lost");
      if (isHeard) node.feed({ kind: "reply", server, id, reply });
    });
  }

  #tell(
    from: SimLeaseNode,
    to: string,
    [text, about]: readonly [string, string],
    arrive: (other: SimLeaseNode) => void,
  ): void {
    const other = this.nodes.find(({ owner }) => owner === to);
    if (other === undefined) return;
    this.clock.after(this.delay(), () => {
      const isDeaf = this.#deaf.has(`${from.owner} ${to}`);
      const isHeard = other.isAlive && !other.isPaused && !isDeaf;
      if (isDeaf) this.#felt("deaf");
      this.teller?.message(from, other, text, about, isHeard);
      if (isHeard) arrive(other);
    });
  }
}
