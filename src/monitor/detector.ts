import type { NodeDownCause } from "../kernel/exit-reason.ts";
import type { NodeId } from "../kernel/ids.ts";
import { Accusations, type AccusationsPort } from "./accusations.ts";
import {
  MAX_BEAT_MS,
  MAX_POSTPONED_MS,
  REFUSALS_PER_RUMOUR,
  RUMOURS_PER_EVIDENCE,
  SETTLE_MS,
} from "./limits.ts";
import type { MembershipCounts } from "./membership-types.ts";
import type { Peer } from "./peer.ts";
import { Ring } from "./ring.ts";
import { beatIntervalMs, type DetectionTimes } from "./settings.ts";

/** What a detector does about what it finds. Carried out at once, inside the step. */
export interface DetectorPort extends AccusationsPort {
  /** Asks a silent peer whether it lives. */
  ask(peer: Peer): void;
  suspect(peer: Peer): void;
  alive(peer: Peer): void;
}

/**
 * Finds out which peers are gone, in two ways. Silence: heartbeats stay away, which tells of everything, and late. Probes: the
 * bus answers "no responders" within milliseconds when a connection has ended; they go round a ring, so that one more node
 * costs one more probe. All times are on the observed clock.
 */
export class Detector {
  readonly #times: DetectionTimes;
  readonly #port: DetectorPort;
  readonly #counts: MembershipCounts;
  readonly #ring: Ring;
  readonly #accusations: Accusations;
  /** The number of this node's bus connection. */
  #connection = 0;
  #connectedAtMs = 0;
  /** How many peers were heard on it. */
  #heardNow = 0;
  #disconnectedAtMs: number | undefined;
  /** Nobody is judged before: a stall has just ended, and what came in meanwhile is read first. */
  #settledAtMs = 0;
  /** When it last could judge. */
  #judgedAtMs = 0;
  #probeRingAtMs = 0;
  /** No peer falls silent, or further silent, before. */
  #silenceAtMs = Number.POSITIVE_INFINITY;

  constructor(self: NodeId, times: DetectionTimes, counts: MembershipCounts, port: DetectorPort) {
    this.#times = times;
    this.#port = port;
    this.#counts = counts;
    this.#ring = new Ring(self);
    this.#accusations = new Accusations(times, counts, port);
  }

  get connection(): number {
    return this.#connection;
  }

  /** In the order of ids. */
  get peers(): readonly Peer[] {
    return this.#ring.peers;
  }

  /** How often this node beats, before jitter. */
  get beatMs(): number {
    return beatIntervalMs(this.#times, this.#ring.size + 1);
  }

  /** When `tick` has something to do. */
  nextMs(): number {
    if (this.#disconnectedAtMs !== undefined) {
      const allDownAtMs = this.#disconnectedAtMs + this.#times.busGraceMs;
      return this.#ring.size === 0 ? Number.POSITIVE_INFINITY : Math.max(allDownAtMs, this.#settledAtMs);
    }
    const probeMs = this.#ring.size === 0 ? Number.POSITIVE_INFINITY : this.#probeRingAtMs;
    const judgeMs = Math.min(this.#silenceAtMs, this.#accusations.judgeMs());
    return Math.min(probeMs, this.#accusations.probeMs(), Math.max(judgeMs, this.#settledAtMs));
  }

  add(peer: Peer): void {
    if (this.#ring.size === 0) this.#probeRingAtMs = peer.heardAtMs;
    this.#ring.add(peer);
    this.#heardNow += 1;
    this.#silenceAtMs = Math.min(
      this.#silenceAtMs,
      peer.heardAtMs + this.#stretched(peer, this.#times.suspectAfterMs),
    );
  }

  remove(peer: Peer): void {
    this.#ring.remove(peer);
    if (peer.heardOn === this.#connection) this.#heardNow -= 1;
    this.#accusations.remove(peer);
    // With fewer nodes heartbeats come more often, so all the times are shorter now.
    this.#silenceAtMs = Number.NEGATIVE_INFINITY;
  }

  heard(peer: Peer, nowMs: number): void {
    peer.heardAtMs = nowMs;
    if (peer.heardOn !== this.#connection) {
      peer.heardOn = this.#connection;
      this.#heardNow += 1;
    }
    this.#accusations.heard(peer);
    if (!peer.suspect) return;
    peer.suspect = false;
    this.#counts.refutations += 1;
    this.#port.alive(peer);
  }

  connected(serverId: string, nowMs: number): void {
    this.#connection += 1;
    this.#heardNow = 0;
    this.#connectedAtMs = nowMs;
    this.#disconnectedAtMs = undefined;
    this.#accusations.connected(serverId);
    this.#probeRingAtMs = nowMs;
    this.#silenceAtMs = Number.NEGATIVE_INFINITY;
  }

  disconnected(nowMs: number): void {
    this.#disconnectedAtMs ??= nowMs;
  }

  /** This node did nothing for a while: what the bus said before is old, and what it says now is still to be read. */
  stalled(nowMs: number): void {
    // A node that stalls all the time would otherwise never judge.
    const latestMs = Math.max(nowMs, this.#judgedAtMs + MAX_POSTPONED_MS);
    this.#settledAtMs = Math.min(nowMs + SETTLE_MS, latestMs);
    this.#accusations.stalled(nowMs);
  }

  noResponders(peer: Peer, nowMs: number): void {
    if (this.#disconnectedAtMs !== undefined) return;
    // A server that has just come back, or that we have just come to, does not know yet who is subscribed elsewhere. But a
    // doubted peer has two witnesses: the node that took its name found nobody either. And of one that an advisory names,
    // the bus itself says that its connection has ended.
    if (peer.heardOn !== this.#connection && !peer.doubted && peer.evidence?.advised !== true) {
      this.#counts.refusalsIgnored += 1;
      peer.refusals += 1;
      if (this.#mayTellOthers(peer)) this.#port.spread(peer);
      return;
    }
    this.#accusations.refused(peer, this.#successor() === peer, nowMs, this.#settledAtMs);
  }

  advisory(peer: Peer, nowMs: number): void {
    if (this.#disconnectedAtMs === undefined)
      this.#accusations.advised(peer, this.#successor() === peer, nowMs);
  }

  /** Somebody found its connection gone. What counts is what this node finds. */
  rumoured(peer: Peer): void {
    if (this.#disconnectedAtMs === undefined && peer.evidence === undefined) this.#port.probe(peer);
  }

  /** A node has come up under the name of `peer`, having found it gone. */
  doubt(peer: Peer, nowMs: number): void {
    if (peer.suspect || peer.evidence !== undefined) this.#port.giveUp(peer, "replaced");
    else if (this.#disconnectedAtMs === undefined) this.#accusations.doubt(peer, nowMs);
  }

  tick(nowMs: number): void {
    const mayJudge = nowMs >= this.#settledAtMs;
    if (mayJudge) this.#judgedAtMs = nowMs;
    if (this.#disconnectedAtMs !== undefined) {
      if (mayJudge && nowMs >= this.#disconnectedAtMs + this.#times.busGraceMs) this.#giveUpAll();
      return;
    }
    if (this.#ring.size > 0 && nowMs >= this.#probeRingAtMs) {
      this.#probeRingAtMs = nowMs + this.#times.probeEveryMs;
      const successor = this.#successor();
      if (successor !== undefined) this.#port.probe(successor);
    }
    this.#accusations.probeDue(nowMs);
    if (!mayJudge) return;
    this.#accusations.judgeDue(nowMs);
    if (nowMs >= this.#silenceAtMs) this.#judgeSilence(nowMs);
  }

  /** Past those whose connection is gone anyway: so neighbours that die together are found together. */
  #successor(): Peer | undefined {
    return this.#ring.successor((peer) => peer.evidence === undefined);
  }

  /**
   * This node cannot judge a peer that it looks after, but others can, and wait to be told:
   *
   * 1. n1 loses its connection and has it back; nobody else does. 2. n2, which n1 looks after, is killed before n1 hears it
   * again. 3. To n1 that proves nothing.
   *
   * Not while the bus as a whole comes back: then most peers are not heard, and almost all of them will be.
   */
  #mayTellOthers(peer: Peer): boolean {
    if (
      peer.refusals % REFUSALS_PER_RUMOUR !== 2 ||
      peer.refusals > RUMOURS_PER_EVIDENCE * REFUSALS_PER_RUMOUR
    )
      return false;
    return this.#heardNow * 2 >= this.#ring.size && this.#successor() === peer;
  }

  #judgeSilence(nowMs: number): void {
    const dead: Peer[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const peer of this.#ring.peers) {
      const sinceMs = this.#silentSince(peer);
      // What is blamed on the bus has its own time.
      const deadAtMs = Math.max(sinceMs + this.#deadAfter(peer), this.#accusations.busFaultEnd(peer));
      const suspectAtMs = sinceMs + this.#stretched(peer, this.#times.suspectAfterMs);
      if (nowMs >= deadAtMs || (nowMs >= suspectAtMs && peer.doubted)) {
        dead.push(peer);
      } else if (nowMs >= suspectAtMs) {
        nextMs = Math.min(nextMs, deadAtMs, this.#suspect(peer, nowMs));
      } else {
        nextMs = Math.min(nextMs, deadAtMs, suspectAtMs);
      }
    }
    this.#silenceAtMs = nextMs;
    for (const peer of dead) this.#port.giveUp(peer, silenceCause(peer));
  }

  /** @returns when it is asked again: a question may be lost */
  #suspect(peer: Peer, nowMs: number): number {
    const askEveryMs = this.#interval(peer);
    if (!peer.suspect) {
      peer.suspect = true;
      this.#counts.suspicions += 1;
      this.#port.suspect(peer);
    } else if (nowMs < peer.askedAtMs + askEveryMs) {
      return peer.askedAtMs + askEveryMs;
    }
    peer.askedAtMs = nowMs;
    this.#port.ask(peer);
    return nowMs + askEveryMs;
  }

  /** What was sent before this node's own reconnect may be lost: so silence counts from there. */
  #silentSince(peer: Peer): number {
    return peer.heardOn === this.#connection ? peer.heardAtMs : Math.max(peer.heardAtMs, this.#connectedAtMs);
  }

  #deadAfter(peer: Peer): number {
    const deadAfterMs = this.#stretched(peer, this.#times.deadAfterMs);
    if (peer.heardOn === this.#connection) return deadAfterMs;
    // The whole bus may have restarted: the peer has this long to come back. Where heartbeats are rare, until one was due.
    return deadAfterMs > this.#times.deadAfterMs
      ? Math.max(deadAfterMs, this.#times.busGraceMs)
      : this.#times.busGraceMs;
  }

  /** The longer of how often it says it beats and how often a node of a cluster of this size does. */
  #interval(peer: Peer): number {
    return Math.max(this.beatMs, Math.min(peer.beatMs, MAX_BEAT_MS));
  }

  #stretched(peer: Peer, timeMs: number): number {
    return (timeMs * this.#interval(peer)) / this.#times.heartbeatMs;
  }

  #giveUpAll(): void {
    for (const peer of [...this.#ring.peers]) this.#port.giveUp(peer, silenceCause(peer));
  }
}

/** The cause of a down that was found by silence: a probe may have told more. */
function silenceCause(peer: Peer): NodeDownCause {
  if (peer.doubted) return "replaced";
  return peer.evidence === undefined ? "silent" : "disconnected";
}
