import type { Clock } from "../kernel/clock.ts";
import { Alarm } from "./alarm.ts";
import type { NodeEffect, NodeInput, NodeMachinePort } from "./machine-types.ts";

/**
 * Feeds the machine, one input at a time, and has the effects of each carried out before the next. Inputs that come up
 * meanwhile stand in line. Code of users never runs in between: it is put off until the line is empty, and so finds that what
 * it does takes effect at once.
 */
export class Pump {
  readonly #machine: NodeMachinePort;
  readonly #clock: Clock;
  readonly #carryOut: (effect: NodeEffect) => void;
  readonly #onBug: (error: unknown, input: NodeInput) => void;
  readonly #alarm: Alarm;
  #inputs: NodeInput[] = [];
  #afterwards: (() => void)[] = [];
  #steps = 0;
  #running = false;
  #closed = false;

  /** @param onBug told of what no input should be able to bring about; the node goes on with what is next */
  constructor(
    machine: NodeMachinePort,
    clock: Clock,
    carryOut: (effect: NodeEffect) => void,
    onBug: (error: unknown, input: NodeInput) => void,
  ) {
    this.#machine = machine;
    this.#clock = clock;
    this.#carryOut = carryOut;
    this.#onBug = onBug;
    this.#alarm = new Alarm(clock, () => this.feed({ kind: "tick" }));
  }

  /** How many steps the machine has made: as long as it stays the same, so do the tables. */
  get steps(): number {
    return this.#steps;
  }

  /** How late a timer has been, at worst. */
  get worstLatenessMs(): number {
    return this.#alarm.worstLatenessMs;
  }

  feed(input: NodeInput): void {
    if (this.#closed) return;
    this.#inputs.push(input);
    if (!this.#running) this.#run();
  }

  /** Runs something of the user's: now, or when the inputs that are in line are done with. It must not throw. */
  afterwards(run: () => void): void {
    this.#afterwards.push(run);
    if (!this.#running) this.#runAfterwards();
  }

  /** Feeds nothing any more. What was put off still runs. */
  close(): void {
    this.#closed = true;
    this.#inputs = [];
    this.#alarm.close();
  }

  #run(): void {
    this.#running = true;
    for (let input = this.#inputs.shift(); input !== undefined; input = this.#inputs.shift())
      this.#step(input);
    this.#running = false;
    if (!this.#closed) this.#alarm.set(this.#machine.deadlineMs);
    this.#runAfterwards();
  }

  #step(input: NodeInput): void {
    this.#steps += 1;
    let effects: readonly NodeEffect[];
    try {
      effects = this.#machine.step(input, this.#clock.now());
    } catch (error) {
      this.#onBug(error, input);
      return;
    }
    for (const effect of effects) {
      try {
        this.#carryOut(effect);
      } catch (error) {
        this.#onBug(error, input);
      }
    }
  }

  #runAfterwards(): void {
    // What these put off in turn is run by the call that they make.
    const afterwards = this.#afterwards;
    if (afterwards.length === 0) return;
    this.#afterwards = [];
    for (const run of afterwards) run();
  }
}
