import { expect, test } from "vitest";
import { VisitorName } from "../../../../examples/phoenix-like-pubsub/visitor-name.ts";

test.each([
  ["Ann", "Ann"],
  ["  Ann \t\n B. ", "Ann B."],
  ["\u202eAnn\u2066", "Ann"],
  ["A\u200bn\u200dn\ufeff\u00ad", "Ann"],
  ["A\u0000n\u001b[1mn", "An[1mn"],
  ["\u3164Ann\u2800\u{e0041}", "Ann"],
  ["e\u0301", "\u00e9"],
  ["שרה", "שרה"],
  ["👩\u200d💻", "👩💻"],
  [`${"x".repeat(24)}\u200b`, "x".repeat(24)],
])("%j is the name %j", (given, name) => {
  expect(VisitorName.parse(given)).toBe(name);
});

test.each([
  ["", "something that can be seen"],
  ["\u200b\u2060\u3164", "something that can be seen"],
  ["\u2028", "something that can be seen"],
  ["x".repeat(25), "at most 24 characters"],
  ["\ud800", "well-formed text"],
  [7, ""],
])("%j is none", (given, why) => {
  expect(VisitorName.safeParse(given).error?.issues[0]?.message).toContain(why);
});
