import type { Clock } from "../kernel/clock.ts";

/** Something that has work to do now and then, in portions. */
export interface Runnable {
  /** Belongs to `RunQueue`. */
  queued: boolean;
  /** Does a portion of its work. True: there is more that it could do at once. */
  runSome(budget: Budget): boolean;
}

/** How long handlers keep the event loop before it goes round. */
const RUN_MS = 20;

/** And how many of them: on a clock that stands still, as virtual ones do, time alone is no bound. */
const MESSAGES_PER_RUN = 65_536;

/**
 * How many handlers run between two looks at the clock, at most. A look costs as much as a fast handler; but if all of these
 * are slow, as they may be behind fast ones, they keep the loop together.
 */
const MESSAGES_PER_LOOK = 8;

/** Where the handlers between two looks took longer than this, the next one is looked at alone. */
const SLOW_MS = 1;

/**
 * How long a turn of the event loop may have lasted for what arrives in it to be handled at once. Every message that a socket
 * brings is the beginning of a run, and one read of it can bring hundreds.
 */
const TURN_MS = 500;

/** What may still be done in this run, by all processes of the node together. */
export class Budget {
  readonly #clock: Clock;
  #left = MESSAGES_PER_RUN;
  #endsAtMs = 0;
  /** How many may be taken until the next look, and how many that were at the last one. */
  #untilLook = 1;
  #perLook = 1;
  #lookedAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  renew(): void {
    const nowMs = this.#clock.now().monotonicMs;
    this.#left = MESSAGES_PER_RUN;
    this.#endsAtMs = nowMs + RUN_MS;
    this.#lookedAtMs = nowMs;
    this.#perLook = 1;
    this.#untilLook = 1;
  }

  get hasLeft(): boolean {
    return this.#left > 0;
  }

  /** Takes one message's worth. False: this run is over. */
  take(): boolean {
    if (this.#untilLook === 0) this.#look();
    if (this.#left <= 0) return false;
    this.#left -= 1;
    this.#untilLook -= 1;
    return true;
  }

  #look(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const tookMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    this.#perLook = tookMs > SLOW_MS ? 1 : Math.min(2 * this.#perLook, MESSAGES_PER_LOOK);
    this.#untilLook = this.#perLook;
    if (nowMs >= this.#endsAtMs) this.#left = 0;
  }
}

/** The processes that have messages to handle, in turn; and a bound on how long they keep the event loop. */
export class RunQueue {
  readonly #clock: Clock;
  readonly #budget: Budget;
  readonly #onReady: () => void;
  #ready: Runnable[] = [];
  #running = false;
  /** When something first arrived in the present turn. */
  #turnBeganAtMs: number | undefined;

  /** @param onReady somebody has to call `endTurn` at the end of this turn */
  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#budget = new Budget(clock);
    this.#onReady = onReady;
  }

  add(runnable: Runnable): void {
    if (runnable.queued) return;
    runnable.queued = true;
    this.#ready.push(runnable);
    if (this.#ready.length === 1) this.#onReady();
  }

  /** For one whose handler settled between turns: it may go on at once while the turn lasts. */
  get budget(): Budget {
    return this.#budget;
  }

  /** For what arrives in the midst of a turn. When that has lasted too long already, it is for the end of it. */
  runAtOnce(): void {
    if (this.#ready.length === 0) return;
    const nowMs = this.#clock.now().monotonicMs;
    this.#turnBeganAtMs ??= nowMs;
    if (nowMs - this.#turnBeganAtMs < TURN_MS) this.#run();
  }

  endTurn(): void {
    this.#turnBeganAtMs = undefined;
    this.#run();
  }

  /** Lets everyone work who has something to do, or for as long as a run may last: then the rest is for the end of this turn. */
  #run(): void {
    if (this.#running || this.#ready.length === 0) return;
    this.#running = true;
    this.#budget.renew();
    // Those that become ready meanwhile stand behind, and have their turn too while the budget lasts.
    const ready = this.#ready;
    let next = 0;
    for (; next < ready.length && this.#budget.hasLeft; next += 1) {
      const runnable = ready[next] as Runnable;
      runnable.queued = false;
      if (!runnable.runSome(this.#budget) || runnable.queued) continue;
      runnable.queued = true;
      ready.push(runnable);
    }
    ready.splice(0, next);
    this.#running = false;
    if (ready.length > 0) this.#onReady();
  }
}
