import { expect, test } from "vitest";
import { Patience } from "../../../src/lease/jetstream/patience.ts";

test("what was asked before nothing came back for too long is not answered, and what is asked afterwards is", () => {
  const patience = new Patience(2_000);
  for (const [number, nowMs] of [
    [1, 0],
    [2, 1_000],
    [3, 2_500],
  ] as const) {
    patience.asked(number, nowMs);
  }
  // Nobody had read anything of it meanwhile, so how long each of them took does not matter.
  expect(patience.isLate(1, 2_600)).toBe(true);
  patience.asked(4, 2_700);
  expect([patience.isLate(3, 2_710), patience.isLate(4, 2_720)]).toEqual([true, false]);
});

test("answers that go on coming may each take as long as they like", () => {
  const patience = new Patience(2_000);
  for (let number = 1; number <= 10; number += 1) patience.asked(number, 0);
  for (let number = 1; number <= 10; number += 1) expect(patience.isLate(number, number * 1_900)).toBe(false);
  patience.asked(11, 100_000);
  expect(patience.isLate(11, 100_001)).toBe(false);
});
