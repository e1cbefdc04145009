import { expect, test } from "vitest";
import { comparison, numbered, stallNote, written } from "../../../../examples/ap-and-cp/story.ts";
import { AVAILABLE, STRICT } from "./cast.ts";

test.each([
  [0, "0 ms"],
  [0.04, "0.0 ms"],
  [0.46, "0.5 ms"],
  [36.3, "36 ms"],
  [999.6, "1,000 ms"],
  [5_053, "5,053 ms"],
  [1_234_567, "1,234,567 ms"],
])("%d milliseconds are written as %s", (ms, text) => {
  expect(written(ms)).toBe(text);
});

test("numbers in a row are told by the first and the last", () => {
  expect(numbered([3, 4, 5, 9, 11, 12])).toBe("numbers 3 to 5, 9, 11 to 12");
  expect(numbered([7])).toBe("number 7");
});

test("a program that stood still for longer than a piece of work is apart says so", () => {
  expect(stallNote([AVAILABLE, STRICT])).toBeUndefined();
  expect(stallNote([AVAILABLE, { ...STRICT, stallMs: 1_234 }])).toContain(
    "stood still for 1,234 ms at the worst",
  );
});

test("a round in which nobody else starts, and which is one before the heal, is told as such", () => {
  const [east] = AVAILABLE.holdings;
  if (east === undefined) throw new Error("there are two");
  const alone = comparison([{ ...AVAILABLE, holdings: [east] }]);
  expect(alone).toContainEqual(["from the cut to the next start", "nobody else starts"]);
  const early = comparison([{ ...AVAILABLE, healMs: 9_000 }]);
  expect(early).toContainEqual(["from the heal to one again", "it was one before"]);
});
