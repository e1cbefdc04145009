import { makeNodeId, type NodeId } from "../../../src/kernel/ids.ts";
import { fraction, type Random, SeededRandom } from "../../../src/kernel/random.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import { Membership } from "../../../src/monitor/membership.ts";
import type {
  MembershipEffect,
  MembershipInput,
  VersionRange,
} from "../../../src/monitor/membership-types.ts";
import type { MembershipMessage } from "../../../src/monitor/protocol.ts";
import { DEFAULT_TIMES, type DetectionTimes } from "../../../src/monitor/settings.ts";

/** What one node does that a test may ask about. */
export interface Happening {
  readonly atMs: number;
  readonly on: NodeId;
  readonly effect: MembershipEffect;
}

export interface NodeOptions {
  readonly versions?: VersionRange;
  readonly times?: Partial<DetectionTimes>;
  readonly server?: string;
  readonly replaces?: boolean;
  readonly scopes?: readonly string[];
}

export interface LinkOptions {
  /** Of a frame from one node to another, drawn anew for each; frames of one link keep their order. */
  readonly delayMs: readonly [number, number];
  /** The chance that a membership message is lost. */
  readonly loss: number;
}

/**
 * What the layers above would do, in short: hand over when a peer comes up or begins anew, with each heartbeat again until it
 * is acknowledged. It is taken only where the sender is up, and forgotten when the sender goes down.
 */
type Frame = { readonly message?: MembershipMessage; readonly layer?: "handOver" | "taken" };

export class SimulatedNode {
  readonly membership: Membership;
  readonly takenFrom = new Set<NodeId>();
  readonly acknowledgedBy = new Set<NodeId>();
  connected = true;
  connection = 1;
  alive = true;
  frozen = false;
  server: string;
  backlog: (() => void)[] = [];
  timer: (() => void) | undefined;

  constructor(
    readonly id: NodeId,
    readonly options: NodeOptions,
  ) {
    this.server = options.server ?? "s1";
    this.membership = new Membership({
      self: id,
      times: { ...DEFAULT_TIMES, ...options.times },
      versions: options.versions ?? { min: 1, max: 1 },
    });
  }

  get up(): readonly NodeId[] {
    return this.membership.peers().map((peer) => peer.id);
  }
}

/** Nodes with nothing above membership, on a bus that promises what core NATS does. */
export class Cluster {
  readonly clock = new VirtualClock();
  readonly happenings: Happening[] = [];
  readonly nodes = new Map<NodeId, SimulatedNode>();
  link: LinkOptions = { delayMs: [1, 3], loss: 0 };
  /** Whether what `from` publishes gets to `to`. */
  reaches: (from: SimulatedNode, to: SimulatedNode) => boolean = () => true;
  /** Whether the bus knows of what does not get through, and answers probes of it: else they are lost as well. */
  tellsOfCuts = true;
  readonly #random: Random;
  readonly #lastArrival = new Map<string, number>();
  #incarnations = 0;

  constructor(seed = "cluster") {
    this.#random = new SeededRandom(seed);
  }

  get nowMs(): number {
    return this.clock.now().monotonicMs;
  }

  run(ms: number): void {
    this.clock.advanceBy(ms);
  }

  /** Later calls give later incarnations. */
  newId(name: string): NodeId {
    this.#incarnations += 1;
    return makeNodeId(name, this.#incarnations.toString(36).padStart(17, "0"));
  }

  start(name: string, options: NodeOptions = {}): SimulatedNode {
    const node = new SimulatedNode(this.newId(name), options);
    this.nodes.set(node.id, node);
    this.feed(node, {
      kind: "start",
      serverId: node.server,
      scopes: options.scopes ?? ["default"],
      replaces: options.replaces ?? false,
    });
    return node;
  }

  startMany(count: number, options: NodeOptions = {}): SimulatedNode[] {
    return Array.from({ length: count }, (_, index) => this.start(`n${index + 1}`, options));
  }

  kill(node: SimulatedNode): void {
    node.alive = false;
    node.connection += 1;
    node.timer?.();
  }

  freeze(node: SimulatedNode): void {
    node.frozen = true;
    node.timer?.();
  }

  /** It reads its socket, then looks at its timers. */
  thaw(node: SimulatedNode): void {
    node.frozen = false;
    const backlog = node.backlog;
    node.backlog = [];
    for (const deliver of backlog) deliver();
    this.feed(node, { kind: "tick" });
  }

  disconnect(node: SimulatedNode): void {
    if (!node.connected) return;
    node.connected = false;
    node.connection += 1;
    this.feed(node, { kind: "busDisconnected" });
  }

  reconnect(node: SimulatedNode, server = node.server): void {
    if (node.connected || !node.alive) return;
    node.connected = true;
    node.server = server;
    this.feed(node, { kind: "busConnected", serverId: server });
  }

  feed(node: SimulatedNode, input: MembershipInput): void {
    if (!node.alive) return;
    const effects = node.membership.step(input, this.clock.now());
    for (const effect of effects) this.#carryOut(node, effect);
    node.timer?.();
    node.timer = undefined;
    const deadlineMs = node.membership.deadlineMs;
    if (deadlineMs === undefined) return;
    node.timer = this.clock.after(deadlineMs - this.nowMs, () => {
      if (!node.frozen) this.feed(node, { kind: "tick" });
    });
  }

  /** Of one kind, on one node or all. */
  of<K extends MembershipEffect["kind"]>(
    kind: K,
    on?: SimulatedNode,
  ): (Happening & { readonly effect: Extract<MembershipEffect, { kind: K }> })[] {
    return this.happenings.filter(
      (happening): happening is Happening & { readonly effect: Extract<MembershipEffect, { kind: K }> } =>
        happening.effect.kind === kind && (on === undefined || happening.on === on.id),
    );
  }

  /** Which of the living nodes do not see exactly the other living ones. */
  disagreements(): string[] {
    const living = [...this.nodes.values()].filter(
      (node) => node.alive && node.membership.deadlineMs !== undefined,
    );
    const wrong: string[] = [];
    for (const node of living) {
      const expected = living.filter((other) => other !== node).map((other) => other.id);
      if (node.up.join() !== expected.sort().join())
        wrong.push(`${node.id}: ${node.up.join()} not ${expected.join()}`);
      for (const other of expected) {
        if (!node.takenFrom.has(other)) wrong.push(`${node.id} took no hand-over of ${other}`);
      }
    }
    return wrong;
  }

  #carryOut(node: SimulatedNode, effect: MembershipEffect): void {
    this.happenings.push({ atMs: this.nowMs, on: node.id, effect });
    switch (effect.kind) {
      case "send": {
        const to = this.nodes.get(effect.to);
        if (to !== undefined) this.#deliver(node, to, { message: effect.message });
        break;
      }
      case "broadcast":
        for (const other of this.nodes.values()) {
          if (other !== node) this.#deliver(node, other, { message: effect.message });
        }
        break;
      case "beat":
        for (const other of this.nodes.values()) {
          if (other === node) continue;
          const owes = node.membership.isUp(other.id) && !node.acknowledgedBy.has(other.id);
          this.#deliver(node, other, owes ? { layer: "handOver" } : {});
        }
        break;
      case "probe":
        this.#probe(node, effect.node);
        break;
      case "up":
      case "rejoined": {
        const id = effect.kind === "up" ? effect.peer.id : effect.node;
        const to = this.nodes.get(id);
        node.acknowledgedBy.delete(id);
        if (to !== undefined) this.#deliver(node, to, { layer: "handOver" });
        break;
      }
      case "down":
        node.takenFrom.delete(effect.node);
        break;
      case "duplicate":
      case "discovered":
      case "incompatible":
      case "suspect":
      case "alive":
      case "scopesOf":
      case "log":
        break;
    }
  }

  #deliver(from: SimulatedNode, to: SimulatedNode, frame: Frame): void {
    if (!from.connected || !from.alive || !this.reaches(from, to)) return;
    if (frame.message !== undefined && fraction(this.#random) < this.link.loss) return;
    const connection = to.connection;
    this.#later(from, to, () => {
      if (!to.alive || !to.connected || to.connection !== connection) return;
      const receive = (): void => this.#receive(from.id, to, frame);
      if (to.frozen) to.backlog.push(receive);
      else receive();
    });
  }

  #receive(from: NodeId, to: SimulatedNode, frame: Frame): void {
    this.feed(to, { kind: "heard", from });
    if (frame.message !== undefined) this.feed(to, { kind: "message", from, message: frame.message });
    if (!to.membership.isUp(from)) return;
    if (frame.layer === "taken") to.acknowledgedBy.add(from);
    if (frame.layer !== "handOver") return;
    to.takenFrom.add(from);
    const sender = this.nodes.get(from);
    if (sender !== undefined) this.#deliver(to, sender, { layer: "taken" });
  }

  #probe(from: SimulatedNode, target: NodeId): void {
    if (!from.connected) return;
    const to = this.nodes.get(target);
    const connection = from.connection;
    const [least, most] = this.link.delayMs;
    const delayMs = least + (most - least) * fraction(this.#random);
    this.clock.after(delayMs, () => {
      const subscribed = to?.alive === true && to.connected;
      if (subscribed && (!this.tellsOfCuts || this.reaches(from, to))) return;
      if (from.connection !== connection) return;
      const receive = (): void => this.feed(from, { kind: "noResponders", node: target });
      if (from.frozen) from.backlog.push(receive);
      else receive();
    });
  }

  #later(from: SimulatedNode, to: SimulatedNode, run: () => void): void {
    const key = `${from.id}>${to.id}`;
    const [least, most] = this.link.delayMs;
    const drawn = this.nowMs + least + (most - least) * fraction(this.#random);
    const atMs = Math.max(drawn, this.#lastArrival.get(key) ?? 0);
    this.#lastArrival.set(key, atMs);
    this.clock.after(atMs - this.nowMs, run);
  }
}
