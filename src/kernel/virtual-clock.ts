import type { Cancel, Clock, Now } from "./clock.ts";
import { invariant } from "./errors.ts";

/** More than this in one turn is a loop that feeds itself, not work. */
const TURN_LIMIT = 1_000_000;

/** A date in 2023: far enough from 0 that nobody mistakes a wall reading for a monotonic one. */
const WALL_START_MS = 1_700_000_000_000;

interface Timer {
  readonly atMs: number;
  readonly sequence: number;
  run: (() => void) | undefined;
}

/**
 * Time that passes only when it is told to, so that a test or a simulation runs as fast as its code does, and the same way
 * every time: timers fire in the order of (time, order of setting), and after each one what was put at the end of its turn.
 */
export class VirtualClock implements Clock {
  /** Added to the monotonic reading to make the wall's. Setting it steps the calendar, as an operator or NTP would. */
  wallOffsetMs = WALL_START_MS;
  #reading: Now = { monotonicMs: 0, wallMs: WALL_START_MS };
  #heap: Timer[] = [];
  #turn: (() => void)[] = [];
  #nowMs = 0;
  #sequence = 0;
  #cancelled = 0;

  now(): Now {
    const wallMs = this.#nowMs + this.wallOffsetMs;
    // Asked for several times between two events: the same object will do.
    if (this.#reading.monotonicMs !== this.#nowMs || this.#reading.wallMs !== wallMs)
      this.#reading = { monotonicMs: this.#nowMs, wallMs };
    return this.#reading;
  }

  after(delayMs: number, run: () => void): Cancel {
    this.#sequence += 1;
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence, run };
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return () => {
      if (timer.run === undefined) return;
      timer.run = undefined;
      this.#cancelled += 1;
      this.#compact();
    };
  }

  endOfTurn(run: () => void): void {
    this.#turn.push(run);
  }

  /** Timers set and neither fired nor withdrawn. */
  get pending(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** Whether something waits for the end of the present turn. */
  get isTurnOpen(): boolean {
    return this.#turn.length > 0;
  }

  /** When the next timer is due, on the monotonic clock. */
  get nextAtMs(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.atMs;
  }

  /** Runs the end of the present turn if anything waits for it, else the next timer. False when there is nothing to run. */
  runNext(): boolean {
    if (this.#endTurn()) return true;
    this.#dropCancelled();
    const timer = this.#pop();
    if (timer === undefined) return false;
    this.#nowMs = timer.atMs;
    const run = timer.run;
    timer.run = undefined;
    run?.();
    this.#endTurn();
    return true;
  }

  /** Runs everything due up to this time, included, and leaves the clock there. */
  runUntil(monotonicMs: number): void {
    this.#endTurn();
    for (;;) {
      const next = this.nextAtMs;
      if (next === undefined || next > monotonicMs) break;
      this.runNext();
    }
    this.#nowMs = Math.max(this.#nowMs, monotonicMs);
  }

  advanceBy(ms: number): void {
    this.runUntil(this.#nowMs + ms);
  }

  #endTurn(): boolean {
    if (this.#turn.length === 0) return false;
    for (let ran = 0; this.#turn.length > 0; ) {
      const waiting = this.#turn;
      this.#turn = [];
      for (const run of waiting) run();
      ran += waiting.length;
      invariant(ran <= TURN_LIMIT, `a turn ends within ${TURN_LIMIT} steps`);
    }
    return true;
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) {
      this.#pop();
      this.#cancelled -= 1;
    }
  }

  /** Timers that are set and withdrawn over and over would pile up until their time came. */
  #compact(): void {
    if (this.#cancelled < 64 || this.#cancelled * 2 < this.#heap.length) return;
    const live = this.#heap.filter((timer) => timer.run !== undefined);
    live.sort((left, right) => (isBefore(left, right) ? -1 : 1));
    this.#heap = live;
    this.#cancelled = 0;
  }

  #pop(): Timer | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    return first;
  }

  #rise(start: number): void {
    let index = start;
    const timer = this.#heap[index];
    while (timer !== undefined && index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex];
      if (parent === undefined || isBefore(parent, timer)) return;
      this.#heap[index] = parent;
      this.#heap[parentIndex] = timer;
      index = parentIndex;
    }
  }

  #sink(start: number): void {
    let index = start;
    const timer = this.#heap[index];
    while (timer !== undefined) {
      let childIndex = index * 2 + 1;
      let child = this.#heap[childIndex];
      const right = this.#heap[childIndex + 1];
      if (child === undefined) return;
      if (right !== undefined && isBefore(right, child)) {
        childIndex += 1;
        child = right;
      }
      if (isBefore(timer, child)) return;
      this.#heap[index] = child;
      this.#heap[childIndex] = timer;
      index = childIndex;
    }
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}
