import { describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../../src/kernel/errors.ts";
import { parseRedisAddress } from "../../../src/lease/redis/address.ts";
import { judge } from "../../../src/lease/redis/greeting.ts";
import { redisLeases } from "../../../src/redis.ts";

const THREE = ["redis://a", "redis://b:6380", "rediss://:secret@C/2"];

function refusalOf(servers: unknown, options?: unknown): InvalidArgumentError {
  try {
    redisLeases(servers as string, options as object);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

describe("addresses", () => {
  test.each([
    ["redis://127.0.0.1:6380", { host: "127.0.0.1", port: 6380, text: "127.0.0.1:6380", tls: false }],
    ["localhost", { host: "localhost", port: 6379, database: 0, text: "localhost:6379" }],
    ["rediss://Cache.example/", { host: "cache.example", tls: true, text: "cache.example:6379" }],
    ["redis://[::1]:7000/3", { host: "::1", port: 7000, database: 3, text: "[::1]:7000/3" }],
    ["redis://:p%40ss@h", { user: undefined, password: "p@ss", text: "h:6379" }],
    ["redis://me:p:w@h:1", { user: "me", password: "p:w", text: "h:1" }],
  ])("%s", (text, address) => {
    expect(parseRedisAddress(text)).toMatchObject(address);
  });

  test.each([
    "",
    "http://a",
    "redis://",
    "redis://a:0",
    "redis://a:65536",
    "redis://a:x",
    "redis://a/x",
    "redis://a?db=1",
    "redis://me@h",
    "redis://:%zz@h",
    "a b",
    "a\n",
    "unix:/tmp/s",
  ])("%j is none", (text) => {
    // Blanks around an address are forgiven.
    if (text === "a\n") expect(parseRedisAddress(text)?.host).toBe("a");
    else expect(parseRedisAddress(text)).toBeUndefined();
  });
});

describe("options", () => {
  test("servers are shown without passwords, and the defaults are those that are documented", () => {
    const store = redisLeases(THREE);
    expect(store.kind).toBe("redis");
    expect(store.servers).toEqual(["a:6379", "b:6380", "c:6379/2"]);
    expect(store.settings).toEqual({ ttlMs: 10_000, clockRateBound: 0.01, serverStepMs: 250 });
    expect(redisLeases("a", { ttlMs: 600, serverStepMs: 0 }).settings.ttlMs).toBe(600);
  });

  test.each<[unknown, string, RegExp]>([
    [undefined, "redisLeases.servers", /odd number of servers/],
    [[], "redisLeases.servers", /odd number of servers/],
    [["a", "b"], "redisLeases.servers", /odd number of servers/],
    [Array.from({ length: 9 }, (_, index) => `h${index}`), "redisLeases.servers", /1 to 7/],
    [["a", "A:6379", "b"], "redisLeases.servers", /a:6379 is there twice/],
    [["a", 7, "b"], "redisLeases.servers[1]", /a server such as/],
    ["redis://h:port", "redisLeases.servers[0]", /"redis:\/\/h:port"/],
    ["redis://:s3c ret@h", "redisLeases.servers[0]", /%-encoded/],
  ])("servers %j", (servers, path, message) => {
    const error = refusalOf(servers);
    expect(error.path).toBe(path);
    expect(error.message).toMatch(message);
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain("s3c");
  });

  test.each<[unknown, string]>([
    [{ ttlMs: 49 }, "leases.ttlMs"],
    [{ ttlMs: 600_001 }, "leases.ttlMs"],
    [{ ttlMs: 1_000.5 }, "redisLeases.ttlMs"],
    [{ ttlMs: "1000" }, "redisLeases.ttlMs"],
    [{ clockRateBound: 0.21 }, "leases.clockRateBound"],
    [{ clockRateBound: Number.NaN }, "redisLeases.clockRateBound"],
    [{ serverStepMs: -1 }, "leases.serverStepMs"],
    [{ ttlMs: 500 }, "leases.serverStepMs"],
    [{ namespace: "" }, "redisLeases.namespace"],
    [{ namespace: "a:b" }, "redisLeases.namespace"],
    [{ namespace: "a}b" }, "redisLeases.namespace"],
    [{ namespace: "a".repeat(65) }, "redisLeases.namespace"],
    [{ tls: true }, "redisLeases.tls"],
    [{ tls: {} }, "redisLeases.tls"],
    [{ ttl: 1_000 }, "redisLeases.ttl"],
    [null, "redisLeases"],
  ])("options %j", (options, path) => {
    expect(refusalOf("a", options).path).toBe(path);
  });
});

describe("what INFO says", () => {
  const fit = {
    redis_version: "7.0.15",
    redis_mode: "standalone",
    run_id: "0a1b",
    loading: "0",
    role: "master",
    maxmemory_policy: "noeviction",
    cluster_enabled: "0",
  };
  const told = (fields: Partial<Record<keyof typeof fit, string | undefined>>) =>
    judge(
      Object.entries({ ...fit, ...fields })
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}:${value}`)
        .join("\r\n"),
    );

  test("a server that is fit", () => {
    expect(told({})).toEqual({ kind: "ready", process: "0a1b", warnings: [] });
    expect(told({ redis_version: "6.0.0" }).kind).toBe("ready");
    expect(told({ redis_version: "10.0" }).kind).toBe("ready");
  });

  test("one that does not tell whether it evicts is taken, with a warning", () => {
    expect(told({ maxmemory_policy: undefined })).toMatchObject({
      kind: "ready",
      warnings: [expect.stringContaining("maxmemory-policy")],
    });
  });

  test.each([
    [{ redis_version: "5.0.14" }, "it is Redis 5.0.14; upgrade it to 6.0 or newer"],
    [{ redis_version: undefined }, "upgrade it to 6.0"],
    [{ redis_mode: "sentinel" }, "give the server that it watches"],
    [{ redis_mode: "cluster" }, "cluster-enabled no"],
    [{ cluster_enabled: "1" }, "cluster-enabled no"],
    [{ role: "slave" }, "REPLICAOF NO ONE"],
    [{ maxmemory_policy: "volatile-lru" }, "maxmemory-policy is volatile-lru"],
    [{ run_id: undefined }, "tells no run_id"],
    [{ loading: "1" }, "still reading its data"],
  ])("%j is refused", (fields, message) => {
    expect(told(fields)).toEqual({ kind: "refused", message: expect.stringContaining(message) });
  });
});
