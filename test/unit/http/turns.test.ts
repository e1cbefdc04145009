import { beforeEach, describe, expect, test } from "vitest";
import { type Stepper, Turns } from "../../../src/http/turns.ts";
import type { Clock } from "../../../src/kernel/clock.ts";

const CHUNK = 64 * 1024;

describe("streams that write", () => {
  let nowMs: number;
  let ends: (() => void)[];
  let turns: Turns;
  let steps: string[];

  beforeEach(() => {
    nowMs = 0;
    ends = [];
    steps = [];
    const clock: Partial<Clock> = {
      now: () => ({ monotonicMs: nowMs, wallMs: nowMs }),
      endOfTurn: (run) => ends.push(run),
    };
    turns = new Turns(clock as Clock);
  });

  const endTurn = () => {
    for (const run of ends.splice(0)) run();
  };
  const stepper = (name: string, count: number, chars = CHUNK, takesMs = 0): Stepper => {
    let left = count;
    return {
      step() {
        steps.push(name);
        nowMs += takesMs;
        left -= 1;
        return left >= 0 ? chars : 0;
      },
    };
  };

  test("write at once when there is room", () => {
    turns.ask(stepper("a", 2));
    expect(steps).toEqual(["a", "a", "a"]);
  });

  test("write no more than about a megabyte in one turn, together", () => {
    turns.ask(stepper("a", 1_000));
    turns.ask(stepper("b", 1_000));
    expect(steps.length).toBeLessThanOrEqual(16);
    endTurn();
    expect(steps.length).toBeGreaterThan(16);
    expect(steps.length).toBeLessThanOrEqual(32);
  });

  test("have their steps one after the other", () => {
    turns.ask(stepper("a", 1_000));
    for (const name of ["b", "c"]) turns.ask(stepper(name, 1_000));
    steps = [];
    endTurn();
    const counts = ["a", "b", "c"].map((name) => steps.filter((step) => step === name).length);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(Math.max(...counts) - 1);
  });

  test("stop when the turn takes long, however little they write", () => {
    for (let count = 0; count < 10; count += 1) turns.ask(stepper(`${count}`, 0, 0, 15));
    expect(steps).toEqual(["0", "1"]);
    endTurn();
    expect(steps).toEqual(["0", "1", "2", "3"]);
  });

  test("all come to their end, and the loop rests then", () => {
    for (const name of ["a", "b", "c"]) turns.ask(stepper(name, 50));
    for (let turn = 0; turn < 20; turn += 1) endTurn();
    expect(steps).toHaveLength(153);
    expect(ends).toEqual([]);
  });

  test("go on when one of them fails", () => {
    const bad: Stepper = {
      step() {
        throw new Error("no");
      },
    };
    expect(() => turns.ask(bad)).toThrow("no");
    turns.ask(stepper("a", 1));
    expect(steps).toEqual(["a", "a"]);
  });
});
