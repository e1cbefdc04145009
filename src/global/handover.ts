import { hashText, rendezvousWeight } from "../kernel/hash.ts";
import { compareText, type NodeId } from "../kernel/ids.ts";
import { RETRY_MS } from "./limits.ts";
import type { HandoverMessage } from "./messages.ts";

export interface HandoverPort {
  readonly self: NodeId;
  readonly scope: string;
  send(to: NodeId, message: HandoverMessage): void;
  isSuspect(node: NodeId): boolean;
  /** Whether the node is known to have gone, so that nobody need wait for it. */
  isGone(node: NodeId): boolean;
  positionOf(owner: NodeId): number;
  isSynced(owner: NodeId): boolean;
  /** The oldest view that an open claim of this node was made under; Infinity without any. */
  oldestOpenView(): number;
}

type Standing = "joining" | "active" | "leaving";

/** A peer of this scope, and how far each has taken note of the other. */
interface Peer {
  readonly id: NodeId;
  readonly hash: number;
  /** joining: it may not know yet what was decided without it, so it is asked, but never alone. */
  standing: Standing;
  /** Claims made under an older view did not ask it. */
  view: number;
  /** Its question that waits until those claims are over. */
  owed: number | undefined;
  /** The latest question of it that we answered: what it says of an earlier session is out of date. */
  answered: number | undefined;
  /** Our first question to it since it came up. */
  readonly since: number;
  owesLeave: boolean;
  /** What it said about us: its log position when nothing it asked without us was open any more. */
  ackedAt: number | undefined;
  /** Told that we are active. */
  toldActive: boolean;
  askedAtMs: number;
  leaveAckedAt: number | undefined;
  leaveSynced: boolean;
  /** Log positions it asked to be told of, before it leaves. */
  leaveWants: readonly { readonly node: NodeId; readonly position: number }[] | undefined;
}

/**
 * Who may be asked for a free name, while nodes come and go. Nodes choose a name's arbiter by rendezvous hashing over the
 * nodes they know, and they do not learn of a newcomer, or of a leaver, at the same moment. So:
 *
 * 1. A newcomer is asked as soon as it is known, but not alone: every node down to the first active one must grant.
 * 2. A peer acknowledges the newcomer when none of its claims made without it is open, and says where its log stands then.
 * 3. Acknowledged by all, and with those logs applied, the newcomer knows every name given out without it: it is active.
 *
 * Leaving runs the other way: acknowledged by all, the leaver tells everyone how far to read before they do without it.
 */
export class Handover {
  readonly #port: HandoverPort;
  readonly #peers = new Map<NodeId, Peer>();
  /** Nodes that a peer knows and we do not yet, each with a peer that named it. */
  readonly #unknown = new Map<NodeId, NodeId>();
  readonly #selfHash: number;
  #view = 0;
  #session = 0;
  #leaving = false;
  #syncSentAtMs = Number.NEGATIVE_INFINITY;
  /** Whether anything is owed, wanted or not yet told: most of the time nothing is, and a review costs nothing. */
  #unsettled = false;

  constructor(port: HandoverPort) {
    this.#port = port;
    this.#selfHash = hashText(port.self);
  }

  /** Goes up whenever a node comes, or begins to leave. */
  get view(): number {
    return this.#view;
  }

  get peers(): IterableIterator<NodeId> {
    return this.#peers.keys();
  }

  has(node: NodeId): boolean {
    return this.#peers.has(node);
  }

  /** Whether this node has been told by the peer that it knows every name that was given out without it. */
  isActive(node: NodeId): boolean {
    return this.#peers.get(node)?.standing === "active";
  }

  /** Whether everyone who matters has taken note of us, and we know all that was decided before. */
  get joined(): boolean {
    for (const [unknown] of this.#unknown) {
      if (!this.#peers.has(unknown) && !this.#port.isGone(unknown)) return false;
    }
    for (const peer of this.#peers.values()) {
      if (this.#port.isSuspect(peer.id)) continue;
      if (peer.ackedAt === undefined || !this.#port.isSynced(peer.id)) return false;
      if (this.#port.positionOf(peer.id) < peer.ackedAt) return false;
    }
    return true;
  }

  /** Whom the joining, or the leaving, still waits for. */
  waitingFor(): readonly NodeId[] {
    const waiting = [...this.#peers.values()].filter((peer) =>
      this.#leaving
        ? !peer.leaveSynced
        : peer.ackedAt === undefined || this.#port.positionOf(peer.id) < peer.ackedAt,
    );
    return waiting.map((peer) => peer.id);
  }

  get leaving(): boolean {
    return this.#leaving;
  }

  get left(): boolean {
    if (!this.#leaving) return false;
    for (const peer of this.#peers.values()) {
      if (!peer.leaveSynced && !this.#port.isSuspect(peer.id)) return false;
    }
    return true;
  }

  /**
   * The arbiters of a name, in the order in which to ask them: down to the first that is neither joining nor leaving.
   * The order is by weight, the same everywhere, so that claimers who differ about who is here still meet.
   */
  arbitersOf(name: string, skipped: ReadonlySet<NodeId>): readonly NodeId[] {
    const nameHash = hashText(name);
    if (skipped.size === 0 && this.#everyoneIsActive()) return [this.#heaviest(nameHash)];
    const candidates: { id: NodeId; weight: number; active: boolean }[] = [
      { id: this.#port.self, weight: rendezvousWeight(nameHash, this.#selfHash), active: !this.#leaving },
    ];
    let best = candidates[0];
    if (best?.active === false) best = undefined;
    for (const peer of this.#peers.values()) {
      if (skipped.has(peer.id)) continue;
      const weight = rendezvousWeight(nameHash, peer.hash);
      const active = peer.standing === "active";
      const candidate = { id: peer.id, weight, active };
      if (active && (best === undefined || precedes(candidate, best))) best = candidate;
      candidates.push(candidate);
    }
    const last = best;
    return candidates
      .filter((candidate) => last === undefined || candidate === last || precedes(candidate, last))
      .sort((left, right) => right.weight - left.weight || compareText(left.id, right.id))
      .map((candidate) => candidate.id);
  }

  /** As it is most of the time: then the first in order is the only one to ask. */
  #everyoneIsActive(): boolean {
    if (this.#leaving) return false;
    for (const peer of this.#peers.values()) {
      if (peer.standing !== "active") return false;
    }
    return true;
  }

  #heaviest(nameHash: number): NodeId {
    let heaviest = this.#port.self;
    let most = rendezvousWeight(nameHash, this.#selfHash);
    for (const peer of this.#peers.values()) {
      const weight = rendezvousWeight(nameHash, peer.hash);
      if (weight < most || (weight === most && peer.id > heaviest)) continue;
      heaviest = peer.id;
      most = weight;
    }
    return heaviest;
  }

  /** The peer is here, for the first time or anew: nothing agreed with it before counts. */
  peerUp(node: NodeId, nowMs: number): void {
    this.#view += 1;
    this.#unsettled = true;
    this.#unknown.delete(node);
    const peer: Peer = {
      id: node,
      hash: hashText(node),
      standing: "joining",
      view: this.#view,
      owed: undefined,
      answered: undefined,
      since: this.#session + 1,
      owesLeave: false,
      ackedAt: undefined,
      toldActive: false,
      askedAtMs: nowMs,
      leaveAckedAt: undefined,
      leaveSynced: false,
      leaveWants: undefined,
    };
    this.#peers.set(node, peer);
    this.#ask(peer, nowMs);
    if (this.#leaving) this.#port.send(node, { kind: "leaving", scope: this.#port.scope });
  }

  peerDown(node: NodeId): void {
    this.#peers.delete(node);
    for (const [unknown, namedBy] of this.#unknown) {
      if (namedBy === node || unknown === node) this.#unknown.delete(unknown);
    }
    this.review();
  }

  /** Nobody waits for a suspect. */
  suspicionChanged(): void {
    this.#unsettled = true;
  }

  leave(nowMs: number): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#unsettled = true;
    this.#view += 1;
    for (const peer of this.#peers.values()) {
      peer.askedAtMs = nowMs;
      this.#port.send(peer.id, { kind: "leaving", scope: this.#port.scope });
    }
  }

  message(from: NodeId, message: HandoverMessage, nowMs: number): void {
    const peer = this.#peers.get(from);
    if (peer === undefined) return;
    this.#unsettled = true;
    const { scope } = this.#port;
    switch (message.kind) {
      case "joinAsk":
        peer.owed = message.session;
        break;
      case "joinAck":
        this.#acked(peer, message);
        break;
      case "active":
        if (peer.answered === undefined || message.session < peer.answered) return;
        if (peer.standing === "joining") peer.standing = "active";
        break;
      case "activeAsk":
        if (peer.toldActive && this.joined)
          this.#port.send(from, { kind: "active", scope, session: message.session });
        break;
      case "leaving":
        if (peer.standing !== "leaving") {
          peer.standing = "leaving";
          this.#view += 1;
          peer.view = this.#view;
        }
        peer.owesLeave = true;
        break;
      case "leaveAck":
        peer.leaveAckedAt = message.position;
        this.#sendLeaveSync(nowMs);
        break;
      case "leaveSync":
        peer.leaveWants = message.positions;
        break;
      case "leaveSynced":
        peer.leaveSynced = true;
        break;
    }
    this.review();
  }

  /** Pays what is owed, as far as claims and logs now allow. Called whenever one of those may have changed. */
  review(): void {
    if (!this.#unsettled) return;
    this.#payOwed();
    if (this.joined) this.#tellActive();
    this.#unsettled = false;
    for (const peer of this.#peers.values()) {
      if (peer.owed !== undefined || peer.owesLeave || peer.leaveWants !== undefined || !peer.toldActive)
        this.#unsettled = true;
    }
  }

  #payOwed(): void {
    const oldest = this.#port.oldestOpenView();
    const { scope, self } = this.#port;
    for (const peer of this.#peers.values()) {
      if (oldest >= peer.view) {
        const position = this.#port.positionOf(self);
        if (peer.owed !== undefined) {
          const others = [...this.#peers.values()].filter(
            (other) => other !== peer && !this.#port.isSuspect(other.id),
          );
          const peers = others.filter((other) => other.standing !== "leaving").map((other) => other.id);
          this.#port.send(peer.id, { kind: "joinAck", scope, session: peer.owed, position, peers });
          peer.answered = peer.owed;
          peer.owed = undefined;
        }
        if (peer.owesLeave) {
          this.#port.send(peer.id, { kind: "leaveAck", scope, position });
          peer.owesLeave = false;
        }
      }
      const wants = peer.leaveWants;
      if (wants?.every(({ node, position }) => !this.has(node) || this.#port.positionOf(node) >= position)) {
        this.#port.send(peer.id, { kind: "leaveSynced", scope });
        peer.leaveWants = undefined;
      }
    }
  }

  #tellActive(): void {
    for (const peer of this.#peers.values()) {
      if (peer.toldActive || peer.ackedAt === undefined) continue;
      peer.toldActive = true;
      this.#port.send(peer.id, { kind: "active", scope: this.#port.scope, session: this.#session });
    }
  }

  tick(nowMs: number): void {
    for (const peer of this.#peers.values()) {
      if (nowMs - peer.askedAtMs < RETRY_MS) continue;
      peer.askedAtMs = nowMs;
      if (peer.ackedAt === undefined || this.#namedUnknown(peer.id)) this.#ask(peer, nowMs);
      if (peer.standing === "joining") {
        this.#port.send(peer.id, { kind: "activeAsk", scope: this.#port.scope, session: this.#session });
      }
      if (this.#leaving && peer.leaveAckedAt === undefined) {
        this.#port.send(peer.id, { kind: "leaving", scope: this.#port.scope });
      }
    }
    if (this.#leaving) this.#sendLeaveSync(nowMs);
    this.review();
  }

  #namedUnknown(node: NodeId): boolean {
    for (const namedBy of this.#unknown.values()) {
      if (namedBy === node) return true;
    }
    return false;
  }

  #ask(peer: Peer, nowMs: number): void {
    this.#session += 1;
    peer.askedAtMs = nowMs;
    this.#port.send(peer.id, { kind: "joinAsk", scope: this.#port.scope, session: this.#session });
  }

  #acked(peer: Peer, message: Extract<HandoverMessage, { kind: "joinAck" }>): void {
    if (message.session < peer.since) return;
    peer.ackedAt ??= message.position;
    for (const [unknown, namedBy] of this.#unknown) {
      if (namedBy === peer.id) this.#unknown.delete(unknown);
    }
    for (const node of message.peers) {
      if (node !== this.#port.self && !this.#peers.has(node) && !this.#port.isGone(node))
        this.#unknown.set(node, peer.id);
    }
  }

  /** Sent when all have acknowledged, and again, not too often, until each has read that far. */
  #sendLeaveSync(nowMs: number): void {
    if (nowMs - this.#syncSentAtMs < RETRY_MS) return;
    const acked: { node: NodeId; position: number }[] = [];
    for (const peer of this.#peers.values()) {
      if (peer.leaveAckedAt !== undefined) acked.push({ node: peer.id, position: peer.leaveAckedAt });
      else if (!this.#port.isSuspect(peer.id)) return;
    }
    this.#syncSentAtMs = nowMs;
    for (const peer of this.#peers.values()) {
      if (peer.leaveSynced) continue;
      peer.askedAtMs = nowMs;
      this.#port.send(peer.id, { kind: "leaveSync", scope: this.#port.scope, positions: acked });
    }
  }
}

function precedes(left: { id: NodeId; weight: number }, right: { id: NodeId; weight: number }): boolean {
  return left.weight > right.weight || (left.weight === right.weight && left.id < right.id);
}
