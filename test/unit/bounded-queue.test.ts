import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BoundedQueue } from "../../src/kernel/bounded-queue.ts";
import { InvariantError } from "../../src/kernel/errors.ts";

function queueOf(items: number): BoundedQueue<number> {
  return new BoundedQueue<number>({ name: "mailbox", items });
}

describe("a bounded queue", () => {
  test("gives items back in the order in which it took them, whatever the mix of steps", () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.integer({ min: 1, max: 40 }).map((count) => ({ kind: "push" as const, count })),
      },
      {
        weight: 6,
        arbitrary: fc.integer({ min: 1, max: 40 }).map((count) => ({ kind: "shift" as const, count })),
      },
      { weight: 1, arbitrary: fc.constant({ kind: "clear" as const, count: 1 }) },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
        const queue = queueOf(capacity);
        let model: number[] = [];
        let next = 0;
        for (const { kind, count } of steps) {
          for (let time = 0; time < count; time += 1) {
            if (kind === "push") {
              const room = model.length < capacity;
              expect(queue.push(next)).toBe(room);
              if (room) model.push(next);
              next += 1;
            } else if (kind === "shift") {
              expect(queue.peek()).toBe(model[0]);
              expect(queue.shift()).toBe(model.shift());
            } else {
              queue.clear();
              model = [];
            }
            expect(queue.length).toBe(model.length);
          }
        }
      }),
    );
  });

  test("refuses what is over its limit, which it can name, and takes again once there is room", () => {
    const queue = queueOf(2);
    expect([queue.push(1), queue.push(2), queue.push(3)]).toEqual([true, true, false]);
    expect(queue.limit).toBe("mailbox");
    expect(queue.shift()).toBe(1);
    expect(queue.push(4)).toBe(true);
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([2, 4, undefined]);
  });

  test("takes a limit of one item at least", () => {
    expect(() => queueOf(0)).toThrow(InvariantError);
    expect(() => queueOf(1.5)).toThrow(InvariantError);
  });

  test("holds on to nothing that was taken out", async () => {
    const queue = new BoundedQueue<object>({ name: "mailbox", items: 10 });
    queue.push({ oldest: true });
    queue.push({ oldest: false });
    const taken = new WeakRef(queue.peek() ?? {});
    queue.shift();
    // A WeakRef holds its target until the end of the turn.
    await nextTurn();
    collectGarbage();
    expect(taken.deref()).toBeUndefined();
    expect(queue.length).toBe(1);
  });

  test("gives the room of a burst back as it drains", () => {
    const burst = 500_000;
    const queue = new BoundedQueue<object>({ name: "mailbox", items: burst });
    const item = {};
    for (let index = 0; index < burst; index += 1) queue.push(item);
    const full = heapUsed();
    while (queue.length > 10) queue.shift();
    const roomForOne = 8;
    expect(full - heapUsed()).toBeGreaterThan(burst * roomForOne * 0.9);
    expect(queue.length).toBe(10);
  });
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
