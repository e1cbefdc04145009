import { describe, expect, test } from "vitest";
import type { Timeline } from "../../../../examples/ap-and-cp/timeline.ts";
import { shortcomings } from "../../../../examples/ap-and-cp/verdict.ts";
import { AVAILABLE, STRICT } from "./cast.ts";

describe("the verdict on a round", () => {
  test("has nothing against one that went as it has to", () => {
    expect(shortcomings([AVAILABLE, STRICT])).toEqual([]);
  });

  const [east, west] = STRICT.holdings as [Timeline["holdings"][number], Timeline["holdings"][number]];
  test.each<[string, readonly Timeline[]]>([
    ["nothing was recorded of available names", [STRICT]],
    ["nothing was recorded of strict names", [AVAILABLE]],
    ["available names: two never ran at once", [{ ...AVAILABLE, holdings: STRICT.holdings }, STRICT]],
    [
      "available names: nobody ran in the west during the partition",
      [{ ...AVAILABLE, holdings: [{ ...east, toMs: 10_000 }] }, STRICT],
    ],
    ["available names: the resolver ran 0 times, not once", [{ ...AVAILABLE, decisions: [] }, STRICT]],
    [
      "available names: 2 ran at the end, not one",
      [{ ...AVAILABLE, holdings: AVAILABLE.holdings.map((each) => ({ ...each, toMs: 10_000 })) }, STRICT],
    ],
    [
      "strict names: two ran at once",
      [AVAILABLE, { ...STRICT, holdings: [{ ...east, toMs: west.fromMs + 0.001 }, west] }],
    ],
    ["strict names: nobody ran before the cut", [AVAILABLE, { ...STRICT, holdings: [west] }]],
    [
      "strict names: nobody ran in the west, which has the majority, during the partition",
      [AVAILABLE, { ...STRICT, holdings: [east, { ...west, fromMs: 6_000 }] }],
    ],
    [
      "strict names: the tokens do not rise: 1795259806252000, 1795259806252000",
      [AVAILABLE, { ...STRICT, holdings: [east, { ...west, token: east.token ?? "" }] }],
    ],
    ["strict names: nobody ran before the cut", [AVAILABLE, { ...STRICT, holdings: [] }]],
  ])("says: %s", (sentence, timelines) => {
    expect(shortcomings(timelines)).toContain(sentence);
  });
});
