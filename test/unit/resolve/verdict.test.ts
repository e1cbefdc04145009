import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkVerdict, defaultVerdict } from "../../../src/resolve/verdict.ts";
import { clashOf } from "./clashes.ts";

const clash = clashOf(["a", "b"]);
const [older, newer] = clash.contenders.map((contender) => contender.pid);
const stranger = clashOf(["a", "b", "c"]).contenders[2]?.pid;

describe("what is a verdict", () => {
  test.each([
    ["keep and end the rest", { keep: newer, losers: "exit" }],
    ["keep and tell the rest", { keep: older, losers: "notify" }],
    ["keep with other metadata", { keep: older, meta: { merged: true }, losers: "exit" }],
    ["keep with metadata null", { keep: older, meta: null, losers: "exit" }],
    ["nobody, and tell all", { keep: "none", notify: true }],
    ["nobody, quietly", { keep: "none", notify: false }],
  ])("%s", (_title, verdict) => {
    expect(checkVerdict(verdict, clash)).toStrictEqual(verdict);
  });

  test("metadata of undefined counts as not given, and what is not known is left out", () => {
    const given = { keep: older, meta: undefined, losers: "exit", comment: "because" };
    expect(checkVerdict(given, clash)).toStrictEqual({ keep: older, losers: "exit" });
  });

  test("the answer is a copy: a change by the resolver afterwards shows nowhere", () => {
    const given = { keep: older, losers: "exit" };
    const checked = checkVerdict(given, clash);
    given.losers = "nonsense";
    expect(checked).toStrictEqual({ keep: older, losers: "exit" });
  });
});

describe("what is none", () => {
  test.each([
    ["nothing", undefined],
    ["null", null],
    ["a pid alone", older],
    ["a promise that was not awaited", Promise.resolve({ keep: older, losers: "exit" })],
    ["an empty object", {}],
    ["a pid that is no contender's", { keep: stranger, losers: "exit" }],
    ["no winner", { keep: undefined, losers: "exit" }],
    ["no word on the losers", { keep: older }],
    ["another word on the losers", { keep: older, losers: "kill" }],
    ["nobody without a word on notices", { keep: "none" }],
    ["nobody with another word on notices", { keep: "none", notify: "yes" }],
    ["a registration instead of its pid", { keep: clash.contenders[0], losers: "exit" }],
    ["an array", [older, "exit"]],
    ["a function", () => ({ keep: older, losers: "exit" })],
  ])("%s", (_title, value) => {
    expect(checkVerdict(value, clash)).toBeUndefined();
  });

  test("whatever throws when it is looked at", () => {
    const trap = (): never => {
      throw new Error("trap");
    };
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const hostile = [
      Object.defineProperty({ losers: "exit" }, "keep", { get: trap }),
      Object.defineProperty({ keep: older }, "losers", { get: trap }),
      Object.defineProperty({ keep: older, losers: "exit" }, "meta", { get: trap }),
      Object.defineProperty({ keep: "none" }, "notify", { get: trap }),
      new Proxy({}, { get: trap }),
      revoked.proxy,
    ];
    for (const value of hostile) expect(checkVerdict(value, clash)).toBeUndefined();
  });

  test("a getter that first shows a contender and then a stranger cannot slip the stranger through", () => {
    const shown = [older, stranger, stranger];
    const value = {
      losers: "exit",
      get keep() {
        return shown.shift();
      },
    };
    expect(checkVerdict(value, clash)).toStrictEqual({ keep: older, losers: "exit" });
  });

  test("any value: a verdict on this clash or undefined, never a throw", () => {
    const nearly = fc.record(
      {
        keep: fc.oneof(fc.constantFrom(older, newer, stranger, "none"), fc.anything()),
        losers: fc.oneof(fc.constantFrom("exit", "notify"), fc.anything()),
        notify: fc.oneof(fc.boolean(), fc.anything()),
        meta: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(nearly, fc.anything()), (value) => {
        const verdict = checkVerdict(value, clash);
        if (verdict === undefined) return;
        expect([older, newer, "none"]).toContain(verdict.keep);
        if ("notify" in verdict) expect(verdict.notify).toBeTypeOf("boolean");
        else expect(["exit", "notify"]).toContain(verdict.losers);
      }),
    );
  });
});

test("the default verdict keeps the oldest and ends the others", () => {
  expect(defaultVerdict(clash)).toStrictEqual({ keep: older, losers: "exit" });
});
