import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/kernel/clock.ts";
import { type Budget, type Runnable, RunQueue } from "../../../src/node/run-queue.ts";

/** A clock that work moves on, as it does a real one. */
class WorkClock implements Clock {
  ms = 0;
  looks = 0;

  now() {
    this.looks += 1;
    return { monotonicMs: this.ms, wallMs: this.ms };
  }

  after(): never {
    throw new Error("a run sets no timer");
  }

  endOfTurn(): never {
    throw new Error("a run does not end a turn");
  }
}

/** A process with a mailbox full of messages that each take so long. */
class Worker implements Runnable {
  queued = false;
  handled = 0;
  readonly #clock: WorkClock;
  readonly #msPerMessage: (message: number) => number;
  readonly #messages: number;

  constructor(clock: WorkClock, messages: number, msPerMessage: (message: number) => number) {
    this.#clock = clock;
    this.#messages = messages;
    this.#msPerMessage = msPerMessage;
  }

  runSome(budget: Budget): boolean {
    for (let run = 0; run < 64 && this.handled < this.#messages; run += 1) {
      if (!budget.take()) break;
      this.#clock.ms += this.#msPerMessage(this.handled);
      this.handled += 1;
    }
    return this.handled < this.#messages;
  }
}

describe("how long handlers keep the event loop", () => {
  /** How long each run took, until there is nothing more to do. */
  function runAll(...loads: readonly [messages: number, msPerMessage: (message: number) => number][]) {
    const clock = new WorkClock();
    let runs = 0;
    const queue = new RunQueue(clock, () => {
      runs += 1;
    });
    const workers = loads.map(([messages, ms]) => new Worker(clock, messages, ms));
    for (const worker of workers) queue.add(worker);
    const took: number[] = [];
    for (let done = 0; done < runs; done += 1) {
      const beganAtMs = clock.ms;
      queue.endTurn();
      took.push(clock.ms - beganAtMs);
    }
    loads.forEach(([messages], index) => {
      expect(workers[index]?.handled).toBe(messages);
    });
    return { took, looks: clock.looks };
  }

  test("one message that takes longer than a run may is the only one of its run", () => {
    expect(runAll([5, () => 200]).took).toEqual([200, 200, 200, 200, 200]);
  });

  test.each([1, 3, 15])("messages of %i ms are stopped soon after the run's time", (ms) => {
    for (const took of runAll([200, () => ms]).took) expect(took).toBeLessThan(20 + 2 * ms);
  });

  test("slow messages behind fast ones, of the same process or another, do not add up to a stall", () => {
    const mixed = runAll([1_000, (message) => (message < 500 ? 0.001 : 200)]);
    const apart = runAll([640, () => 0.001], [100, () => 200]);
    expect(Math.max(...mixed.took, ...apart.took)).toBeLessThan(2_000);
  });

  test("fast messages cost few looks at the clock", () => {
    const { looks, took } = runAll([10_000, () => 0.001]);
    expect(looks).toBeLessThan(10_000 / 7);
    expect(took.length).toBe(1);
  });

  test("slow messages that arrive one by one in a turn do not add up to a stall", () => {
    const clock = new WorkClock();
    let ends = 0;
    const queue = new RunQueue(clock, () => {
      ends += 1;
    });
    const workers = Array.from({ length: 60 }, () => new Worker(clock, 1, () => 200));
    for (const worker of workers) {
      queue.add(worker);
      queue.runAtOnce();
    }
    expect(clock.ms).toBeGreaterThanOrEqual(200);
    expect(clock.ms).toBeLessThan(1_000);
    for (let done = 0; done < ends; done += 1) {
      const beganAtMs = clock.ms;
      queue.endTurn();
      expect(clock.ms - beganAtMs).toBeLessThan(1_000);
    }
    expect(workers.filter(({ handled }) => handled === 1).length).toBe(60);
    const late = new Worker(clock, 1, () => 200);
    queue.add(late);
    queue.runAtOnce();
    expect(late.handled).toBe(1);
  });
});
