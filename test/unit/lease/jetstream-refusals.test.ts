import { expect, test } from "vitest";
import { SeededRandom } from "../../../src/kernel/random.ts";
import { VirtualClock } from "../../../src/kernel/virtual-clock.ts";
import { REFUSAL_MS } from "../../../src/lease/jetstream/limits.ts";
import { Refusals } from "../../../src/lease/jetstream/refusals.ts";

function setUp() {
  const clock = new VirtualClock();
  return { clock, refusals: new Refusals(clock, new SeededRandom("refusals")) };
}

test("who asks again as soon as it is refused does so a few times in a long election, and soon after it", () => {
  const { clock, refusals } = setUp();
  let refused = 0;
  const ask = (): void => {
    refused += 1;
    refusals.add(ask);
  };
  for (let each = 0; each < 10; each += 1) ask();
  clock.runUntil(REFUSAL_MS.first / 2 - 1);
  expect(refused).toBe(10);
  clock.runUntil(REFUSAL_MS.first);
  expect(refused).toBe(20);
  clock.runUntil(10_000);
  expect(refused / 10).toBeGreaterThanOrEqual(10_000 / REFUSAL_MS.last);
  expect(refused / 10).toBeLessThan(60);
  refusals.taken();
  const before = refused;
  clock.runUntil(10_000 + REFUSAL_MS.last + REFUSAL_MS.first);
  expect(refused).toBeGreaterThanOrEqual(before + 20);
});

test("nobody is told anything once it is stopped", () => {
  const { clock, refusals } = setUp();
  let told = 0;
  refusals.add(() => {
    told += 1;
  });
  refusals.stop();
  clock.runUntil(10_000);
  expect(told).toBe(0);
});
