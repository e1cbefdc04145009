import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  explain,
  type NameAction,
  type NameOperation,
  TooTangledError,
} from "../../../src/sim/linearizable.ts";

const NEVER = Number.POSITIVE_INFINITY;
const at = (beganMs: number, endedMs: number, action: NameAction): NameOperation => ({
  beganMs,
  endedMs,
  ...action,
});
const registered = (token: number) => ({ kind: "registered", token }) as const;
const released = (token: number) => ({ kind: "released", token }) as const;
const found = (token: number) => ({ kind: "found", token }) as const;
const taken = (...tokens: readonly number[]) =>
  tokens.length === 0 ? ({ kind: "taken" } as const) : ({ kind: "taken", tokens } as const);
const free = { kind: "free" } as const;

describe("histories that have an order", () => {
  test.each<[string, readonly NameOperation[]]>([
    ["nothing at all", []],
    [
      "one after another",
      [at(0, 1, free), at(2, 3, registered(5)), at(4, 5, found(5)), at(6, 7, released(5)), at(8, 9, free)],
    ],
    [
      "a hand-over",
      [
        at(0, 1, registered(1)),
        at(2, 3, taken(1)),
        at(4, 5, released(1)),
        at(4.5, 6, registered(2)),
        at(7, 8, found(2)),
      ],
    ],
    [
      "a lookup that runs while it is registered may see either",
      [at(0, 10, registered(1)), at(2, 3, free), at(4, 5, found(1)), at(6, 7, found(1))],
    ],
    [
      "a lookup shows a holder whose registration has not returned",
      [at(0, 9, registered(1)), at(1, 2, found(1))],
    ],
    [
      "a lookup that began before a hand-over may still show the former one",
      [at(0, 1, registered(1)), at(2, 9, found(1)), at(3, 4, released(1)), at(5, 6, registered(2))],
    ],
    [
      "a registration that failed may have taken effect",
      [at(0, NEVER, registered(1)), at(5, 6, found(1)), at(7, NEVER, released(1)), at(8, 9, registered(2))],
    ],
    ["or may not", [at(0, NEVER, registered(1)), at(5, 6, free), at(8, 9, registered(2))]],
    [
      "a lease that ran out is shown until another has the name",
      [
        at(0, 1, registered(1)),
        at(2, NEVER, released(1)),
        at(50, 51, found(1)),
        at(60, 62, registered(2)),
        at(63, 64, found(2)),
      ],
    ],
    ["refused, by whomever", [at(0, 1, registered(1)), at(2, 3, taken())]],
    ["refused, by one that came and went", [at(2, 3, taken(2, 0))]],
    ["refused, by one of two", [at(0, 1, registered(1)), at(2, 3, taken(2, 1))]],
    [
      "refused while the other lets go",
      [at(0, 1, registered(1)), at(2, 4, released(1)), at(3, 5, taken(1)), at(6, 7, free)],
    ],
  ])("%s", (_what, history) => {
    expect(explain(history)).toBeUndefined();
    expect(explain([...history].reverse())).toBeUndefined();
  });
});

describe("histories that have none", () => {
  test.each<[string, readonly NameOperation[]]>([
    ["two hold it", [at(0, 1, registered(1)), at(2, 3, registered(2))]],
    ["two hold it, at the same moment", [at(0, 3, registered(1)), at(0, 3, registered(2))]],
    [
      "nobody is found although somebody holds it",
      [at(0, 1, registered(1)), at(2, 3, free), at(4, 5, released(1))],
    ],
    [
      "the former holder after the next",
      [at(0, 1, registered(1)), at(2, 3, released(1)), at(4, 5, registered(2)), at(6, 7, found(1))],
    ],
    [
      "the former holder after a lookup that showed the next",
      [
        at(0, 1, registered(1)),
        at(2, 3, released(1)),
        at(2, 20, registered(2)),
        at(4, 5, found(2)),
        at(6, 7, found(1)),
      ],
    ],
    ["a holder that never was", [at(0, 1, found(7))]],
    ["found before it was asked for", [at(0, 1, found(7)), at(2, 3, registered(7))]],
    ["found after it was released", [at(0, 1, registered(1)), at(2, 3, released(1)), at(4, 5, found(1))]],
    ["refused although it is free", [at(0, 1, registered(1)), at(2, 3, released(1)), at(4, 5, taken())]],
    ["refused for somebody who does not hold it", [at(0, 1, registered(1)), at(2, 3, taken(2))]],
    ["refused for one that came and went, while it was held", [at(0, 1, registered(1)), at(2, 3, taken(0))]],
    ["refused for one of two who do not", [at(0, 1, registered(1)), at(2, 3, taken(2, 3))]],
    ["released twice", [at(0, 1, registered(1)), at(2, 3, released(1)), at(4, 5, released(1))]],
    ["free again without a release", [at(0, 1, registered(1)), at(2, 3, found(1)), at(4, 5, free)]],
    [
      "a failed registration that came, went, and came again",
      [
        at(0, NEVER, registered(1)),
        at(1, 2, found(1)),
        at(3, 4, free),
        at(5, 6, found(1)),
        at(2, NEVER, released(1)),
      ],
    ],
  ])("%s", (_what, history) => {
    expect(explain(history)).toBeDefined();
    expect(explain([...history].reverse())).toBeDefined();
  });

  test("it is told how far an order could be found, and what does not fit", () => {
    const history = [at(0, 1, registered(1)), at(2, 3, found(1)), at(4, 5, found(9))];
    expect(explain(history)).toEqual({ explained: history.slice(0, 2), stuckAt: history.slice(2) });
  });
});

describe("histories at random", () => {
  /** Done one after another, each at a moment of its own, and then stretched around that moment. */
  const sound = fc
    .array(fc.tuple(fc.nat(3), fc.nat(8), fc.nat(8)), { minLength: 1, maxLength: 40 })
    .map((steps) => {
      let holder = 0;
      let last = 0;
      return steps.map(([choice, before, after], index): NameOperation => {
        const moment = index * 4 + 10;
        let action: NameAction = holder === 0 ? free : found(holder);
        if (choice === 0 && holder === 0) {
          last += 1;
          holder = last;
          action = registered(holder);
        } else if (choice === 1 && holder !== 0) {
          action = released(holder);
          holder = 0;
        } else if (choice === 2 && holder !== 0) {
          action = taken(holder);
        }
        return at(moment - before, moment + after, action);
      });
    });

  test("what was done in some order is found to have one, however much it overlaps", () => {
    fc.assert(
      fc.property(sound, (history) => explain(history) === undefined),
      { numRuns: 300 },
    );
  });

  test("it is judged as by trying all orders", () => {
    const action = fc.oneof(
      fc.constant(free),
      fc.integer({ min: 1, max: 2 }).map(registered),
      fc.integer({ min: 1, max: 2 }).map(released),
      fc.integer({ min: 1, max: 2 }).map(found),
    );
    const operation = fc.tuple(fc.nat(6), fc.nat(3), fc.boolean(), action);
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), (drawn) => {
        const history = drawn.map(([began, took, isOpen, each]) =>
          at(began, isOpen ? NEVER : began + took, each),
        );
        expect(explain(history) === undefined).toBe(hasOrder(history, 0));
      }),
      { numRuns: 1_000 },
    );
  });

  test("a history that is too tangled is not judged", () => {
    const many = Array.from({ length: 20 }, (_, token) => [
      at(0, 100, registered(token + 1)),
      at(0, 100, released(token + 1)),
    ]).flat();
    expect(() => explain([...many, at(200, 201, found(999))])).toThrow(TooTangledError);
  });
});

/** Every order, one after another. */
function hasOrder(open: readonly NameOperation[], holder: number): boolean {
  if (open.every(({ endedMs }) => endedMs === NEVER)) return true;
  return open.some((next) => {
    if (open.some((other) => other !== next && other.endedMs < next.beganMs)) return false;
    const rest = open.filter((other) => other !== next);
    const after = stateAfter(holder, next);
    return after !== undefined && hasOrder(rest, after);
  });
}

function stateAfter(holder: number, operation: NameOperation): number | undefined {
  if (operation.kind === "registered") return holder === 0 ? operation.token : undefined;
  if (operation.kind === "free") return holder === 0 ? 0 : undefined;
  if (operation.kind === "taken") return operation.tokens?.includes(holder) === true ? holder : undefined;
  if (holder !== operation.token) return undefined;
  return operation.kind === "released" ? 0 : holder;
}
