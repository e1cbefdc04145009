import type { NodeDownCause } from "../kernel/exit-reason.ts";
import { compareText } from "../kernel/ids.ts";
import { PROBE_SLACK_MS, PROBES_IN_BUS_FAULT, PROBES_UNTIL_CLEARED, RUMOURS_PER_EVIDENCE } from "./limits.ts";
import type { MembershipCounts } from "./membership-types.ts";
import type { Evidence, Peer } from "./peer.ts";
import type { DetectionTimes } from "./settings.ts";

export interface AccusationsPort {
  probe(peer: Peer): void;
  /** Tells all that the peer's connection seems to be gone. */
  spread(peer: Peer): void;
  /** The peer is down: `remove` follows. */
  giveUp(peer: Peer, cause: NodeDownCause): void;
}

/**
 * The peers whose bus connection seems to be gone. "No responders" once: look again at once, for it can be false for a moment.
 * Twice: evidence. It stands for the grace period, in which the peer may reconnect, and anything heard ends it.
 */
export class Accusations {
  readonly #times: DetectionTimes;
  readonly #counts: MembershipCounts;
  readonly #port: AccusationsPort;
  /** Under evidence or doubt. */
  readonly #accused = new Set<Peer>();
  /** Who vanished within the last grace, heard again or not, of those whose server may be to blame. */
  #vanished: { readonly peer: Peer; readonly atMs: number }[] = [];
  #serverId = "";
  /** What was said before is older than the observed clock shows. */
  #freshFromMs = 0;

  constructor(times: DetectionTimes, counts: MembershipCounts, port: AccusationsPort) {
    this.#times = times;
    this.#counts = counts;
    this.#port = port;
  }

  connected(serverId: string): void {
    this.#serverId = serverId;
    this.#vanished = [];
    for (const peer of [...this.#accused]) this.#acquit(peer);
  }

  stalled(nowMs: number): void {
    this.#freshFromMs = nowMs;
  }

  remove(peer: Peer): void {
    this.#accused.delete(peer);
  }

  heard(peer: Peer): void {
    peer.refusals = 0;
    if (peer.evidence !== undefined || peer.doubted) this.#acquit(peer);
  }

  /** @param isMine it is the one that this node looks after, so the others are told by this node */
  refused(peer: Peer, isMine: boolean, nowMs: number, settledAtMs: number): void {
    peer.refusals += 1;
    const { evidence } = peer;
    if (evidence !== undefined) {
      evidence.refusedAtMs = nowMs;
      if (nowMs >= settledAtMs && this.#isProven(peer, evidence, nowMs))
        this.#port.giveUp(peer, "disconnected");
    } else if (peer.refusals === 1) {
      this.#probe(peer, nowMs);
    } else if (peer.doubted) {
      this.#port.giveUp(peer, "replaced");
    } else {
      this.#accuse(peer, false, isMine, nowMs);
    }
  }

  advised(peer: Peer, isMine: boolean, nowMs: number): void {
    if (peer.evidence === undefined) {
      this.#accuse(peer, true, isMine, nowMs);
    } else {
      peer.evidence.advised = true;
      peer.evidence.busFault = false;
    }
  }

  doubt(peer: Peer, nowMs: number): void {
    peer.doubted = true;
    this.#accused.add(peer);
    this.#probe(peer, nowMs);
  }

  /** When the next probe or rumour of an accused peer is due. */
  probeMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const peer of this.#accused) {
      nextMs = Math.min(nextMs, peer.probedAtMs + this.#probeEvery(peer));
      if (peer.evidence !== undefined && peer.evidence.rumoursLeft > 0)
        nextMs = Math.min(nextMs, peer.evidence.rumourAtMs);
    }
    return nextMs;
  }

  /** When the next grace ends. One that has ended waits for the next "no responders", not for a time. */
  judgeMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { evidence } of this.#accused) {
      if (evidence !== undefined && !evidence.overdue) nextMs = Math.min(nextMs, this.#graceEnd(evidence));
    }
    return nextMs;
  }

  /** Until when a peer is not judged, because the bus is to blame. */
  busFaultEnd(peer: Peer): number {
    const { evidence } = peer;
    return evidence?.busFault === true ? this.#graceEnd(evidence) : Number.NEGATIVE_INFINITY;
  }

  probeDue(nowMs: number): void {
    if (this.#accused.size === 0) return;
    for (const peer of [...this.#accused]) {
      const everyMs = this.#probeEvery(peer);
      const { evidence } = peer;
      if (evidence !== undefined && nowMs > evidence.refusedAtMs + PROBES_UNTIL_CLEARED * everyMs) {
        // The probes reach somebody: it is connected again, though not heard yet. From here on its silence counts.
        this.#acquit(peer);
        continue;
      }
      if (nowMs >= peer.probedAtMs + everyMs) this.#probe(peer, nowMs);
      if (evidence !== undefined && evidence.rumoursLeft > 0 && nowMs >= evidence.rumourAtMs) {
        this.#spread(peer, evidence, nowMs);
      }
    }
  }

  judgeDue(nowMs: number): void {
    if (this.#accused.size === 0) return;
    const gone: Peer[] = [];
    for (const peer of this.#accused) {
      const { evidence } = peer;
      if (evidence === undefined || nowMs < this.#graceEnd(evidence)) continue;
      evidence.overdue = true;
      if (this.#isProven(peer, evidence, nowMs)) gone.push(peer);
    }
    gone.sort((left, right) => compareText(left.id, right.id));
    for (const peer of gone) this.#port.giveUp(peer, "disconnected");
  }

  #isProven(peer: Peer, evidence: Evidence, nowMs: number): boolean {
    const oldestMs = nowMs - 2 * this.#probeEvery(peer) - PROBE_SLACK_MS;
    return nowMs >= this.#graceEnd(evidence) && evidence.refusedAtMs >= Math.max(oldestMs, this.#freshFromMs);
  }

  #graceEnd(evidence: Evidence): number {
    return evidence.sinceMs + (evidence.busFault ? this.#times.busGraceMs : this.#times.disconnectGraceMs);
  }

  #probeEvery(peer: Peer): number {
    const { probeEveryMs, busGraceMs } = this.#times;
    return peer.evidence?.busFault === true
      ? Math.max(probeEveryMs, busGraceMs / PROBES_IN_BUS_FAULT)
      : probeEveryMs;
  }

  #accuse(peer: Peer, advised: boolean, isMine: boolean, nowMs: number): void {
    const evidence: Evidence = {
      sinceMs: nowMs,
      refusedAtMs: nowMs,
      busFault: false,
      advised,
      overdue: false,
      rumoursLeft: isMine ? RUMOURS_PER_EVIDENCE : 0,
      rumourAtMs: nowMs,
    };
    peer.evidence = evidence;
    this.#counts.evidence += 1;
    this.#accused.add(peer);
    this.#blameBus(peer, nowMs);
    if (isMine) this.#spread(peer, evidence, nowMs);
    this.#probe(peer, nowMs);
  }

  /**
   * Several that vanish together are taken for a fault of the bus, for nodes seldom die together and a server takes all its
   * clients along. Not those on our own server, which is evidently alive, nor those of which the bus itself says it.
   */
  #blameBus(peer: Peer, nowMs: number): void {
    if (this.#isExempt(peer)) return;
    const graceMs = this.#times.disconnectGraceMs;
    this.#vanished = this.#vanished.filter(
      (other) => other.atMs + graceMs >= nowMs && other.peer.id !== peer.id,
    );
    this.#vanished.push({ peer, atMs: nowMs });
    if (this.#vanished.length < 2) return;
    this.#counts.busFaults += 1;
    for (const { peer: other } of this.#vanished) {
      if (other.evidence !== undefined && !this.#isExempt(other)) other.evidence.busFault = true;
    }
  }

  #isExempt(peer: Peer): boolean {
    return peer.evidence?.advised === true || (peer.serverId !== "" && peer.serverId === this.#serverId);
  }

  #acquit(peer: Peer): void {
    peer.evidence = undefined;
    peer.doubted = false;
    peer.refusals = 0;
    this.#accused.delete(peer);
  }

  #probe(peer: Peer, nowMs: number): void {
    peer.probedAtMs = nowMs;
    this.#port.probe(peer);
  }

  #spread(peer: Peer, evidence: Evidence, nowMs: number): void {
    evidence.rumoursLeft -= 1;
    evidence.rumourAtMs = nowMs + this.#times.disconnectGraceMs / RUMOURS_PER_EVIDENCE;
    this.#port.spread(peer);
  }
}
