import { describe, expect, test } from "vitest";
import { jsonDocument, shownJson, shownText, shownValue } from "../../../src/cli/shown.ts";

describe("what reaches a terminal", () => {
  test.each<[string, string]>([
    ["plain, ünïcode 👍", "plain, ünïcode 👍"],
    ["a\u001b[2Jb", "a\\u001b[2Jb"],
    ["two\r\nlines", "two\\u000d\\u000alines"],
    ["\u009b31m", "\\u009b31m"],
    ["a\u202eb", "a\\u202eb"],
    ["a\u2028b", "a\\u2028b"],
  ])("of %j is %j", (text, shown) => {
    expect(shownText(text)).toBe(shown);
    expect(JSON.parse(shownJson(text))).toBe(text);
  });

  test("is one line for each value, texts as they are", () => {
    expect(shownValue("hello")).toBe("hello");
    expect(shownValue({ a: "x\ny" })).toBe('{"a":"x\\ny"}');
    expect(shownValue(undefined)).toBe("null");
  });

  test("has everything that a message can hold, as JSON has it", () => {
    const circle: unknown[] = [];
    circle.push(circle);
    const value = {
      big: 12345678901234567890n,
      map: new Map([["__proto__", 1]]),
      pairs: new Map([[{ a: 1 }, 2]]),
      set: new Set([1]),
      date: new Date(0),
      bytes: new Uint8Array([1, 2, 3]).subarray(1),
      error: Object.assign(new TypeError("no"), { code: "E" }),
      circle,
      nothing: undefined,
    };
    expect(JSON.parse(jsonDocument(value))).toStrictEqual({
      big: "12345678901234567890",
      map: JSON.parse('{"__proto__":1}'),
      pairs: [[{ a: 1 }, 2]],
      set: [1],
      date: "1970-01-01T00:00:00.000Z",
      bytes: "AgM=",
      error: { name: "TypeError", message: "no", code: "E" },
      circle: ["(circular)"],
    });
  });

  test("does not repeat without end what a value shares", () => {
    let value: unknown = ["x"];
    for (let count = 0; count < 18; count += 1) value = [value, value];
    const shown = shownJson(value);
    expect(shown).toContain("(large)");
    expect(shown.length).toBeLessThan(3_000_000);
    const zone = { zone: "a" };
    expect(JSON.parse(shownJson([zone, zone]))).toEqual([zone, zone]);
  });
});
