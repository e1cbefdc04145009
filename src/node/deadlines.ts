import type { Clock } from "../kernel/clock.ts";
import { Alarm } from "./alarm.ts";

/** Something that gives up when its time has come. `dueAtMs` and `heapIndex` belong to `Deadlines`. */
export interface Due {
  dueAtMs: number;
  /** Where it stands in the heap; -1: nowhere. */
  heapIndex: number;
  expire(): void;
}

/** Every deadline of a node behind one timer: a binary heap, so that setting and withdrawing one costs O(log n). */
export class Deadlines {
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #heap: Due[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#alarm = new Alarm(clock, () => this.#expireDue());
  }

  get size(): number {
    return this.#heap.length;
  }

  add(due: Due, delayMs: number): void {
    due.dueAtMs = this.#clock.now().monotonicMs + delayMs;
    this.#heap.push(due);
    this.#rise(due, this.#heap.length - 1);
    this.#rearm();
  }

  /** Harmless for one that is not in the heap. */
  remove(due: Due): void {
    const index = due.heapIndex;
    if (index < 0) return;
    due.heapIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === due) return;
    this.#rise(last, index);
    this.#sink(last, last.heapIndex);
  }

  close(): void {
    this.#alarm.close();
    for (const due of this.#heap) due.heapIndex = -1;
    this.#heap.length = 0;
  }

  #expireDue(): void {
    const nowMs = this.#clock.now().monotonicMs;
    try {
      for (let first = this.#heap[0]; first !== undefined && first.dueAtMs <= nowMs; first = this.#heap[0]) {
        this.remove(first);
        first.expire();
      }
    } finally {
      // One that throws is a bug, and must not take all others of the node with it.
      this.#rearm();
    }
  }

  #rearm(): void {
    this.#alarm.set(this.#heap[0]?.dueAtMs);
  }

  #rise(due: Due, start: number): void {
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex] as Due;
      if (parent.dueAtMs <= due.dueAtMs) break;
      this.#put(parent, index);
      index = parentIndex;
    }
    this.#put(due, index);
  }

  #sink(due: Due, start: number): void {
    let index = start;
    for (;;) {
      const left = this.#heap[index * 2 + 1];
      if (left === undefined) break;
      const right = this.#heap[index * 2 + 2];
      const child = right !== undefined && right.dueAtMs < left.dueAtMs ? right : left;
      if (due.dueAtMs <= child.dueAtMs) break;
      const childIndex = child.heapIndex;
      this.#put(child, index);
      index = childIndex;
    }
    this.#put(due, index);
  }

  #put(due: Due, index: number): void {
    this.#heap[index] = due;
    due.heapIndex = index;
  }
}
