import type { Cancel, Clock } from "../kernel/clock.ts";

/** A timer this late means that the event loop stood still. */
export const STALL_MS = 500;

/**
 * One timer for everything that is due at some time. After a stall of the event loop it waits until the sockets were read:
 * timers run before sockets, so what arrived meanwhile would otherwise be judged as not having come.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #dueAtMs: number | undefined;
  #armedForMs: number | undefined;
  #cancel: Cancel | undefined;
  #holdingBack = false;
  #closed = false;
  #worstLatenessMs = 0;

  /** @param ring called when something is due; it sets the alarm anew */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** The latest that a timer has been: how long the event loop stood still, at worst. */
  get worstLatenessMs(): number {
    return this.#worstLatenessMs;
  }

  /** @param dueAtMs on the monotonic clock; undefined: nothing is due */
  set(dueAtMs: number | undefined): void {
    this.#dueAtMs = dueAtMs;
    if (dueAtMs === undefined || this.#holdingBack || this.#closed) return;
    // A timer that fires too early costs less than one set anew for each change.
    if (this.#armedForMs !== undefined && this.#armedForMs <= dueAtMs) return;
    this.#arm(dueAtMs);
  }

  close(): void {
    this.#closed = true;
    this.#dueAtMs = undefined;
    this.#disarm();
  }

  #arm(dueAtMs: number): void {
    this.#disarm();
    this.#armedForMs = dueAtMs;
    this.#cancel = this.#clock.after(Math.max(0, dueAtMs - this.#clock.now().monotonicMs), this.#fire);
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedForMs = undefined;
  }

  readonly #fire = (): void => {
    const armedForMs = this.#armedForMs ?? 0;
    this.#cancel = undefined;
    this.#armedForMs = undefined;
    const latenessMs = this.#clock.now().monotonicMs - armedForMs;
    this.#worstLatenessMs = Math.max(this.#worstLatenessMs, latenessMs);
    if (latenessMs <= STALL_MS) this.#ringIfDue();
    else {
      // The sockets are read once before the first of these two runs, and what they woke may ask for a second read.
      this.#holdingBack = true;
      this.#clock.endOfTurn(() =>
        this.#clock.endOfTurn(() => {
          this.#holdingBack = false;
          this.#ringIfDue();
        }),
      );
    }
  };

  #ringIfDue(): void {
    if (this.#dueAtMs === undefined) return;
    if (this.#clock.now().monotonicMs < this.#dueAtMs) this.#arm(this.#dueAtMs);
    else this.#ring();
  }
}
