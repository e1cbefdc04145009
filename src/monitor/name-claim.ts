import type { Now } from "../kernel/clock.ts";
import type { NodeId } from "../kernel/ids.ts";
import { CLOCK_STEP_MS, NAME_PROBE_EVERY_MS } from "./limits.ts";
import { ObservedClock } from "./observed-clock.ts";
import type { DetectionTimes } from "./settings.ts";

export type NameClaimInput =
  | { readonly kind: "start" }
  | { readonly kind: "busConnected" }
  | { readonly kind: "busDisconnected" }
  /** A probe of the name's subject found nobody. */
  | { readonly kind: "noResponders" }
  /** A running node of this name answered (`nodeNameHeld`). */
  | { readonly kind: "answer"; readonly from: NodeId }
  | { readonly kind: "tick" };

export type NameClaimEffect =
  /** Find out whether anybody listens on the subject of the name. */
  | { readonly kind: "probeName" }
  /** Send `nodeNameAsk` on the subject of the name. */
  | { readonly kind: "ask" }
  /** Nobody of this name is there: start, with `replaces`. */
  | { readonly kind: "free" }
  /** Do not start. */
  | { readonly kind: "taken"; readonly other: NodeId };

/**
 * What a node does before it starts: it makes sure that no other node of its name is alive. One that runs answers. One whose
 * connection is gone answers "no responders", twice. One that is there and says nothing is stopped or hangs: it gets as long
 * as any silent node gets, and is replaced then.
 *
 * The claimer does not listen on the subject of the name itself, or its own probe would find it. So two that start together
 * do not meet here; they meet as namesakes, and the earlier stays.
 */
export class NameClaim {
  readonly #times: DetectionTimes;
  readonly #clock = new ObservedClock();
  #open = false;
  #connected = true;
  #refusals = 0;
  #sinceMs = 0;
  #askAtMs = 0;
  /** What the socket held during a stall is read before silence is believed. */
  #settledAtMs = 0;

  constructor(times: DetectionTimes) {
    this.#times = times;
  }

  get deadlineMs(): number | undefined {
    if (!this.#open || !this.#connected) return undefined;
    const silentAtMs = Math.max(this.#sinceMs + this.#times.deadAfterMs, this.#settledAtMs);
    return this.#clock.toMonotonic(Math.min(this.#askAtMs, silentAtMs));
  }

  step(input: NameClaimInput, now: Now): readonly NameClaimEffect[] {
    const elapsedMs = this.#clock.advance(now.monotonicMs);
    const nowMs = this.#clock.nowMs;
    if (elapsedMs > CLOCK_STEP_MS) this.#settledAtMs = nowMs + NAME_PROBE_EVERY_MS;
    switch (input.kind) {
      case "start":
        this.#open = true;
        return this.#begin(nowMs);
      case "busConnected":
        // Whoever has the name may be reconnecting as well.
        this.#connected = true;
        return this.#open ? this.#begin(nowMs) : [];
      case "busDisconnected":
        this.#connected = false;
        return [];
      case "noResponders":
        if (!this.#open || !this.#connected) return [];
        this.#refusals += 1;
        return this.#refusals < 2 ? [{ kind: "probeName" }] : this.#close({ kind: "free" });
      case "answer":
        return this.#open ? this.#close({ kind: "taken", other: input.from }) : [];
      case "tick":
        return this.#tick(nowMs);
    }
  }

  #begin(nowMs: number): readonly NameClaimEffect[] {
    this.#refusals = 0;
    this.#sinceMs = nowMs;
    return this.#ask(nowMs);
  }

  #ask(nowMs: number): readonly NameClaimEffect[] {
    this.#askAtMs = nowMs + NAME_PROBE_EVERY_MS;
    return [{ kind: "ask" }, { kind: "probeName" }];
  }

  #tick(nowMs: number): readonly NameClaimEffect[] {
    if (!this.#open || !this.#connected) return [];
    const silent = nowMs >= this.#sinceMs + this.#times.deadAfterMs && nowMs >= this.#settledAtMs;
    if (silent) return this.#close({ kind: "free" });
    return nowMs >= this.#askAtMs ? this.#ask(nowMs) : [];
  }

  #close(outcome: NameClaimEffect): readonly NameClaimEffect[] {
    this.#open = false;
    return [outcome];
  }
}
