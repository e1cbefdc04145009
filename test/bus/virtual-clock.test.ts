import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../src/kernel/virtual-clock.ts";

describe("VirtualClock", () => {
  test("fires timers in the order of time, then of setting, and never early", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ delay: fc.nat(50), cancel: fc.boolean() }), { maxLength: 200 }),
        (timers) => {
          const clock = new VirtualClock();
          const fired: { index: number; at: number }[] = [];
          const cancels = timers.map(({ delay }, index) =>
            clock.after(delay, () => fired.push({ index, at: clock.now().monotonicMs })),
          );
          timers.forEach(({ cancel }, index) => {
            if (cancel) cancels[index]?.();
          });
          expect(clock.pending).toBe(timers.filter(({ cancel }) => !cancel).length);
          clock.advanceBy(100);
          const expected = timers
            .map(({ delay, cancel }, index) => ({ index, at: delay, cancel }))
            .filter(({ cancel }) => !cancel)
            .sort((left, right) => left.at - right.at || left.index - right.index)
            .map(({ index, at }) => ({ index, at }));
          expect(fired).toEqual(expected);
          expect([clock.pending, clock.now().monotonicMs]).toEqual([0, 100]);
        },
      ),
    );
  });

  test("timers set and withdrawn by the million do not pile up", () => {
    const clock = new VirtualClock();
    let fired = 0;
    clock.after(5, () => {
      fired += 1;
    });
    for (let index = 0; index < 100_000; index += 1) clock.after(1_000_000, () => undefined)();
    expect(clock.pending).toBe(1);
    clock.advanceBy(10);
    expect(fired).toBe(1);
    expect(clock.nextAtMs).toBeUndefined();
  });

  test("the end of a turn comes after what runs and before any later timer, at the same time", () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.after(1, () => {
      clock.endOfTurn(() => {
        order.push(`end at ${clock.now().monotonicMs}`);
        clock.endOfTurn(() => order.push("end of the end"));
      });
      order.push("first");
    });
    clock.after(1, () => order.push("second"));
    clock.runUntil(5);
    expect(order).toEqual(["first", "end at 1", "end of the end", "second"]);
  });

  test("a step does not end before the turn that it began", () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.after(1, () => clock.endOfTurn(() => order.push("end")));
    clock.runNext();
    expect(order).toEqual(["end"]);
  });

  test("what is put at the end of a turn outside any timer runs at the next step", () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.endOfTurn(() => order.push("end"));
    clock.after(0, () => order.push("timer"));
    expect(clock.runNext()).toBe(true);
    expect(order).toEqual(["end"]);
    expect([clock.runNext(), clock.runNext()]).toEqual([true, false]);
    expect(order).toEqual(["end", "timer"]);
  });

  test("a timer set by a timer for no delay runs in the same instant, after those that wait", () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.after(3, () => clock.after(0, () => order.push(`inner at ${clock.now().monotonicMs}`)));
    clock.after(3, () => order.push("second"));
    clock.advanceBy(3);
    expect(order).toEqual(["second", "inner at 3"]);
  });

  test("a turn that feeds itself is reported as a broken rule, not a hang", () => {
    const clock = new VirtualClock();
    const again = (): void => clock.endOfTurn(again);
    clock.endOfTurn(again);
    expect(() => clock.runNext()).toThrow(/broken rule: a turn ends/);
  });

  test("the wall may be set to anything; the monotonic reading goes on", () => {
    const clock = new VirtualClock();
    clock.advanceBy(10);
    const { wallMs } = clock.now();
    clock.wallOffsetMs -= 3_600_000;
    clock.advanceBy(5);
    expect(clock.now()).toEqual({ monotonicMs: 15, wallMs: wallMs - 3_600_000 + 5 });
  });
});
