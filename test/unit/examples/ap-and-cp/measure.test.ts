import { array, assert, integer, nat, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { measure, type Span, totalMs } from "../../../../examples/ap-and-cp/measure.ts";
import { AVAILABLE, STRICT } from "./cast.ts";

describe("what is measured of a timeline", () => {
  test("when two ran, and which work was done twice", () => {
    const { overlaps, gaps, twice, missed, due } = measure(AVAILABLE);
    expect(overlaps).toEqual([{ fromMs: 4_000, toMs: 6_500 }]);
    expect(gaps).toEqual([]);
    expect([twice, missed, due]).toEqual([[5, 6], [], 8]);
  });

  test("when nobody ran, and which work was not done", () => {
    const { overlaps, gaps, twice, missed, due } = measure(STRICT);
    expect(overlaps).toEqual([]);
    expect(gaps).toEqual([{ fromMs: 3_980, toMs: 4_020 }]);
    expect([twice, missed, due]).toEqual([[], [4], 8]);
  });

  test("that a third one runs beside two for a while is one time of two at once, not three", () => {
    const third = { node: "west-1", fromMs: 5_000, toMs: 6_000, end: "normal" };
    const { overlaps } = measure({ ...AVAILABLE, holdings: [...AVAILABLE.holdings, third] });
    expect(overlaps).toEqual([{ fromMs: 4_000, toMs: 6_500 }]);
  });

  test("that one starts when the other stops is neither two nor nobody", () => {
    const holdings = [
      { node: "a", fromMs: 0, toMs: 5_000, end: "leaseLost" },
      { node: "b", fromMs: 5_000, toMs: 10_000, end: "stillRunning" },
    ];
    expect(measure({ ...STRICT, holdings })).toMatchObject({ overlaps: [], gaps: [] });
  });

  test("nobody after the last has stopped, until the end of the round", () => {
    const holdings = [{ node: "a", fromMs: 1_000, toMs: 5_000, end: "leaseLost" }];
    expect(measure({ ...STRICT, holdings }).gaps).toEqual([{ fromMs: 5_000, toMs: 10_000 }]);
  });

  test("nothing, where nothing was written down", () => {
    const nothing = { overlaps: [], gaps: [], twice: [], missed: [], due: 0 };
    expect(measure({ ...STRICT, holdings: [], ticks: [] })).toEqual(nothing);
  });

  test("at every instant it is two, one or nobody, as counted one by one", () => {
    const holding = record({ fromMs: nat(40), lastsMs: integer({ min: 1, max: 20 }) });
    assert(
      property(array(holding, { maxLength: 6 }), (drawn) => {
        const endMs = 61;
        const holdings = drawn.map(({ fromMs, lastsMs }) => {
          return { node: "a", fromMs, toMs: fromMs + lastsMs, end: "normal" };
        });
        const { overlaps, gaps } = measure({ ...STRICT, holdings, endMs });
        const firstMs = Math.min(endMs, ...holdings.map(({ fromMs }) => fromMs));
        for (let atMs = firstMs + 0.5; atMs < endMs; atMs += 1) {
          const running = holdings.filter((span) => isIn(span, atMs)).length;
          expect([overlaps.some((span) => isIn(span, atMs)), gaps.some((span) => isIn(span, atMs))]).toEqual([
            running >= 2,
            running === 0,
          ]);
        }
        expect(totalMs(overlaps) + totalMs(gaps)).toBeLessThanOrEqual(endMs - firstMs);
      }),
    );
  });
});

function isIn({ fromMs, toMs }: Span, atMs: number): boolean {
  return fromMs <= atMs && atMs < toMs;
}
