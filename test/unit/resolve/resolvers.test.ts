import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pid } from "../../../src/kernel/ids.ts";
import {
  type ImmediateResolver,
  keepBy,
  keepNewest,
  keepOldest,
  notifyAll,
  randomExit,
  randomNotify,
} from "../../../src/resolve/resolvers.ts";
import type { Clash } from "../../../src/resolve/types.ts";
import { checkVerdict } from "../../../src/resolve/verdict.ts";
import { clashOf } from "./clashes.ts";

const three = clashOf(["a", "b", "c"]);
const [first, second, third] = three.contenders.map((contender) => contender.pid);

describe("which contender a built-in resolver keeps, and what becomes of the others", () => {
  test.each([
    ["keepOldest", keepOldest, { keep: first, losers: "exit" }],
    ["keepNewest", keepNewest, { keep: third, losers: "exit" }],
    ["notifyAll", notifyAll, { keep: "none", notify: true }],
    [
      "keepBy the highest score",
      keepBy(({ meta }) => (meta === "b" ? 2 : 1)),
      { keep: second, losers: "exit" },
    ],
    ["keepBy equal scores", keepBy(() => 7), { keep: first, losers: "exit" }],
    [
      "keepBy infinite scores",
      keepBy(({ meta }) => (meta === "c" ? Infinity : -Infinity)),
      { keep: third, losers: "exit" },
    ],
  ])("%s", (_title, resolver, verdict) => {
    expect(resolver(three)).toStrictEqual(verdict);
  });

  test("randomExit ends the losers and randomNotify lets them live, with the same winner", () => {
    expect(randomExit(three)).toMatchObject({ losers: "exit" });
    expect(randomNotify(three)).toMatchObject({ losers: "notify" });
    expect(keptBy(randomExit, three)).toBe(keptBy(randomNotify, three));
  });
});

describe("the random resolvers", () => {
  test("decide the same again, from an equal clash made elsewhere", () => {
    for (const { clash } of clashes(50)) {
      expect(keptBy(randomExit, structuredClone(clash))).toBe(keptBy(randomExit, clash));
    }
  });

  test("do not depend on the order in which the contenders are shown", () => {
    for (const { clash } of clashes(50)) {
      const reversed = { ...clash, contenders: clash.contenders.toReversed() };
      expect(keptBy(randomExit, reversed)).toBe(keptBy(randomExit, clash));
    }
  });

  test("favour nobody: over many names each of three contenders wins about a third", () => {
    const wins = [0, 0, 0];
    for (const { clash } of clashes(3_000)) {
      const winner = clash.contenders.findIndex(({ pid }) => pid === keptBy(randomExit, clash));
      wins[winner] = (wins[winner] ?? 0) + 1;
    }
    for (const count of wins) expect(count).toBeGreaterThan(900);
  });
});

describe("keepBy", () => {
  test.each([
    ["NaN", Number.NaN],
    ["text", "9"],
    ["a promise", Promise.resolve(1)],
    ["nothing", undefined],
  ])("fails on a score that is no number: %s", (_title, score) => {
    const resolver = keepBy(() => score as number);
    expect(() => resolver(three)).toThrow(/score is .*; it takes a number, for the contender n1@/);
  });

  test("lets the score's own error through", () => {
    const resolver = keepBy(({ meta }) => (meta as { version: { major: number } }).version.major);
    expect(() => resolver(three)).toThrow(TypeError);
  });
});

test("every verdict of a built-in resolver stands the check", () => {
  const resolvers = [
    keepOldest,
    keepNewest,
    randomExit,
    randomNotify,
    notifyAll,
    keepBy(({ pid }) => pid.length),
  ];
  fc.assert(
    fc.property(
      fc.array(fc.anything(), { minLength: 2, maxLength: 6 }),
      fc.string({ minLength: 1 }),
      (metas, name) => {
        const clash = clashOf(metas, name);
        for (const resolver of resolvers) {
          const verdict = resolver(clash);
          expect(checkVerdict(verdict, clash)).toStrictEqual(verdict);
        }
      },
    ),
  );
});

function keptBy(resolver: ImmediateResolver, clash: Clash): Pid | "none" {
  return resolver(clash).keep;
}

function clashes(count: number): { clash: Clash }[] {
  return Array.from({ length: count }, (_, index) => ({ clash: clashOf(["a", "b", "c"], `name-${index}`) }));
}
