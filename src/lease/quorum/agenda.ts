/** Withdraws what was to be done. Harmless afterwards. */
export type Withdraw = () => void;

interface Item {
  readonly atMs: number;
  readonly number: number;
  run: (() => void) | undefined;
}

/** Fewer than this are not worth the trouble of taking withdrawn ones out. */
const COMPACT_FROM = 64;

/** What a machine means to do later, by its own monotonic clock: it keeps no timers, and says when it is due. */
export class Agenda {
  #heap: Item[] = [];
  #numbers = 0;
  /** Those in the heap that are not to be done any more. */
  #withdrawn = 0;

  /** How many items it keeps, withdrawn ones included. */
  get size(): number {
    return this.#heap.length;
  }

  /** When the next thing is due; Infinity: nothing is. */
  get nextMs(): number {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) {
      this.#pop();
      this.#withdrawn -= 1;
    }
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
      if (item.run === undefined) return;
      item.run = undefined;
      this.#withdrawn += 1;
      this.#compact();
    };
  }

  /** Does what is due by now, in order, and what that puts on the agenda for now. */
  runDue(nowMs: number): void {
    while (this.nextMs <= nowMs) {
      const item = this.#pop();
      const run = item?.run;
      // It is not in the heap any more, and is not to be counted there when it is withdrawn.
      if (item !== undefined) item.run = undefined;
      run?.();
    }
  }

  /** Commands end long before their time runs out, as a rule: what was to be done then would pile up until it is due. */
  #compact(): void {
    if (this.#heap.length < COMPACT_FROM || 2 * this.#withdrawn <= this.#heap.length) return;
    // What is in order is a heap.
    this.#heap = this.#heap.filter(({ run }) => run !== undefined).sort(byTime);
    this.#withdrawn = 0;
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
    return byTime(left, right) < 0;
  }
}

function byTime(left: Item, right: Item): number {
  return left.atMs - right.atMs || left.number - right.number;
}
