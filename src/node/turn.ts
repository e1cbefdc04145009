import type { Clock } from "../kernel/clock.ts";

/**
 * What a node does at the end of a turn of the event loop, once for the whole turn, in stages: it lets processes handle what
 * they were sent, then sends what has been written. Between two stages the promises of handlers that have settled run on, so
 * that their answers leave in the same turn.
 */
export class Turn {
  readonly #clock: Clock;
  readonly #stages: readonly (() => void)[];
  /** The stage of the present turn that is next; their number: no turn is under way. */
  #position: number;
  #again = false;
  #closed = false;

  constructor(clock: Clock, stages: readonly (() => void)[]) {
    this.#clock = clock;
    this.#stages = stages;
    this.#position = stages.length;
  }

  /** Makes sure that a stage runs after this: in the present turn if it is still to come there, else in the next. */
  schedule(stage: number): void {
    if (this.#closed) return;
    if (this.#position === this.#stages.length) this.#start();
    else if (stage < this.#position) this.#again = true;
  }

  close(): void {
    this.#closed = true;
  }

  #start(): void {
    this.#again = false;
    this.#position = 0;
    for (let stage = 0; stage < this.#stages.length; stage += 1) this.#clock.endOfTurn(this.#runNext);
  }

  readonly #runNext = (): void => {
    if (this.#closed) return;
    const stage = this.#stages[this.#position];
    this.#position += 1;
    stage?.();
    if (!this.#again || this.#position < this.#stages.length) return;
    this.#start();
  };
}
