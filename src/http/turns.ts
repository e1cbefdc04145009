import type { Clock } from "../kernel/clock.ts";

/** How long streams may write in one turn of the event loop: everything else waits meanwhile, heartbeats too. */
const TURN_MS = 20;
/** About how much they may write in one turn: the system copies it, and that takes time as well. */
const TURN_CHARS = 1024 * 1024;
/** What a step costs that writes little or nothing, in characters. */
const STEP_CHARS = 1024;

/** One who writes step by step. */
export interface Stepper {
  /** Writes about so much as is sent in one go; says how many characters that were, 0 when there is no more or no room. */
  step(): number;
}

/**
 * Lets streams write, each a step at a time, one after the other, and no more in one turn of the event loop than it can bear: when a
 * server was restarted, thousands come at once for a table of many megabytes.
 */
export class Turns {
  readonly #clock: Clock;
  /** In the order in which they have their steps. */
  readonly #waiting = new Set<Stepper>();
  #chars = 0;
  #startMs: number | undefined;
  #isRunning = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets it write until it says that there is no more: at once, if the turn has room. */
  ask(stepper: Stepper): void {
    this.#waiting.add(stepper);
    if (!this.#isRunning) this.#run();
  }

  #run(): void {
    this.#begin();
    this.#isRunning = true;
    try {
      // Who is added again comes last.
      for (const stepper of this.#waiting) {
        if (this.#isSpent()) return;
        this.#waiting.delete(stepper);
        const chars = stepper.step();
        this.#chars += chars + STEP_CHARS;
        if (chars > 0) this.#waiting.add(stepper);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  #begin(): void {
    if (this.#startMs !== undefined) return;
    this.#startMs = this.#clock.now().monotonicMs;
    this.#chars = 0;
    this.#clock.endOfTurn(() => {
      this.#startMs = undefined;
      if (this.#waiting.size > 0) this.#run();
    });
  }

  #isSpent(): boolean {
    if (this.#chars >= TURN_CHARS) return true;
    return this.#startMs !== undefined && this.#clock.now().monotonicMs - this.#startMs >= TURN_MS;
  }
}
