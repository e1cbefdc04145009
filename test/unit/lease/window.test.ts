import { expect, test } from "vitest";
import { BALLOTS_AT_ONCE } from "../../../src/lease/limits.ts";
import { BallotWindow, type Turn } from "../../../src/lease/quorum/window.ts";

test("a turn that is ended twice makes room for one more, not for two", () => {
  const window = new BallotWindow();
  let running = 0;
  const enter = (): Turn => window.enter(() => (running += 1), false);
  const turns = Array.from({ length: 2 * BALLOTS_AT_ONCE }, enter);
  window.admit();
  expect(running).toBe(BALLOTS_AT_ONCE);
  turns[0]?.end();
  turns[0]?.end();
  window.admit();
  expect(running).toBe(BALLOTS_AT_ONCE + 1);
  // One that has not begun makes no room at all.
  turns.at(-1)?.end();
  window.admit();
  expect(running).toBe(BALLOTS_AT_ONCE + 1);
});
