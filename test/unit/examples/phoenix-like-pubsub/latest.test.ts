import { expect, test } from "vitest";

/** It is the page's, which has no types. */
const PAGE = new URL("../../../../examples/phoenix-like-pubsub/page/latest.js", import.meta.url);
const { latest } = (await import(PAGE.href)) as { latest(metas: readonly Meta[]): Meta };

interface Meta {
  readonly revision: number;
  readonly phx_ref: string;
}

test("of a visitor's metas that of the highest revision counts, wherever it stands", () => {
  const [first, second, third] = [
    { revision: 9, phx_ref: "z" },
    { revision: 10, phx_ref: "a" },
    { revision: 2, phx_ref: "m" },
  ];
  expect(latest([first, second, third])).toBe(second);
  expect(latest([second, third, first])).toBe(second);
  expect(latest([third, first, second])).toBe(second);
  expect(latest([third])).toBe(third);
});

test("of two of one revision all pages choose the same", () => {
  const [left, right] = [
    { revision: 3, phx_ref: "a" },
    { revision: 3, phx_ref: "b" },
  ];
  expect(latest([left, right])).toBe(latest([right, left]));
});
