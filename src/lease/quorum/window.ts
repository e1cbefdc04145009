import { BALLOTS_AT_ONCE } from "../limits.ts";

/** A place among those who hold a ballot, or wait for one. */
export interface Turn {
  /** Ahead of those who have time. */
  hurry(): void;
  /** It is done, or not wanted any more. Idempotent. */
  end(): void;
}

interface Waiting {
  readonly run: () => void;
  isRunning: boolean;
}

/**
 * How many ballots one node holds at once. When a node dies that held thousands of names, whoever waits for them begins at the
 * same moment; and ballots that outlast the time that servers are given come to nothing, all of them. So they take turns, and what
 * begins at the same moment shares requests.
 */
export class BallotWindow {
  readonly #urgent = new Set<Waiting>();
  readonly #patient = new Set<Waiting>();
  #running = 0;

  /** @param run called by `admit`: never at once */
  enter(run: () => void, isUrgent: boolean): Turn {
    const waiting: Waiting = { run, isRunning: false };
    (isUrgent ? this.#urgent : this.#patient).add(waiting);
    let hasEnded = false;
    return {
      hurry: () => {
        if (this.#patient.delete(waiting)) this.#urgent.add(waiting);
      },
      end: () => {
        if (hasEnded) return;
        hasEnded = true;
        this.#urgent.delete(waiting);
        this.#patient.delete(waiting);
        if (waiting.isRunning) this.#running -= 1;
      },
    };
  }

  /** Lets as many begin as there is room for. */
  admit(): void {
    for (const queue of [this.#urgent, this.#patient]) {
      for (const waiting of queue) {
        if (this.#running >= BALLOTS_AT_ONCE) return;
        queue.delete(waiting);
        waiting.isRunning = true;
        this.#running += 1;
        waiting.run();
      }
    }
  }
}
