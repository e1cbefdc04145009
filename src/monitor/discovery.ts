import { compareText, type NodeId } from "../kernel/ids.ts";
import { HELLO_EVERY_MS, MAX_INCOMPATIBLE } from "./limits.ts";

export interface Incompatible {
  readonly node: NodeId;
  readonly theirs: readonly [number, number];
}

/**
 * The first moments of a node, in which it says hello over and over and finds out who is there. A node that believed too early
 * that it is alone would give out names that others hold.
 */
export class Discovery {
  readonly #discoveryMs: number;
  readonly #jitter: () => number;
  readonly #incompatible = new Map<NodeId, readonly [number, number]>();
  #endsMs = 0;
  #greetAtMs = 0;
  #open = false;

  constructor(discoveryMs: number, jitter: () => number) {
    this.#discoveryMs = discoveryMs;
    this.#jitter = jitter;
  }

  begin(nowMs: number): void {
    this.#open = true;
    this.restart(nowMs);
  }

  /** The bus was away: what was listened to so far may not be everyone. */
  restart(nowMs: number): void {
    if (!this.#open) return;
    this.#endsMs = nowMs + this.#discoveryMs;
    this.#plan(nowMs);
  }

  nextMs(nowMs: number): number {
    if (!this.#open) return Number.POSITIVE_INFINITY;
    return this.#endsMs > nowMs ? Math.min(this.#greetAtMs, this.#endsMs) : this.#greetAtMs;
  }

  metIncompatible(node: NodeId, theirs: readonly [number, number]): void {
    if (this.#open && this.#incompatible.size < MAX_INCOMPATIBLE) this.#incompatible.set(node, theirs);
  }

  /** One of those that were met, the same whatever the order of meeting. */
  incompatible(): Incompatible | undefined {
    let first: Incompatible | undefined;
    for (const [node, theirs] of this.#incompatible) {
      if (first === undefined || compareText(node, first.node) < 0) first = { node, theirs };
    }
    return first;
  }

  /** Whether the phase lasts: `tick` is for then. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** @param isAnyOpen whether somebody first heard by a time may still come up */
  tick(nowMs: number, isAnyOpen: (firstHeardByMs: number) => boolean): "greet" | "ended" | "waiting" {
    if (nowMs >= this.#endsMs && !isAnyOpen(this.#endsMs)) {
      this.#open = false;
      return "ended";
    }
    if (nowMs < this.#greetAtMs) return "waiting";
    this.#plan(nowMs);
    return "greet";
  }

  #plan(nowMs: number): void {
    this.#greetAtMs = nowMs + HELLO_EVERY_MS + Math.floor((HELLO_EVERY_MS / 2) * this.#jitter());
  }
}
