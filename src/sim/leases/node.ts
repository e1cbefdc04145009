import type { Cancel, Clock, Now } from "../../kernel/clock.ts";
import { QuorumMachine } from "../../lease/quorum/machine.ts";
import type { LeaseEffect, LeaseInput } from "../../lease/quorum/types.ts";
import type { LeaseSettings } from "../../lease/settings.ts";
import { LocalClock } from "../machine/local-clock.ts";
import type { LeaseFault } from "./plan.ts";

export interface SimLeaseNodeOptions {
  /** Who comes when it has crashed has the same. */
  readonly place: number;
  readonly owner: string;
  readonly clock: Clock;
  readonly servers: number;
  readonly settings: LeaseSettings;
  carryOut(node: SimLeaseNode, effect: LeaseEffect): void;
  stepped(node: SimLeaseNode): void;
  /** A fault has made a difference. */
  felt(kind: LeaseFault["kind"]): void;
}

const GRAIN_MS = 0.001;

/** One node of a simulated world, as far as leases go: the machine, its clock and its timer. */
export class SimLeaseNode {
  readonly owner: string;
  readonly place: number;
  readonly clock: LocalClock;
  readonly machine: QuorumMachine;
  readonly #options: SimLeaseNodeOptions;
  #inputs: LeaseInput[] = [];
  #isStepping = false;
  #pauses = 0;
  #sleptMs: number | undefined;
  #isAlive = true;
  #lastCommand = 0;
  #cancel: Cancel | undefined;

  constructor(options: SimLeaseNodeOptions) {
    this.owner = options.owner;
    this.place = options.place;
    this.#options = options;
    this.clock = new LocalClock(options.clock);
    this.machine = new QuorumMachine(options);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#pauses > 0;
  }

  /** Its clocks cannot be read. */
  get isSuspended(): boolean {
    return this.#sleptMs !== undefined;
  }

  /** Calendars tell whole milliseconds. */
  now(): Now {
    const { monotonicMs, wallMs } = this.clock.now();
    return { monotonicMs, wallMs: Math.floor(wallMs) };
  }

  nextCommand(): number {
    this.#lastCommand += 1;
    return this.#lastCommand;
  }

  feed(input: LeaseInput): void {
    if (!this.#isAlive) return;
    if (this.isPaused) this.#options.felt(this.isSuspended ? "suspend" : "pause");
    this.#inputs.push(input);
    this.#run();
  }

  /** The OS process stands still: nothing is read, no timer fires. Its clocks go on. */
  pause(): void {
    this.#pauses += 1;
  }

  resume(): void {
    this.#pauses -= 1;
    this.feed({ kind: "tick" });
  }

  /** The whole machine sleeps, and its monotonic clock with it. Nothing when it sleeps already, or its clock is not right. */
  suspend(): void {
    if (this.isSuspended || this.clock.isDrifting) return;
    this.#sleptMs = this.#options.clock.now().monotonicMs;
    this.clock.setRate(1e-9);
    this.pause();
  }

  /** The calendar, which a battery keeps going, is right again. */
  wake(): void {
    if (this.#sleptMs === undefined) return;
    this.clock.setRate(1);
    this.clock.stepWall(this.#options.clock.now().monotonicMs - this.#sleptMs);
    this.#sleptMs = undefined;
    this.resume();
  }

  crash(): void {
    this.#isAlive = false;
    this.#inputs = [];
    this.#cancel?.();
  }

  /** The rate of its clock has changed. */
  rearm(): void {
    this.#cancel?.();
    const { deadlineMs } = this.machine;
    if (deadlineMs === undefined || !this.#isAlive) return;
    // Less than a clock can tell would be no time at all, over and over.
    const delayMs = Math.max(GRAIN_MS, this.clock.globalDelayUntil(deadlineMs));
    this.#cancel = this.#options.clock.after(delayMs, () => this.feed({ kind: "tick" }));
  }

  #run(): void {
    if (this.#isStepping || this.isPaused) return;
    this.#isStepping = true;
    if (this.clock.isDrifting) this.#options.felt("drift");
    for (let input = this.#inputs.shift(); input !== undefined; input = this.#inputs.shift()) {
      for (const effect of this.machine.step(input, this.now())) this.#options.carryOut(this, effect);
      this.#options.stepped(this);
    }
    this.#isStepping = false;
    this.rearm();
  }
}
