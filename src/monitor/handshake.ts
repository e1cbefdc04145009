import type { NodeId } from "../kernel/ids.ts";
import {
  CHALLENGE_DELAY_MS,
  CHALLENGE_EVERY_MS,
  CHALLENGES_IN_A_ROW,
  CHALLENGES_IN_DISCOVERY,
  MAX_STRANGERS,
  NONCE_LIFE_MS,
  STRANGER_LIFE_MS,
} from "./limits.ts";

/** A live incarnation that is not up here: it was heard, and has not echoed a nonce. */
interface Stranger {
  /** Given to it alone, to be echoed; 0: none yet. */
  nonce: number;
  nonceAtMs: number;
  readonly firstHeardAtMs: number;
  heardAtMs: number;
  /** When it is challenged next; Infinity: when it is heard again. */
  dueMs: number;
  challengedAtMs: number;
  /** Since it was last heard. */
  challengesInARow: number;
  challenges: number;
  /** It is not wanted: nothing comes of a handshake with it. */
  refused: boolean;
}

/**
 * The nonces that this node gave out, and those it is getting to know. An incarnation comes up, first or again, only by
 * echoing a nonce: so a frame that was delayed, or sent again by somebody else, revives nothing. Nonces count up from 1.
 *
 * 1. n1 → all: hello, nonce 7. 2. n2 → n1: hello, echo 7, nonce 3; n2 is up at n1. 3. n1 → n2: hello, echo 3; n1 is up at n2.
 * Any of them may be lost. Whoever keeps hearing a node that is not up challenges it, which is step 2 without an echo.
 */
export class Handshake {
  readonly #strangers = new Map<NodeId, Stranger>();
  #lastNonce = 0;
  #broadcastNonce = 0;
  #broadcastAtMs = 0;
  /** No stranger is due before this. */
  #dueMs = Number.POSITIVE_INFINITY;

  /** The latest nonce given out to anyone. */
  get lastNonce(): number {
    return this.#lastNonce;
  }

  get strangers(): number {
    return this.#strangers.size;
  }

  /** When `takeDue` has something to do. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** The nonce for a hello to all. The same one again for a hello that only repeats, or answers under way would be too late. */
  broadcastNonce(nowMs: number, repeats: boolean): number {
    if (!repeats || this.#broadcastNonce === 0 || nowMs > this.#broadcastAtMs + NONCE_LIFE_MS) {
      this.#lastNonce += 1;
      this.#broadcastNonce = this.#lastNonce;
      this.#broadcastAtMs = nowMs;
    }
    return this.#broadcastNonce;
  }

  /** Gives up every nonce that is out: what they prove lies before now. */
  renounce(): void {
    this.#broadcastNonce = 0;
    for (const stranger of this.#strangers.values()) stranger.nonce = 0;
  }

  /** Whether `echo` proves that `node` lives. @param floor nonces up to this one prove nothing about it */
  accepts(node: NodeId, echo: number, floor: number, nowMs: number): boolean {
    if (echo === 0 || echo <= floor) return false;
    if (echo === this.#broadcastNonce) return nowMs <= this.#broadcastAtMs + NONCE_LIFE_MS;
    const stranger = this.#strangers.get(node);
    return stranger !== undefined && stranger.nonce === echo && nowMs <= stranger.nonceAtMs + NONCE_LIFE_MS;
  }

  /** A frame came from an incarnation that is not up: it will be challenged, unless the frame itself begins the handshake. False: no room. */
  heard(node: NodeId, nowMs: number): boolean {
    const stranger = this.#meet(node, nowMs);
    if (stranger === undefined) return false;
    stranger.heardAtMs = nowMs;
    if (stranger.refused) return true;
    stranger.challengesInARow = 0;
    this.#schedule(
      stranger,
      Math.max(nowMs + CHALLENGE_DELAY_MS, stranger.challengedAtMs + CHALLENGE_EVERY_MS),
    );
    return true;
  }

  /** The nonce to challenge `node` with, in a message that goes out now; 0 when there is no room for another stranger. */
  challenge(node: NodeId, nowMs: number): number {
    const stranger = this.#meet(node, nowMs);
    if (stranger === undefined || stranger.refused) return 0;
    if (stranger.nonce === 0 || nowMs > stranger.nonceAtMs + NONCE_LIFE_MS) {
      this.#lastNonce += 1;
      stranger.nonce = this.#lastNonce;
      stranger.nonceAtMs = nowMs;
    }
    stranger.challenges += 1;
    stranger.challengesInARow += 1;
    stranger.challengedAtMs = nowMs;
    stranger.dueMs = Number.POSITIVE_INFINITY;
    if (stranger.challengesInARow < CHALLENGES_IN_A_ROW) this.#schedule(stranger, nowMs + CHALLENGE_EVERY_MS);
    return stranger.nonce;
  }

  /** Whether it was challenged a moment ago. */
  challengedLately(node: NodeId, nowMs: number): boolean {
    const stranger = this.#strangers.get(node);
    return stranger !== undefined && nowMs < stranger.challengedAtMs + CHALLENGE_EVERY_MS;
  }

  /** It is not challenged any more, for as long as it keeps being heard. True the first time. */
  refuse(node: NodeId, nowMs: number): boolean {
    const stranger = this.#meet(node, nowMs);
    if (stranger === undefined || stranger.refused) return false;
    stranger.refused = true;
    stranger.nonce = 0;
    stranger.dueMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** It is up now, or has ended. */
  forget(node: NodeId): void {
    this.#strangers.delete(node);
  }

  /** The strangers to be challenged now, in order. Those not heard for long are forgotten. */
  takeDue(nowMs: number): readonly NodeId[] {
    if (nowMs < this.#dueMs) return [];
    const due: NodeId[] = [];
    this.#dueMs = Number.POSITIVE_INFINITY;
    for (const [node, stranger] of this.#strangers) {
      const endsMs = stranger.heardAtMs + STRANGER_LIFE_MS;
      if (endsMs <= nowMs) {
        this.#strangers.delete(node);
        continue;
      }
      if (stranger.dueMs <= nowMs) {
        due.push(node);
        stranger.dueMs = Number.POSITIVE_INFINITY;
      }
      this.#dueMs = Math.min(this.#dueMs, stranger.dueMs, endsMs);
    }
    return due.sort();
  }

  /** Whether somebody first heard by then may still come up. */
  isAnyOpen(firstHeardByMs: number, nowMs: number): boolean {
    for (const stranger of this.#strangers.values()) {
      if (stranger.refused || stranger.firstHeardAtMs > firstHeardByMs) continue;
      if (stranger.challenges > CHALLENGES_IN_DISCOVERY) continue;
      if (nowMs < stranger.challengedAtMs + CHALLENGE_EVERY_MS) return true;
      const isPlanned = stranger.dueMs !== Number.POSITIVE_INFINITY;
      if (isPlanned && stranger.challenges < CHALLENGES_IN_DISCOVERY) return true;
    }
    return false;
  }

  #meet(node: NodeId, nowMs: number): Stranger | undefined {
    const known = this.#strangers.get(node);
    if (known !== undefined) return known;
    if (this.#strangers.size >= MAX_STRANGERS) return undefined;
    const stranger: Stranger = {
      nonce: 0,
      nonceAtMs: 0,
      firstHeardAtMs: nowMs,
      heardAtMs: nowMs,
      dueMs: Number.POSITIVE_INFINITY,
      challengedAtMs: Number.NEGATIVE_INFINITY,
      challengesInARow: 0,
      challenges: 0,
      refused: false,
    };
    this.#strangers.set(node, stranger);
    this.#dueMs = Math.min(this.#dueMs, nowMs + STRANGER_LIFE_MS);
    return stranger;
  }

  #schedule(stranger: Stranger, atMs: number): void {
    stranger.dueMs = Math.min(stranger.dueMs, atMs);
    this.#dueMs = Math.min(this.#dueMs, stranger.dueMs);
  }
}
