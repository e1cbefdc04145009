import { describe, expect, test } from "vitest";
import { checkLimits, DEFAULT_LIMITS } from "../../../../../examples/phoenix-like-pubsub/channels/limits.ts";
import {
  type CheckOrigin,
  originCheck,
} from "../../../../../examples/phoenix-like-pubsub/channels/origin.ts";
import {
  paramsOf,
  speaksVersion,
  targetOf,
  tokenOfProtocols,
} from "../../../../../examples/phoenix-like-pubsub/channels/request.ts";
import { Routes } from "../../../../../examples/phoenix-like-pubsub/channels/routes.ts";
import { InvalidArgumentError } from "../../../../../src/index.ts";

describe("routes", () => {
  test("of several that match the one that says most counts", () => {
    const routes = new Routes({ "*": 1, "room:*": 2, "room:staff:*": 3, "room:lobby": 4 });
    expect(
      ["x", "room:1", "room:staff:1", "room:lobby", "room:lobby2"].map((topic) => routes.find(topic)),
    ).toEqual([1, 2, 3, 4, 2]);
  });

  test("match no topic that is too long, empty, not well formed, or that of heartbeats", () => {
    const routes = new Routes({ "*": 1 });
    expect(routes.find("ä".repeat(127))).toBe(1);
    expect(routes.find("__proto__")).toBe(1);
    for (const topic of ["ä".repeat(128), "", "\udc00", "phoenix"])
      expect(routes.find(topic)).toBeUndefined();
    expect(new Routes({ room: 1 }).find("__proto__")).toBeUndefined();
  });

  test.each(["", "a*b", "**", "phoenix", "x".repeat(256)])("may not be %j", (pattern) => {
    expect(() => new Routes({ [pattern]: 1 })).toThrow(InvalidArgumentError);
  });
});

describe("origins", () => {
  const HOST = "shop.example:8080";

  test.each<[CheckOrigin, string | undefined, boolean]>([
    [true, undefined, true],
    [true, "http://shop.example:8080", true],
    [true, "https://SHOP.example:8080", true],
    [true, "http://shop.example", false],
    [true, "http://shop.example:8080.evil.example", false],
    [true, "null", false],
    [true, "", false],
    [false, "https://evil.example", true],
    [["https://a.example"], "https://a.example", true],
    [["https://a.example"], "http://a.example", false],
    [["https://a.example"], "https://a.example:444", false],
    [["https://a.example"], "https://b.a.example", false],
    [["//a.example"], "http://a.example", true],
    [["//a.example"], "no origin", false],
    [["//a.example:81"], "http://a.example:81", true],
    [["//*.a.example"], "https://b.c.a.example", true],
    [["//*.a.example"], "https://a.example", false],
    [["//*.a.example"], "https://evila.example", false],
    [["https://b.example", "//a.example"], "http://a.example", true],
    [(origin) => origin === "x", "x", true],
    [(origin) => origin === "x", "y", false],
    [() => false, undefined, true],
  ])("checked by %j: %s is let in: %s", (check, origin, isAllowed) => {
    expect(originCheck(check)(origin, HOST)).toBe(isAllowed);
  });

  test.each(["null", "", "file:///page", "http://shop.example"])(
    "are not those of a request that names no host: %j",
    (origin) => {
      for (const host of [undefined, ""]) expect(originCheck(true)(origin, host)).toBe(false);
    },
  );

  test.each(["", "a.example", "https://", "https://a.example/path", "https://*", "https://a.*.b"])(
    "may not be %j",
    (origin) => {
      expect(() => originCheck([origin])).toThrow(InvalidArgumentError);
    },
  );
});

describe("requests", () => {
  const params = (query: string) => paramsOf(new URLSearchParams(query), new Set(["vsn"]));

  test("have parameters, nested ones too, without what is the protocol's own", () => {
    expect(params("a=1&b%5Bc%5D=2&b[d][e]=3&vsn=2.0.0&a=4&empty=")).toEqual({
      a: "4",
      b: { c: "2", d: { e: "3" } },
      empty: "",
    });
    expect(params("[x]=1&y[=2&z]=3")).toEqual({ "[x]": "1", "y[": "2", "z]": "3" });
    expect(params("a=1&a[b]=2")).toEqual({ a: { b: "2" } });
  });

  test("have parameters that do no harm, whatever they are called", () => {
    const given = params("__proto__[admin]=1&constructor[prototype][admin]=1&__proto__=x");
    expect(Object.getPrototypeOf(given)).toBe(Object.prototype);
    expect(Object.keys(given)).toEqual(["__proto__", "constructor"]);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
    expect(params(`a${"[b]".repeat(3_000)}=1&c=2`)).toEqual({ c: "2" });
  });

  test("are for a path, whatever else is in their first line", () => {
    const paths = ["/a/b", "/\\a:99999/?x", "//a:99999/b?", "*", "?", "http://[", "/%", "/a?b?c=1"];
    expect(paths.map((url) => targetOf({ url }).path)).toEqual([
      "/a/b",
      "/\\a:99999/",
      "//a:99999/b",
      "*",
      "",
      "http://[",
      "/%",
      "/a",
    ]);
    expect([...targetOf({ url: "/a?b=%&%5=1&c=%ff" }).query]).toHaveLength(3);
    expect(targetOf({}).path).toBe("/");
  });

  test("name the version that they speak", () => {
    const speaks = (query: string) => speaksVersion(new URLSearchParams(query));
    expect(["?vsn=2.0.0", "?vsn=2.1.3"].map(speaks)).toEqual([true, true]);
    for (const query of ["", "?vsn=", "?vsn=1.0.0", "?vsn=3.0.0", "?vsn=2", "?vsn=2.0.0x", "?vsn=12.0.0"])
      expect(speaks(query)).toBe(false);
  });

  test("may have a token among their protocols", () => {
    const offer = (token: string) => `phoenix, base64url.bearer.phx.${btoa(token).replaceAll("=", "")}`;
    for (const token of ["a", "ab", "abc", "x?>~é", ""]) expect(tokenOfProtocols(offer(token))).toBe(token);
    expect(tokenOfProtocols("phoenix")).toBeUndefined();
    expect(tokenOfProtocols(undefined)).toBeUndefined();
  });
});

describe("limits", () => {
  test("are as they are by default, but for those that are given", () => {
    expect(checkLimits({ channels: 7 })).toEqual({ ...DEFAULT_LIMITS, channels: 7 });
    expect(checkLimits()).toEqual(DEFAULT_LIMITS);
  });

  test.each([
    { chanels: 1 },
    { channels: 0 },
    { outboundBytes: 8_191 },
    { channels: 1.5 },
    { idleMs: 2 ** 31 },
    { idleMs: Number.NaN },
  ])("may not be %j", (limits) => {
    expect(() => checkLimits(limits)).toThrow(InvalidArgumentError);
  });
});
