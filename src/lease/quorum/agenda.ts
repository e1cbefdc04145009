/** Withdraws what was to be done. Harmless afterwards. */
export type Withdraw = () => void;

interface Item {
  readonly atMs: number;
  readonly number: number;
  run: (() => void) | undefined;
}

/** What a machine means to do later, by its own monotonic clock: it keeps no timers, and says when it is due. */
export class Agenda {
  #heap: Item[] = [];
  #numbers = 0;

  /** When the next thing is due; Infinity: nothing is. */
  get nextMs(): number {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) this.#pop();
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  at(atMs: number, run: () => void): Withdraw {
    this.#numbers += 1;
    const item: Item = { atMs, number: this.#numbers, run };
    this.#heap.push(item);
    for (let index = this.#heap.length - 1; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) break;
      index = parent;
    }
    return () => {
      item.run = undefined;
    };
  }

  /** Does what is due by now, in order, and what that puts on the agenda for now. */
  runDue(nowMs: number): void {
    while (this.nextMs <= nowMs) this.#pop()?.run?.();
  }

  #pop(): Item | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last === undefined || last === first) return first;
    this.#heap[0] = last;
    for (let index = 0; ; ) {
      const left = 2 * index + 1;
      const child = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfBefore(child, index)) return first;
      index = child;
    }
  }

  #swapIfBefore(index: number, other: number): boolean {
    const [item, before] = [this.#heap[index], this.#heap[other]];
    if (item === undefined || before === undefined || !this.#isBefore(index, other)) return false;
    this.#heap[index] = before;
    this.#heap[other] = item;
    return true;
  }

  #isBefore(index: number, other: number): boolean {
    const [left, right] = [this.#heap[index], this.#heap[other]];
    if (left === undefined || right === undefined) return false;
    return left.atMs < right.atMs || (left.atMs === right.atMs && left.number < right.number);
  }
}
