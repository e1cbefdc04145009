import { describe, expect, test } from "vitest";
import { Guard, type GuardEffect, type GuardInput } from "../../../src/cli/singleton/guard.ts";
import type { Now } from "../../../src/kernel/clock.ts";

const TIMES = { warnMs: 2_000, graceMs: 5_000, marginMs: 100 };
const WALL_MS = 1_700_000_000_000;

const at = (monotonicMs: number, wallMs = WALL_MS + monotonicMs): Now => ({ monotonicMs, wallMs });
const signal = (name: NodeJS.Signals): GuardEffect => ({ kind: "signal", signal: name });

/** A guard whose command has begun, with a deadline 10 s from its beginning, and everything it decided. */
function begun(times = TIMES): {
  step(input: GuardInput | GuardInput["kind"], now: Now): readonly GuardEffect[];
  guard: Guard;
} {
  const guard = new Guard(times, at(10_000));
  const step = (input: GuardInput | GuardInput["kind"], now: Now): readonly GuardEffect[] =>
    guard.step(typeof input === "string" ? ({ kind: input } as GuardInput) : input, now);
  expect(step("go", at(0))).toStrictEqual([{ kind: "open" }]);
  return { step, guard };
}

describe("a guard", () => {
  test("leaves a command alone whose deadline is far", () => {
    const { step, guard } = begun();
    expect(step("tick", at(7_999))).toStrictEqual([]);
    expect(guard.nextLookMs(at(7_999))).toBe(1);
  });

  test("asks it to end before the deadline, and kills it a margin before: once each", () => {
    const { step } = begun();
    expect(step("tick", at(8_000))).toStrictEqual([signal("SIGTERM")]);
    expect(step("tick", at(9_899))).toStrictEqual([]);
    expect(step("tick", at(9_900))).toStrictEqual([signal("SIGKILL")]);
    expect(step("tick", at(9_901))).toStrictEqual([]);
  });

  test("goes by the deadline told last, however late it was read", () => {
    const { step } = begun();
    expect(step({ kind: "deadline", deadline: at(15_000) }, at(12_000))).toStrictEqual([]);
    expect(step("tick", at(12_000))).toStrictEqual([]);
    expect(step("tick", at(14_900))).toStrictEqual([signal("SIGTERM"), signal("SIGKILL")]);
  });

  test("does not let it go on once it was asked to end, whatever is told then, but gives it its grace", () => {
    const { step } = begun();
    expect(step("tick", at(8_000))).toStrictEqual([signal("SIGTERM")]);
    step({ kind: "deadline", deadline: at(60_000) }, at(8_001));
    expect(step("tick", at(12_999))).toStrictEqual([]);
    expect(step("tick", at(13_000))).toStrictEqual([signal("SIGKILL")]);
  });

  test("asks when the name was lost, and kills after the grace, or before the deadline if that is sooner", () => {
    const early = begun();
    expect(early.step("lost", at(1_000))).toStrictEqual([signal("SIGTERM")]);
    expect(early.step("tick", at(5_999))).toStrictEqual([]);
    expect(early.step("tick", at(6_000))).toStrictEqual([signal("SIGKILL")]);
    const late = begun();
    expect(late.step("lost", at(7_000))).toStrictEqual([signal("SIGTERM")]);
    expect(late.step("tick", at(9_900))).toStrictEqual([signal("SIGKILL")]);
  });

  test("kills at the deadline by the calendar too: the monotonic clock stands still while a machine sleeps", () => {
    const { step } = begun();
    const woken = at(1_000, WALL_MS + 3_600_000);
    expect(step("tick", woken)).toStrictEqual([signal("SIGTERM"), signal("SIGKILL")]);
  });

  test("a calendar that was set back does not prolong it", () => {
    const { step } = begun();
    expect(step("tick", at(9_900, WALL_MS - 3_600_000))).toStrictEqual([
      signal("SIGTERM"),
      signal("SIGKILL"),
    ]);
  });

  test("looks at the calendar every quarter of a second, with nothing due", () => {
    expect(begun().guard.nextLookMs(at(0))).toBe(250);
  });

  test("kills at once when the runner is gone", () => {
    expect(begun().step("runnerGone", at(1))).toStrictEqual([signal("SIGKILL")]);
  });

  test("passes signals on", () => {
    expect(begun().step({ kind: "pass", signal: "SIGINT" }, at(1))).toStrictEqual([signal("SIGINT")]);
  });

  test("ends the rest of the group when the command has ended by itself, and reports that nothing was lost", () => {
    const { step, guard } = begun();
    expect(step({ kind: "ended", code: 3, signal: null }, at(1))).toStrictEqual([
      signal("SIGKILL"),
      { kind: "report", end: { code: 3, signal: null, isLost: false } },
    ]);
    expect(guard.isOver).toBe(true);
    expect(step("runnerGone", at(2))).toStrictEqual([]);
  });

  test.each<[string, GuardInput["kind"], number]>([
    ["the deadline", "tick", 8_000],
    ["a loss", "lost", 1],
  ])("reports that %s made it end, whatever its exit code", (_what, input, ms) => {
    const { step } = begun();
    step(input, at(ms));
    expect(step({ kind: "ended", code: 0, signal: null }, at(ms + 1))).toContainEqual({
      kind: "report",
      end: { code: 0, signal: null, isLost: true },
    });
  });

  test("does not begin a command whose name is about to be lost, or was", () => {
    const late = new Guard(TIMES, at(10_000));
    expect(late.step({ kind: "go" }, at(8_000))).toStrictEqual([]);
    expect(late.step({ kind: "tick" }, at(8_000))).toStrictEqual([signal("SIGTERM")]);
    const lost = new Guard(TIMES, at(10_000));
    lost.step({ kind: "lost" }, at(1));
    expect(lost.step({ kind: "go" }, at(2))).toStrictEqual([]);
  });

  test("takes its time to begin: what it was told first may be out of date by then", () => {
    const guard = new Guard(TIMES, at(10_000));
    expect(guard.step({ kind: "tick" }, at(11_000))).toStrictEqual([]);
    guard.step({ kind: "deadline", deadline: at(20_000) }, at(11_000));
    expect(guard.step({ kind: "go" }, at(11_000))).toStrictEqual([{ kind: "open" }]);
  });
});
