import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Access, type AccessScope, parseTokens } from "../../../src/http/access.ts";
import { Buckets } from "../../../src/http/buckets.ts";
import { toJson } from "../../../src/http/json.ts";
import { parseServiceOptions } from "../../../src/http/options.ts";
import { pageOf } from "../../../src/http/page.ts";
import { problemOf, ServiceError } from "../../../src/http/problem.ts";
import type { Pid } from "../../../src/index.ts";
import { InvalidArgumentError, LimitExceededError, NameTakenError } from "../../../src/index.ts";

const READ = "read-token-0123456789";
const WRITE = "write-token-0123456789";
const ADMIN = "admin-token-0123456789";
const TOKENS = parseTokens(`read=${READ},write=${WRITE},admin=${ADMIN}`);

describe("who may do what", () => {
  const check = (
    needed: AccessScope,
    {
      tokens = TOKENS,
      isLoopback = true,
      ...given
    }: Partial<{
      tokens: typeof TOKENS;
      isLoopback: boolean;
      authorization: string;
      host: string;
      origin: string;
    }> = {},
  ): string => {
    const access = new Access({
      tokens,
      isLoopback,
      hosts: ["rollcall.example"],
      origins: ["https://admin.example"],
    });
    try {
      access.check(needed, {
        authorization: given.authorization,
        host: given.host ?? "localhost:4780",
        origin: given.origin,
      });
      return "ok";
    } catch (error) {
      return (error as ServiceError).code;
    }
  };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test("a token is good for its scope and those below", () => {
    const table = ([READ, WRITE, ADMIN] as const).map((token) =>
      (["read", "write", "admin"] as const).map((needed) => check(needed, bearer(token))),
    );
    expect(table).toEqual([
      ["ok", "FORBIDDEN", "FORBIDDEN"],
      ["ok", "ok", "FORBIDDEN"],
      ["ok", "ok", "ok"],
    ]);
  });

  test.each([undefined, "", "Bearer", "Bearer x", `Basic ${ADMIN}`, `Bearer ${ADMIN}x`, ADMIN])(
    "%j is no token of the service",
    (authorization) => {
      const given = authorization === undefined ? {} : { authorization };
      expect(check("read", given)).toBe("UNAUTHENTICATED");
    },
  );

  test("without tokens everybody on the machine may read and write, and nobody evict", () => {
    expect(check("read", { tokens: [] })).toBe("ok");
    expect(check("write", { tokens: [] })).toBe("ok");
    expect(check("admin", { tokens: [] })).toBe("UNAUTHENTICATED");
  });

  test.each([
    ["localhost:4780", "ok"],
    ["127.0.0.1", "ok"],
    ["[::1]:4780", "ok"],
    ["rollcall.example", "ok"],
    ["ROLLCALL.example:80", "ok"],
    ["evil.example:4780", "FORBIDDEN"],
    ["localhost.evil.example", "FORBIDDEN"],
    ["", "FORBIDDEN"],
  ])("a request to host %j: %s", (host, result) => {
    expect(check("read", { tokens: [], host })).toBe(result);
  });

  test.each([
    ["http://localhost:4780", "ok"],
    ["https://admin.example", "ok"],
    ["http://evil.example", "FORBIDDEN"],
    ["http://localhost:9999", "FORBIDDEN"],
    ["null", "FORBIDDEN"],
    ["", "FORBIDDEN"],
  ])("a request from a page of %j: %s, also with a token", (origin, result) => {
    expect(check("read", { tokens: [], origin })).toBe(result);
    expect(check("read", { origin, ...bearer(ADMIN) })).toBe(result);
  });

  test.each([
    "short",
    "read=short",
    "root=0123456789abcdef",
    "a b c d e f g h i j k",
    "=0123456789abcdef",
    "",
  ])("%j are no tokens", (text) => {
    expect(() => parseTokens(text)).toThrow(InvalidArgumentError);
    if (text !== "") expect(() => parseTokens(text)).not.toThrow(text);
  });
});

describe("options of the service", () => {
  test("any address but loopback needs tokens", () => {
    expect(() => parseServiceOptions({ host: "0.0.0.0" })).toThrow(/tokens/);
    expect(() => parseServiceOptions({ host: "::" })).toThrow(/tokens/);
    expect(parseServiceOptions({ host: "0.0.0.0", tokens: TOKENS }).host).toBe("0.0.0.0");
    expect(parseServiceOptions({ host: "127.0.0.2" }).port).toBe(4_780);
  });

  test.each([
    [{ port: 70_000 }, "port"],
    [{ limits: { sessions: 0 } }, "limits.sessions"],
    [{ limits: { sesions: 1 } }, "limits"],
    [{ prot: 1 }, "prot"],
    [{ origins: ["https://a.example/path"] }, "origins.0"],
    [{ tokens: [{ scope: "admin", token: "short" }] }, "token"],
  ])("%j is refused by name", (options, path) => {
    expect(() => parseServiceOptions(options as never)).toThrow(expect.objectContaining({ path }));
  });
});

describe("the rate of requests", () => {
  const limits = { requestsPerSecond: 10, requestBurst: 3 };
  const at = (monotonicMs: number) => ({ monotonicMs, wallMs: 0 });

  test("a burst goes through, then one for each that was earned, and each address has its own", () => {
    const buckets = new Buckets(limits);
    const take = (client: string, ms: number) => buckets.take(client, at(ms));
    expect([take("a", 0), take("a", 0), take("a", 0)]).toEqual([0, 0, 0]);
    expect(take("a", 0)).toBe(100);
    expect(take("a", 50)).toBe(50);
    expect(take("b", 50)).toBe(0);
    expect(take("a", 100)).toBe(0);
    expect(take("a", 100)).toBe(100);
    expect([take("a", 10_000), take("a", 10_000), take("a", 10_000), take("a", 10_000)]).toEqual([
      0, 0, 0, 100,
    ]);
  });

  test("does not remember more than 10,000 addresses", () => {
    const buckets = new Buckets(limits);
    for (let client = 0; client < 10_100; client += 1) buckets.take(String(client), at(0));
    expect(buckets.size).toBe(10_000);
  });
});

describe("values of the cluster, as JSON", () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;

  test.each([
    [undefined, null],
    [12n, { $bigint: "12" }],
    [Number.NaN, { $number: "NaN" }],
    [new Uint8Array([1, 2]), { $bytes: "AQI=" }],
    [new Map([["a", 1n]]), { $map: [["a", { $bigint: "1" }]] }],
    [new Set([1]), { $set: [1] }],
    [new Date(0), { $date: "1970-01-01T00:00:00.000Z" }],
    [new Error("no"), { $error: { name: "Error", message: "no" } }],
    [JSON.parse('{"__proto__": 1}'), JSON.parse('{"__proto__": 1}')],
    ["\ud800", "\ufffd"],
    [circle, { self: { $deep: true } }],
    [Array(1).concat(1), [null, 1]],
  ])("%s", (value, json) => {
    expect(toJson(value)).toEqual(json);
  });

  test("what JSON can say is said as it is", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const said = JSON.parse(JSON.stringify(toJson(value)));
        expect(said).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test("however deep it is, it can be said", () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
    expect(JSON.stringify(toJson(deep))).toContain("$deep");
  });

  const doubled = (times: number, of: unknown) => {
    let value = of;
    for (let count = 0; count < times; count += 1) value = [value, value];
    return value;
  };

  test.each<[string, unknown]>([
    ["parts", doubled(18, ["x"])],
    ["texts", doubled(6, ["x".repeat(100_000)])],
    ["bytes", doubled(6, new Uint8Array(100_000))],
    ["views of one buffer", viewsOf(new ArrayBuffer(100_000), 60)],
    ["messages of errors", doubled(6, new Error("x".repeat(100_000)))],
    ["keys", doubled(6, { ["x".repeat(100_000)]: 1 })],
    ["holes", new Array(1_000_000)],
  ])("that share %s are not said again without end", (_what, value) => {
    const said = JSON.stringify(toJson(value));
    expect(said).toContain('{"$large":true}');
    expect(said.length).toBeLessThan(3_000_000);
  });

  test("a value that shares nothing is said to its end, however large", () => {
    const value = [Array.from({ length: 200_000 }, () => [1]), "x".repeat(3_000_000)];
    expect(toJson(value)).toEqual(value);
  });

  test("what is shared a little is said each time", () => {
    const zone = { zone: "a" };
    expect(toJson([zone, zone])).toEqual([zone, zone]);
  });
});

function viewsOf(buffer: ArrayBuffer, count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(buffer));
}

describe("pages of a list", () => {
  test("put together they are all rows that were asked for, in order", () => {
    const keys = fc.uniqueArray(fc.string({ maxLength: 3 }), { maxLength: 30 });
    fc.assert(
      fc.property(
        keys,
        fc.string({ maxLength: 1 }),
        fc.integer({ min: 1, max: 7 }),
        (rows, prefix, limit) => {
          const seen: string[] = [];
          let after: string | undefined;
          do {
            const page = pageOf(rows, (row) => row, { prefix, after, limit });
            expect(page.items.length).toBeLessThanOrEqual(limit);
            seen.push(...page.items);
            after = page.next;
          } while (after !== undefined);
          const wanted = rows.filter((row) => row.startsWith(prefix)).sort((a, b) => (a < b ? -1 : 1));
          expect(seen).toEqual(wanted);
        },
      ),
    );
  });
});

describe("problems", () => {
  test("tell code, status, and what a program can use", () => {
    expect(problemOf(new NameTakenError("x", "n@1/2" as Pid))).toMatchObject({
      code: "NAME_TAKEN",
      status: 409,
      holder: "n@1/2",
    });
    expect(problemOf(new LimitExceededError("messageBytes", 10, "x"))).toMatchObject({
      status: 413,
      limit: "messageBytes",
    });
    expect(problemOf(new LimitExceededError("sessions", 10, "x"))).toMatchObject({ status: 429 });
    expect(problemOf(new ServiceError("NO_SUCH_SESSION", "x"))).toMatchObject({
      status: 404,
      type: "urn:rollcall:problem:NO_SUCH_SESSION",
    });
  });

  test("nothing of other errors is told", () => {
    expect(problemOf(new TypeError("secret"))).toBeUndefined();
  });
});
