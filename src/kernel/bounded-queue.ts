import { invariant } from "./errors.ts";

/** Room for this many items is kept when the queue is empty: less is not worth giving back. */
const LEAST_ROOM = 16;

/**
 * First in, first out, up to a limit; each step takes constant time on average, however long the queue. The room that a burst
 * needed is given back as the queue drains.
 */
export class BoundedQueue<T> {
  /** The option under `limits` that sets the capacity: for the error or the counter of whoever finds the queue full. */
  readonly limit: string;
  readonly capacity: number;
  // A ring: `#length` items from `#head` on, around the end. Its size is a power of two, so that a mask does for a remainder.
  #ring: (T | undefined)[] = new Array<T | undefined>(LEAST_ROOM);
  #head = 0;
  #length = 0;

  constructor(limit: { readonly name: string; readonly items: number }) {
    invariant(
      Number.isInteger(limit.items) && limit.items >= 1,
      `the limit ${limit.name} is a whole number from 1`,
    );
    this.limit = limit.name;
    this.capacity = limit.items;
  }

  get length(): number {
    return this.#length;
  }

  /** False, and nothing taken, when the queue is full. */
  push(item: T): boolean {
    if (this.#length === this.capacity) return false;
    if (this.#length === this.#ring.length) this.#resize(this.#ring.length * 2);
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = item;
    this.#length += 1;
    return true;
  }

  /** Takes the oldest item; undefined when there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length -= 1;
    // At a quarter, not at half: a queue that swings about one length must not be moved at every step.
    if (this.#ring.length > LEAST_ROOM && this.#length <= this.#ring.length / 4)
      this.#resize(this.#ring.length / 2);
    return item;
  }

  /** The oldest item, left where it is. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#ring[this.#head];
  }

  clear(): void {
    this.#ring = new Array<T | undefined>(LEAST_ROOM);
    this.#head = 0;
    this.#length = 0;
  }

  #resize(room: number): void {
    const ring = new Array<T | undefined>(room);
    for (let index = 0; index < this.#length; index += 1) {
      ring[index] = this.#ring[(this.#head + index) & (this.#ring.length - 1)];
    }
    this.#ring = ring;
    this.#head = 0;
  }
}
