import { describe, expect, test } from "vitest";
import { readEnvironment } from "../../../src/cli/environment.ts";
import { CommandError } from "../../../src/cli/exit-codes.ts";
import { leaseKindOf, leaseTtlOf, openLeases } from "../../../src/cli/leases.ts";

function failureOf(variables: Record<string, string>, flags = {}): CommandError {
  try {
    readEnvironment(variables, flags);
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error("nothing was wrong with it");
}

describe("the environment", () => {
  test("has defaults for everything, and takes an empty variable for one that is not set", () => {
    const nothing = readEnvironment({});
    expect(nothing).toMatchObject({ cluster: "default", secrets: [], nats: undefined, redis: undefined });
    const empty = { ROLLCALL_CLUSTER: "", NATS_URL: "", REDIS_URLS: "", LOG_LEVEL: "", ROLLCALL_SECRET: "" };
    expect(readEnvironment(empty)).toStrictEqual(nothing);
  });

  test("is taken apart", () => {
    const variables = {
      ROLLCALL_CLUSTER: "shop",
      ROLLCALL_NODE: "web-1",
      ROLLCALL_SECRET: "new secret, old secret",
      ROLLCALL_TOKEN: " raw, as it is ",
      ROLLCALL_BUS_PORT: "5000",
      NATS_URL: "nats://a:4222, tls://b",
      NATS_CREDS: "/etc/shop.creds",
      REDIS_URLS: "redis://a,redis://:p%2Cw@b:7000,rediss://c",
      ROLLCALL_LEASES: "redis",
      ROLLCALL_LEASE_TTL_MS: "5000",
      ROLLCALL_LEASE_NAMESPACE: "shop.1",
      ROLLCALL_LEASE_REPLICAS: "3",
      LOG_LEVEL: "info",
    };
    expect(readEnvironment(variables)).toStrictEqual({
      cluster: "shop",
      node: "web-1",
      secrets: ["new secret", "old secret"],
      token: " raw, as it is ",
      busPort: 5_000,
      nats: ["nats://a:4222", "tls://b"],
      natsCredentials: "/etc/shop.creds",
      redis: ["redis://a", "redis://:p%2Cw@b:7000", "rediss://c"],
      leases: "redis",
      leaseTtlMs: 5_000,
      leaseNamespace: "shop.1",
      leaseReplicas: 3,
      logLevel: "info",
    });
  });

  test("gives way to flags, and names the flag that is wrong", () => {
    const variables = { ROLLCALL_CLUSTER: "shop", NATS_URL: "nats://a" };
    expect(readEnvironment(variables, { cluster: "other", nats: "b,c" })).toMatchObject({
      cluster: "other",
      nats: ["b", "c"],
    });
    expect(failureOf(variables, { node: "a b" }).message).toMatch(
      /^--node is "a b"; it takes 1 to 128 letters/,
    );
  });

  test.each<[string, string, string]>([
    ["ROLLCALL_CLUSTER", "x".repeat(600), "512 bytes"],
    ["ROLLCALL_NODE", "a/b", "letters"],
    ["ROLLCALL_BUS_PORT", "65536", "65535"],
    ["ROLLCALL_BUS_PORT", "1e3", "65535"],
    ["NATS_URL", "nats://a,,nats://b", "nats://127.0.0.1:4222"],
    ["NATS_URL", "http://a", "nats://127.0.0.1:4222"],
    ["REDIS_URLS", "redis://a,redis://b", "odd number"],
    ["REDIS_URLS", "redis://a,redis://b,redis://a:6379", "each of them once"],
    ["ROLLCALL_LEASES", "etcd", "jetstream"],
    ["ROLLCALL_LEASES", "redis", "REDIS_URLS"],
    ["ROLLCALL_LEASES", "jetstream", "NATS_URL"],
    ["ROLLCALL_LEASE_TTL_MS", "10s", "milliseconds"],
    ["ROLLCALL_LEASE_TTL_MS", "49", "50"],
    ["ROLLCALL_LEASE_NAMESPACE", "a b", "letters"],
    ["ROLLCALL_LEASE_REPLICAS", "2", "1, 3 or 5"],
    ["LOG_LEVEL", "loud", "debug, info, warn, error, silent"],
  ])("says in one line that %s is wrong as %j, and what it takes", (name, value, takes) => {
    const { exitCode, message } = failureOf({ [name]: value });
    expect(exitCode).toBe(2);
    expect(message).toMatch(new RegExp(`^${name} is "`));
    expect(message).toContain(`; it takes `);
    expect(message).toContain(takes);
    expect(message).not.toContain("\n");
  });

  test.each<[string, string]>([
    ["ROLLCALL_SECRET", "hunter2"],
    ["ROLLCALL_SECRET", "long enough,hunter2"],
    ["NATS_URL", "nats://me:hunter2@ho st"],
    ["REDIS_URLS", "redis://:hunter2@a,redis://b"],
  ])("does not show what is secret in a wrong %s", (name, value) => {
    const { message } = failureOf({ [name]: value });
    expect(message).toContain(`${name} is (hidden)`);
    expect(message).not.toContain("hunter2");
  });
});

describe("leases", () => {
  const redis = { REDIS_URLS: "redis://127.0.0.1:1" };
  const nats = { NATS_URL: "nats://127.0.0.1:1" };

  test.each<[Record<string, string>, string | undefined]>([
    [{}, undefined],
    [redis, "redis"],
    [nats, "jetstream"],
    [{ ...redis, ...nats }, "redis"],
    [{ ...redis, ...nats, ROLLCALL_LEASES: "jetstream" }, "jetstream"],
  ])("with %j are kept on %s where strict names are asked for", async (variables, kind) => {
    const environment = readEnvironment(variables);
    expect(leaseKindOf(environment)).toBe(kind);
    if (kind === undefined) await expect(openLeases(environment, true)).rejects.toThrow(/set REDIS_URLS/);
    else expect(await openLeases(environment, true)).toMatchObject({ kind });
    expect(await openLeases(environment, false)).toBeUndefined();
  });

  test("are not kept on JetStream unasked", async () => {
    expect(await openLeases(readEnvironment(nats), undefined)).toBeUndefined();
    expect(await openLeases(readEnvironment(redis), undefined)).toMatchObject({ kind: "redis" });
    const asked = readEnvironment({ ...nats, ROLLCALL_LEASES: "jetstream" });
    expect(await openLeases(asked, undefined)).toMatchObject({ kind: "jetstream" });
  });

  test("last as long as the stores say, or as the environment does", async () => {
    for (const variables of [redis, nats, { ...redis, ROLLCALL_LEASE_TTL_MS: "3000" }]) {
      const environment = readEnvironment(variables);
      const store = await openLeases(environment, true);
      expect(leaseTtlOf(environment)).toBe(store?.settings.ttlMs);
    }
  });

  test("that the library refuses are told by the variable", async () => {
    const short = readEnvironment({ ...redis, ROLLCALL_LEASE_TTL_MS: "300" });
    await expect(openLeases(short, true)).rejects.toThrow(/^ROLLCALL_LEASE_TTL_MS is 300; it takes/);
    const dotted = readEnvironment({ ...nats, ROLLCALL_LEASE_NAMESPACE: "a.b" });
    await expect(openLeases(dotted, true)).rejects.toThrow(/^ROLLCALL_LEASE_NAMESPACE is "a\.b"; it takes/);
    const lost = readEnvironment({ ...nats, NATS_CREDS: "/no/such/file" });
    await expect(openLeases(lost, true)).rejects.toThrow(/^NATS_CREDS is "\/no\/such\/file"; it takes/);
  });
});
