import { TAIL_OPERATIONS } from "./limits.ts";

/**
 * The operations of this node in one scope, numbered from 1. Only the tail is kept: it mends short gaps, and whoever is
 * further behind gets a snapshot of what the operations amount to.
 */
export class OwnLog<Op> {
  readonly #tail: Op[] = [];
  #start = 0;
  #position = 0;

  /** The number of the latest operation; 0 before the first. */
  get position(): number {
    return this.#position;
  }

  append(operation: Op): number {
    this.#position += 1;
    if (this.#tail.length < TAIL_OPERATIONS) {
      this.#tail.push(operation);
    } else {
      this.#tail[this.#start] = operation;
      this.#start = (this.#start + 1) % TAIL_OPERATIONS;
    }
    return this.#position;
  }

  /** Up to `most` operations after `position`, in order; undefined when the tail does not reach back that far. */
  after(position: number, most: number): readonly Op[] | undefined {
    const missing = this.#position - position;
    if (missing < 0 || missing > this.#tail.length) return undefined;
    const operations: Op[] = [];
    const count = Math.min(missing, most);
    const first = this.#start + this.#tail.length - missing;
    for (let index = 0; index < count; index += 1) {
      operations.push(this.#tail[(first + index) % this.#tail.length] as Op);
    }
    return operations;
  }
}
