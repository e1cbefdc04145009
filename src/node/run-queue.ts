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

/** How many handlers run between two looks at the clock. */
const MESSAGES_PER_LOOK = 64;

/** What may still be done in this run, by all processes of the node together. */
export class Budget {
  readonly #clock: Clock;
  #left = MESSAGES_PER_RUN;
  #endsAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  renew(): void {
    this.#left = MESSAGES_PER_RUN;
    this.#endsAtMs = this.#clock.now().monotonicMs + RUN_MS;
  }

  get hasLeft(): boolean {
    return this.#left > 0;
  }

  /** Takes one message's worth. False: this run is over. */
  take(): boolean {
    if (this.#left <= 0) return false;
    this.#left -= 1;
    if (this.#left % MESSAGES_PER_LOOK === 0 && this.#clock.now().monotonicMs >= this.#endsAtMs)
      this.#left = 0;
    return true;
  }
}

/** The processes that have messages to handle, in turn; and a bound on how long they keep the event loop. */
export class RunQueue {
  readonly #budget: Budget;
  readonly #onReady: () => void;
  #ready: Runnable[] = [];
  #running = false;

  /** @param onReady somebody has to call `run` at the end of this turn */
  constructor(clock: Clock, onReady: () => void) {
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

  /** Lets everyone work who has something to do, or for as long as a run may last: then the rest is for the end of this turn. */
  run(): void {
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
