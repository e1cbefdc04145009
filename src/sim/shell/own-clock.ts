import type { Cancel, Clock, Now } from "../../kernel/clock.ts";
import type { VirtualClock } from "../../kernel/virtual-clock.ts";
import { LocalClock } from "../machine/local-clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
  cancel: Cancel;
}

/**
 * The clocks, timers and turns of one OS process: they run fast or slow, stand still with it, and end with it. After a stall
 * all that is overdue fires at once, before anything is read, as timers of Node do.
 */
export class OwnClock implements Clock {
  readonly #global: VirtualClock;
  readonly #local: LocalClock;
  readonly #turnMs: () => number;
  readonly #timers = new Set<Timer>();
  #turn: (() => void)[] = [];
  #isTurnSet = false;
  #floorMs = 0;
  /** What came due while the process stood still. */
  #late: Timer[] | undefined;
  #isDead = false;

  /** @param turnMs how long the next turn of the event loop lasts */
  constructor(global: VirtualClock, turnMs: () => number) {
    this.#global = global;
    this.#local = new LocalClock(global);
    this.#turnMs = turnMs;
  }

  get isPaused(): boolean {
    return this.#late !== undefined;
  }

  now(): Now {
    const { monotonicMs, wallMs } = this.#local.now();
    // A timer finds that its time has come, however the conversion of rates was rounded.
    return { monotonicMs: Math.max(monotonicMs, this.#floorMs), wallMs };
  }

  after(delayMs: number, run: () => void): Cancel {
    if (this.#isDead) return () => {};
    const timer: Timer = { dueMs: this.now().monotonicMs + Math.max(0, delayMs), run, cancel: () => {} };
    this.#timers.add(timer);
    this.#arm(timer);
    return () => {
      this.#timers.delete(timer);
      timer.cancel();
    };
  }

  endOfTurn(run: () => void): void {
    if (this.#isDead) return;
    this.#turn.push(run);
    this.#setTurn(this.#turnMs());
  }

  setRate(rate: number): void {
    this.#local.setRate(rate);
    for (const timer of this.#timers) {
      timer.cancel();
      if (this.#late?.includes(timer) !== true) this.#arm(timer);
    }
  }

  stepWall(byMs: number): void {
    this.#local.stepWall(byMs);
  }

  pause(): void {
    this.#late ??= [];
  }

  /** @param read takes in what came meanwhile: after the timers, before the end of the turn */
  resume(read: () => void): void {
    const late = this.#late;
    if (late === undefined || this.#isDead) return;
    this.#late = undefined;
    for (const timer of late) this.#fire(timer);
    read();
    if (this.#turn.length > 0) this.#setTurn(0);
  }

  kill(): void {
    this.#isDead = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#turn = [];
  }

  #arm(timer: Timer): void {
    timer.cancel = this.#global.after(this.#local.globalDelayUntil(timer.dueMs), () => this.#fire(timer));
  }

  #fire(timer: Timer): void {
    if (!this.#timers.has(timer)) return;
    if (this.#late !== undefined) {
      this.#late.push(timer);
      return;
    }
    this.#timers.delete(timer);
    this.#floorMs = Math.max(this.#floorMs, timer.dueMs);
    timer.run();
  }

  #setTurn(inMs: number): void {
    if (this.#isTurnSet) return;
    this.#isTurnSet = true;
    if (inMs === 0) this.#global.endOfTurn(this.#runTurn);
    else this.#global.after(inMs, this.#runTurn);
  }

  /** One at a time: promises run on in between, as they do between immediates. */
  readonly #runTurn = (): void => {
    this.#isTurnSet = false;
    if (this.#late !== undefined) return;
    const run = this.#turn.shift();
    if (run === undefined) return;
    run();
    if (this.#turn.length > 0) this.#setNext();
  };

  #setNext(): void {
    if (this.#isTurnSet) return;
    this.#isTurnSet = true;
    this.#global.after(0, this.#runTurn);
  }
}
