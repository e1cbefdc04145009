import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  BusClosedError,
  LimitExceededError,
  NodeDownError,
  TimeoutError,
} from "../../../src/kernel/errors.ts";
import { makeIncarnation, makeNodeId, makePid } from "../../../src/kernel/ids.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import { AbortListeners } from "../../../src/node/abort-listeners.ts";
import { Alarm } from "../../../src/node/alarm.ts";
import { Calls } from "../../../src/node/calls.ts";
import { Deadlines, type Due } from "../../../src/node/deadlines.ts";

const [a, b] = ["a", "b"].map((name) => makeNodeId(name, makeIncarnation(1_700_000_000_000, [1, 2]))) as [
  ReturnType<typeof makeNodeId>,
  ReturnType<typeof makeNodeId>,
];

class Entry implements Due {
  dueAtMs = 0;
  heapIndex = -1;
  readonly #onExpire: () => void;

  constructor(onExpire: () => void) {
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.#onExpire();
  }
}

describe("deadlines", () => {
  test("come in time for the others where one of them throws", () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    const expired: string[] = [];
    const fail = (): never => {
      throw new Error("a bug");
    };
    deadlines.add(new Entry(fail), 10);
    deadlines.add(new Entry(() => expired.push("due with it")), 10);
    deadlines.add(new Entry(() => expired.push("due later")), 20);
    expect(() => clock.advanceBy(10)).toThrow("a bug");
    clock.advanceBy(10);
    expect(expired).toEqual(["due with it", "due later"]);
  });

  test("each expires at its time and not before, once, unless it was withdrawn", () => {
    const delays = fc.array(fc.record({ delayMs: fc.nat(1_000), withdrawn: fc.boolean() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(delays, fc.array(fc.nat(59)), (plans, order) => {
        const clock = new VirtualClock();
        const deadlines = new Deadlines(clock);
        const expired: number[] = [];
        const entries = plans.map(({ delayMs }) => {
          const entry = new Entry(() => expired.push(clock.now().monotonicMs));
          deadlines.add(entry, delayMs);
          return entry;
        });
        const withdrawn = [...order, ...plans.keys()].filter((index) => plans[index]?.withdrawn === true);
        for (const index of withdrawn) deadlines.remove(entries[index] as Entry);
        clock.advanceBy(2_000);
        const expected = plans.filter((plan) => !plan.withdrawn).map((plan) => plan.delayMs);
        expect(expired).toEqual(expected.sort((left, right) => left - right));
        expect(deadlines.size).toBe(0);
        expect(clock.pending).toBe(0);
      }),
    );
  });

  test("one timer serves them all, and closing takes it away", () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    for (let delayMs = 1_000; delayMs > 0; delayMs -= 100) deadlines.add(new Entry(() => {}), delayMs);
    expect(clock.pending).toBe(1);
    deadlines.close();
    expect(clock.pending).toBe(0);
  });
});

describe("an alarm", () => {
  test("that rings late, because the event loop stood still, lets the sockets be read first", () => {
    const clock = new VirtualClock();
    const events: string[] = [];
    let nowMs = 0;
    const fires: (() => void)[] = [];
    const stalling = {
      now: () => ({ monotonicMs: nowMs, wallMs: 0 }),
      after: (_delayMs: number, run: () => void) => {
        fires.push(run);
        return () => {};
      },
      endOfTurn: (run: () => void) => clock.endOfTurn(run),
    };
    const alarm = new Alarm(stalling, () => events.push("ring"));
    alarm.set(100);
    nowMs = 3_100;
    fires[0]?.();
    expect(events).toEqual([]);
    clock.endOfTurn(() => events.push("sockets"));
    alarm.set(200);
    expect(fires).toHaveLength(1);
    clock.runUntil(0);
    expect(events).toEqual(["sockets", "ring"]);
    expect(alarm.worstLatenessMs).toBe(3_000);
  });

  test("moved earlier rings earlier; moved later does not ring early", () => {
    const clock = new VirtualClock();
    const rings: number[] = [];
    const alarm = new Alarm(clock, () => rings.push(clock.now().monotonicMs));
    alarm.set(100);
    alarm.set(50);
    clock.advanceBy(60);
    alarm.set(200);
    alarm.set(300);
    clock.advanceBy(1_000);
    alarm.set(undefined);
    clock.advanceBy(1_000);
    expect(rings).toEqual([50, 300]);
  });
});

describe("calls", () => {
  const setUp = (pendingCalls = 10) => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    return { clock, deadlines, calls: new Calls(deadlines, new AbortListeners(), pendingCalls) };
  };
  const wait = { operation: "call", timeoutMs: 100 };

  test("are answered by the node that was called, once", async () => {
    const { calls, clock } = setUp();
    const call = calls.begin(makePid(a, 1), wait);
    expect(calls.find(b, call.id)).toBeUndefined();
    expect(calls.find(a, call.id + 1)).toBeUndefined();
    calls.find(a, call.id)?.resolve(5);
    expect(calls.find(a, call.id)).toBeUndefined();
    expect(await call.promise).toBe(5);
    expect([calls.size, clock.pending]).toEqual([0, 1]);
    clock.advanceBy(100);
    expect(clock.pending).toBe(0);
  });

  test("end with their time, their signal, their node, or this node", async () => {
    const { calls, clock } = setUp();
    const controller = new AbortController();
    const late = calls.begin(makePid(a, 1), wait).promise;
    const aborted = calls.begin(makePid(a, 1), { ...wait, signal: controller.signal }).promise;
    const down = calls.begin(makePid(b, 1), wait).promise;
    controller.abort(new Error("changed my mind"));
    await expect(aborted).rejects.toThrow("changed my mind");
    calls.nodeDown(b);
    await expect(down).rejects.toThrow(NodeDownError);
    clock.advanceBy(99);
    expect(calls.size).toBe(1);
    clock.advanceBy(1);
    await expect(late).rejects.toThrow(TimeoutError);
    await expect(late).rejects.toThrow(`call to ${makePid(a, 1)} took longer than 100 ms`);
    const left = calls.begin(makePid(b, 1), wait).promise;
    calls.close(new BusClosedError());
    await expect(left).rejects.toThrow(BusClosedError);
    expect(() => calls.begin(makePid(b, 1), wait)).toThrow(BusClosedError);
    expect(calls.size).toBe(0);
  });

  test("are bounded", () => {
    const { calls } = setUp(2);
    calls.begin(makePid(a, 1), wait);
    calls.begin(makePid(a, 1), wait);
    expect(() => calls.begin(makePid(a, 1), wait)).toThrow(LimitExceededError);
    expect(() =>
      setUp().calls.begin(makePid(a, 1), { ...wait, signal: AbortSignal.abort(new Error("early")) }),
    ).toThrow("early");
  });
});

test("many who share a signal stand behind one listener, and each is told or leaves", () => {
  const aborts = new AbortListeners();
  const controller = new AbortController();
  const listeners = new Set<unknown>();
  const { signal } = controller;
  const spied = new Proxy(signal, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]) => {
        if (key === "addEventListener") listeners.add(given[1]);
        if (key === "removeEventListener") listeners.delete(given[1]);
        return Reflect.apply(value, target, given);
      };
    },
  });
  const told: number[] = [];
  const callbacks = Array.from({ length: 100 }, (_, index) => () => void told.push(index));
  for (const callback of callbacks) aborts.add(spied, callback);
  expect(listeners.size).toBe(1);
  for (const callback of callbacks) aborts.remove(spied, callback);
  expect(listeners.size).toBe(0);
  for (const callback of callbacks.slice(0, 3)) aborts.add(spied, callback);
  aborts.remove(spied, callbacks[1] as () => void);
  controller.abort();
  expect(told).toEqual([0, 2]);
});
