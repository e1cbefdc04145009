import type { Now } from "../kernel/clock.ts";
import { invariant } from "../kernel/errors.ts";
import type { NodeDownCause } from "../kernel/exit-reason.ts";
import { hashText } from "../kernel/hash.ts";
import { type NodeId, nameOfNode } from "../kernel/ids.ts";
import { Admission } from "./admission.ts";
import { Detector } from "./detector.ts";
import { Discovery } from "./discovery.ts";
import { BEAT_JITTER, CLOCK_STEP_MS, MAX_SCOPES, REFUTE_EVERY_MS, TICK_MS } from "./limits.ts";
import {
  type MembershipCounts,
  type MembershipEffect,
  type MembershipInput,
  noCounts,
  type PeerView,
  type VersionRange,
} from "./membership-types.ts";
import { ObservedClock } from "./observed-clock.ts";
import { Outlet } from "./outlet.ts";
import type { Peer } from "./peer.ts";
import { Peers } from "./peers.ts";
import type { Hello, MembershipMessage } from "./protocol.ts";
import type { DetectionTimes } from "./settings.ts";

export interface MembershipOptions {
  readonly self: NodeId;
  readonly times: DetectionTimes;
  readonly versions: VersionRange;
}

/**
 * Who is in the cluster, as this node sees it: how an incarnation comes up (by a handshake, never otherwise), and how it goes
 * down (its goodbye, its connection gone, its silence, its name taken by a successor).
 */
export class Membership {
  readonly counts: MembershipCounts = noCounts();
  readonly #self: NodeId;
  readonly #times: DetectionTimes;
  readonly #clock = new ObservedClock();
  readonly #outlet = new Outlet();
  readonly #peers: Peers;
  readonly #discovery: Discovery;
  readonly #admission: Admission;
  readonly #detector: Detector;
  #phase: "new" | "running" | "gone" = "new";
  #disconnectedAtMs: number | undefined;
  #serverId = "";
  #replaces = false;
  #scopes: readonly string[] = [];
  #scopesRevision = 0;
  #beatAtMs = 0;
  #lastBeatMs = Number.NEGATIVE_INFINITY;
  /** Until then this node reckons with having been given up, and replaced. */
  #awayUntilMs = Number.NEGATIVE_INFINITY;
  #jitterDraws = 0;

  constructor(options: MembershipOptions) {
    this.#self = options.self;
    this.#times = options.times;
    this.#peers = new Peers(options.self);
    this.#discovery = new Discovery(options.times.discoveryMs, () => this.#jitter());
    this.#detector = this.#makeDetector(options.times);
    const shared = {
      peers: this.#peers,
      discovery: this.#discovery,
      outlet: this.#outlet,
      counts: this.counts,
    };
    this.#admission = new Admission(options.self, options.versions, shared, {
      describeSelf: () => ({
        serverId: this.#serverId,
        replaces: this.#replaces,
        scopes: this.#scopes,
        scopesRevision: this.#scopesRevision,
        beatMs: this.#detector.beatMs,
      }),
      isBackFromAway: (nowMs) => nowMs < this.#awayUntilMs,
      admit: (node, hello, version, nowMs) => this.#admit(node, hello, version, nowMs),
      refresh: (peer, hello) => this.#refresh(peer, hello),
      yieldTo: (other) => this.#yieldTo(other),
    });
  }

  /** When `tick` is due next, on the monotonic clock; undefined before the start and after the end. */
  get deadlineMs(): number | undefined {
    if (this.#phase !== "running") return undefined;
    const nowMs = this.#clock.nowMs;
    let dueMs = Math.min(nowMs + TICK_MS, this.#detector.nextMs());
    if (this.#outlet.connected) {
      dueMs = Math.min(dueMs, this.#beatAtMs, this.#admission.dueMs, this.#discovery.nextMs(nowMs));
    }
    return this.#clock.toMonotonic(dueMs);
  }

  step(input: MembershipInput, now: Now): readonly MembershipEffect[] {
    if (this.#phase === "gone") return [];
    const elapsedMs = this.#clock.advance(now.monotonicMs);
    const nowMs = this.#clock.nowMs;
    if (this.#phase === "new") {
      if (input.kind === "start") this.#start(input.serverId, input.scopes, input.replaces, nowMs);
    } else {
      if (elapsedMs > CLOCK_STEP_MS) this.#wake(elapsedMs, nowMs);
      this.#take(input, nowMs);
    }
    return this.#outlet.take();
  }

  /** Whether that incarnation is up, or suspect. */
  isUp(node: NodeId): boolean {
    return this.#peers.get(node) !== undefined;
  }

  /** The live peers in the order of their ids. */
  peers(): readonly PeerView[] {
    return this.#detector.peers.map(viewOf);
  }

  peer(node: NodeId): PeerView | undefined {
    const peer = this.#peers.get(node);
    return peer === undefined ? undefined : viewOf(peer);
  }

  /** How an incarnation that is gone went, as far as that is remembered. */
  downCause(node: NodeId): NodeDownCause | undefined {
    return this.#peers.downCause(node);
  }

  /** Sizes now. */
  gauges(): { readonly peers: number; readonly strangers: number; readonly tombstones: number } {
    return {
      peers: this.#peers.size,
      strangers: this.#admission.strangers,
      tombstones: this.#peers.tombstones,
    };
  }

  #makeDetector(times: DetectionTimes): Detector {
    return new Detector(this.#self, times, this.counts, {
      probe: (peer) => {
        this.counts.probes += 1;
        this.#outlet.emit({ kind: "probe", node: peer.id });
      },
      // To it alone: were it told to all, one node that hangs would cost the square of the number of nodes.
      ask: (peer) => this.#outlet.send(peer.id, { kind: "rumour", about: peer.id, silent: true }),
      spread: (peer) => {
        this.counts.rumoursSent += 1;
        this.#outlet.broadcast({ kind: "rumour", about: peer.id, silent: false });
      },
      suspect: (peer) => this.#outlet.emit({ kind: "suspect", node: peer.id }),
      alive: (peer) => this.#outlet.emit({ kind: "alive", node: peer.id }),
      giveUp: (peer, cause) => this.#giveUp(peer, cause),
    });
  }

  #take(input: MembershipInput, nowMs: number): void {
    switch (input.kind) {
      case "start":
        invariant(false, "membership starts once");
        break;
      case "scopes":
        this.#changeScopes(input.scopes);
        break;
      case "busConnected":
        this.#reconnected(input.serverId, nowMs);
        break;
      case "busDisconnected":
        this.#outlet.connected = false;
        this.#disconnectedAtMs ??= nowMs;
        this.#detector.disconnected(nowMs);
        break;
      case "heard": {
        const peer = this.#peers.get(input.from);
        if (peer !== undefined) this.#detector.heard(peer, nowMs);
        else this.#admission.heard(input.from, nowMs);
        break;
      }
      case "message":
        if (input.from !== this.#self) this.#message(input.from, input.message, nowMs);
        break;
      case "noResponders":
      case "advisory": {
        const peer = this.#peers.get(input.node);
        if (peer !== undefined) this.#detector[input.kind](peer, nowMs);
        break;
      }
      case "tick":
        this.#tick(nowMs);
        break;
      case "goodbye":
        this.#end();
        break;
    }
  }

  #start(serverId: string, scopes: readonly string[], replaces: boolean, nowMs: number): void {
    checkScopes(scopes);
    this.#phase = "running";
    this.#scopes = scopes;
    this.#replaces = replaces;
    this.#discovery.begin(nowMs);
    this.#connected(serverId, nowMs);
  }

  #reconnected(serverId: string, nowMs: number): void {
    const cutOffMs = this.#disconnectedAtMs === undefined ? 0 : nowMs - this.#disconnectedAtMs;
    this.#disconnectedAtMs = undefined;
    if (cutOffMs >= this.#times.deadAfterMs) this.#wasAway(nowMs);
    this.#discovery.restart(nowMs);
    this.#connected(serverId, nowMs);
  }

  #connected(serverId: string, nowMs: number): void {
    this.#outlet.connected = true;
    this.#serverId = serverId;
    this.#detector.connected(serverId, nowMs);
    this.#admission.greetAll(nowMs, false);
    this.#beat(nowMs);
  }

  #changeScopes(scopes: readonly string[]): void {
    checkScopes(scopes);
    this.#scopes = scopes;
    this.#scopesRevision += 1;
    this.#outlet.broadcast({ kind: "scopesChanged", revision: this.#scopesRevision, scopes });
  }

  #message(from: NodeId, message: MembershipMessage, nowMs: number): void {
    const peer = this.#peers.get(from);
    switch (message.kind) {
      case "hello":
        this.#admission.hello(from, message, nowMs);
        break;
      case "goodbye":
        if (peer !== undefined) this.#giveUp(peer, "left");
        else this.#admission.goodbye(from);
        break;
      case "rumour":
        this.#rumour(message.about, nowMs);
        break;
      case "pulse":
        if (peer === undefined) break;
        peer.beatMs = message.beatMs;
        // The message that told of the change was lost: a hello tells it too.
        if (message.scopesRevision > peer.scopesRevision) this.#admission.inquire(peer);
        break;
      case "scopesChanged":
        if (peer !== undefined) this.#setScopes(peer, message.revision, message.scopes);
        break;
      case "duplicate":
        this.#admission.duplicate(from, message, nowMs);
        break;
      case "nodeNameAsk":
        if (nameOfNode(from) === nameOfNode(this.#self)) this.#outlet.send(from, { kind: "nodeNameHeld" });
        break;
      case "nodeNameHeld":
        break;
    }
  }

  #rumour(about: NodeId, nowMs: number): void {
    this.counts.rumoursHeard += 1;
    const peer = this.#peers.get(about);
    if (about === this.#self) this.#refute(nowMs);
    else if (peer !== undefined) this.#detector.rumoured(peer);
  }

  #tick(nowMs: number): void {
    const { connected } = this.#outlet;
    if (connected) {
      this.#admission.challengeDue(nowMs);
      if (nowMs >= this.#beatAtMs) this.#beat(nowMs);
    }
    this.#detector.tick(nowMs);
    if (!connected || !this.#discovery.isOpen) return;
    switch (this.#discovery.tick(nowMs, (byMs) => this.#admission.isAnyOpen(byMs, nowMs))) {
      case "greet":
        this.#admission.greetAll(nowMs, true);
        break;
      case "ended":
        this.#endDiscovery();
        break;
      case "waiting":
        break;
    }
  }

  #endDiscovery(): void {
    const alone = this.#peers.size === 0;
    const incompatible = alone ? this.#discovery.incompatible() : undefined;
    if (incompatible === undefined) this.#outlet.emit({ kind: "discovered", alone });
    else this.#outlet.emit({ kind: "incompatible", ...incompatible });
  }

  #beat(nowMs: number): void {
    this.counts.beats += 1;
    const beatMs = this.#detector.beatMs;
    this.#lastBeatMs = nowMs;
    this.#beatAtMs = nowMs + Math.floor(beatMs * (1 - BEAT_JITTER + 2 * BEAT_JITTER * this.#jitter()));
    this.#outlet.broadcast({ kind: "pulse", beatMs, scopesRevision: this.#scopesRevision });
    this.#outlet.emit({ kind: "beat" });
  }

  /** Somebody doubts that this node lives. */
  #refute(nowMs: number): void {
    const earliestMs = this.#lastBeatMs + REFUTE_EVERY_MS;
    if (nowMs >= earliestMs && this.#outlet.connected) this.#beat(nowMs);
    else this.#beatAtMs = Math.min(this.#beatAtMs, earliestMs);
  }

  /** This node did nothing for a while. What the others concluded from that depends on how long it was. */
  #wake(elapsedMs: number, nowMs: number): void {
    this.counts.stalls += 1;
    this.#detector.stalled(nowMs);
    if (elapsedMs >= this.#times.deadAfterMs) this.#wasAway(nowMs);
  }

  #wasAway(nowMs: number): void {
    this.#awayUntilMs = nowMs + this.#times.deadAfterMs + this.#times.busGraceMs;
    this.#admission.renounce();
  }

  #admit(node: NodeId, hello: Hello, version: number, nowMs: number): void {
    this.counts.handshakes += 1;
    const peer: Peer = {
      id: node,
      name: nameOfNode(node),
      version,
      scopes: hello.scopes,
      scopesRevision: hello.scopesRevision,
      serverId: hello.serverId,
      replaces: hello.replaces,
      beatMs: hello.beatMs,
      heardAtMs: nowMs,
      heardOn: this.#detector.connection,
      suspect: false,
      askedAtMs: 0,
      refusals: 0,
      evidence: undefined,
      doubted: false,
      probedAtMs: 0,
    };
    // First the predecessor's end, then the successor's beginning, where both are certain at once.
    if (peer.replaces) for (const other of this.#peers.named(peer.name)) this.#detector.doubt(other, nowMs);
    this.#peers.add(peer);
    this.#detector.add(peer);
    this.#outlet.emit({
      kind: "up",
      peer: { id: node, scopes: peer.scopes, version, serverId: peer.serverId },
    });
  }

  #refresh(peer: Peer, hello: Hello): void {
    peer.serverId = hello.serverId;
    peer.beatMs = hello.beatMs;
    this.#setScopes(peer, hello.scopesRevision, hello.scopes);
  }

  #setScopes(peer: Peer, revision: number, scopes: readonly string[]): void {
    if (revision <= peer.scopesRevision) return;
    peer.scopesRevision = revision;
    peer.scopes = scopes;
    this.#outlet.emit({ kind: "scopesOf", node: peer.id, scopes });
  }

  #giveUp(peer: Peer, cause: NodeDownCause): void {
    this.#peers.remove(peer, cause, this.#admission.lastNonce);
    this.#detector.remove(peer);
    this.counts[DOWN_COUNT[cause]] += 1;
    this.#outlet.emit({ kind: "down", node: peer.id, cause });
  }

  #yieldTo(other: NodeId): void {
    this.#end();
    this.#outlet.emit({ kind: "duplicate", other });
  }

  #end(): void {
    this.#outlet.broadcast({ kind: "goodbye" });
    this.#phase = "gone";
  }

  /** From 0 (included) to 1 (excluded): other on each node, and the same in each run. */
  #jitter(): number {
    this.#jitterDraws += 1;
    return hashText(`${this.#self}/${this.#jitterDraws}`) / 0x1_0000_0000;
  }
}

const DOWN_COUNT = {
  left: "downLeft",
  disconnected: "downDisconnected",
  silent: "downSilent",
  replaced: "downReplaced",
} as const;

function viewOf(peer: Peer): PeerView {
  const { id, scopes, version, serverId } = peer;
  return { id, state: peer.suspect ? "suspect" : "up", scopes, version, serverId };
}

function checkScopes(scopes: readonly string[]): void {
  invariant(
    scopes.length <= MAX_SCOPES,
    `a node has at most ${MAX_SCOPES} scopes open, not ${scopes.length}`,
  );
}
