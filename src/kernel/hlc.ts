import type { Now } from "./clock.ts";
import type { Brand } from "./ids.ts";

/**
 * A hybrid logical clock's reading (Kulkarni et al. 2014): 9 base-36 digits of wall milliseconds, then 4 of a counter.
 * Sorts as text. Between events that know of each other it follows cause; between others it follows the wall.
 */
export type Stamp = Brand<string, "Stamp">;

/** A stamp this far ahead of our own wall clock is not believed: one node with a wrong date must not drag all along. */
export const MAX_AHEAD_MS = 60_000;

const WALL_DIGITS = 9;
const COUNTER_DIGITS = 4;
const COUNTER_END = 36 ** COUNTER_DIGITS;
const STAMP = /^[0-9a-z]{13}$/;

export function isStamp(value: unknown): value is Stamp {
  return typeof value === "string" && STAMP.test(value);
}

export class HybridClock {
  #wallMs = 0;
  #counter = 0;
  /** How the wall's part was last written, and for which. */
  #writtenMs = -1;
  #written = "";

  /** A stamp later than every one given out or observed before. */
  next(now: Now): Stamp {
    const wallMs = Math.floor(now.wallMs);
    if (wallMs > this.#wallMs) {
      this.#wallMs = wallMs;
      this.#counter = 0;
    } else {
      this.#bump();
    }
    return this.#reading();
  }

  /** Moves past a stamp that came in. False, and ignored, when it is too far ahead to be believed. */
  observe(stamp: Stamp, now: Now): boolean {
    const wallMs = Number.parseInt(stamp.slice(0, WALL_DIGITS), 36);
    if (wallMs > now.wallMs + MAX_AHEAD_MS) return false;
    const counter = Number.parseInt(stamp.slice(WALL_DIGITS), 36);
    if (wallMs > this.#wallMs || (wallMs === this.#wallMs && counter > this.#counter)) {
      this.#wallMs = wallMs;
      this.#counter = counter;
    }
    return true;
  }

  #bump(): void {
    this.#counter += 1;
    if (this.#counter < COUNTER_END) return;
    this.#wallMs += 1;
    this.#counter = 0;
  }

  #reading(): Stamp {
    if (this.#writtenMs !== this.#wallMs) {
      this.#writtenMs = this.#wallMs;
      this.#written = this.#wallMs.toString(36).padStart(WALL_DIGITS, "0");
    }
    return (this.#written + this.#counter.toString(36).padStart(COUNTER_DIGITS, "0")) as Stamp;
  }
}
