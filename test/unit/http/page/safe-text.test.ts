import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeName, shortened, visible } from "../../../../src/http/page/safe-text.js";

describe("text from outside", () => {
  test.each([
    ["plain/name:1", "plain/name:1"],
    ["<img onerror=x>", "<img onerror=x>"],
    ["pay\u202elap", "pay\\u{202e}lap"],
    ["a\u200bb", "a\\u{200b}b"],
    ["a\u00a0b", "a\\u{a0}b"],
    ["a\nb\tc\0", "a\\u{a}b\\u{9}c\\u{0}"],
    ["\u3164", "\\u{3164}"],
    ["\u{e0041}", "\\u{e0041}"],
    ["a\ufe0f", "a\\u{fe0f}"],
    ["Zürich 東京 عمان", "Zürich 東京 عمان"],
    ["❤️ 👩‍💻 👍🏽", "❤️ 👩‍💻 👍🏽"],
  ])("%j is shown as it is, or what cannot be seen of it by number", (text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  test("has a beginning and an end where there is no room for all of it", () => {
    expect(shortened("0123456789", 10)).toBe("0123456789");
    expect(shortened("0123456789ab", 10)).toBe("012345…9ab");
  });

  test("stays well-formed wherever it is cut", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 60 }),
        fc.integer({ min: 5, max: 40 }),
        (text, most) => {
          const short = shortened(text, most);
          expect(short.length).toBeLessThanOrEqual(Math.max(most, 5));
          expect(short.isWellFormed()).toBe(true);
        },
      ),
    );
  });

  test("tells the name of a node by the id of it or of its process, also one with an at sign", () => {
    expect(nodeName("web-1@0mwqi6o6xhqrpxhn5/3")).toBe("web-1");
    expect(nodeName("a@b@0mwqi6o6xhqrpxhn5")).toBe("a@b");
    expect(nodeName("none")).toBe("none");
  });
});
