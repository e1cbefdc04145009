import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type ClusterNode,
  embeddedBus,
  InvalidArgumentError,
  LeaseLostError,
  NameTakenError,
  type NodeId,
  NoQuorumError,
  startNode,
} from "../../src/index.ts";
import { type MemoryLeaseStore, memoryLeases } from "../../src/testing.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";

const TTL_MS = 1_000;

describe("lease servers in the memory of a program", () => {
  let store: MemoryLeaseStore;
  let a: ClusterNode;
  let b: ClusterNode;

  beforeEach(async () => {
    store = memoryLeases({ ttlMs: TTL_MS });
    const bus = embeddedBus({ port: await freePort() });
    a = await startNode({ cluster: "memory-leases", name: "a", bus, leases: store });
    b = await startNode({ cluster: "memory-leases", name: "b", bus, leases: store });
    await eventually(() => [a, b].every((node) => node.stats().leases.reached === 3));
  });

  afterEach(async () => {
    await Promise.all([a.stop(), b.stop()]);
  });

  test("grant a name to one node at a time, and the next a higher token", async () => {
    const first = await a.strictNames.register("x", a.spawn());
    await expect(b.strictNames.register("x", b.spawn())).rejects.toThrow(NameTakenError);
    expect(await b.strictNames.lookup("x")).toMatchObject({ node: a.id, token: first.token });
    await first.release();
    const second = await b.strictNames.register("x", b.spawn());
    expect(second.token).toBeGreaterThan(first.token);
  });

  test("a node that is cut off from a majority loses its name before another, which is not, gets it", async () => {
    const first = await a.strictNames.register("x", a.spawn());
    const waiting = b.strictNames.register("x", b.spawn(), { wait: true });
    await eventually(() => b.stats().leases.waiting === 1);
    const [server1 = "", server2 = ""] = store.servers;
    store.cut(server1, a.id);
    store.cut(server2, a.id);
    const second = await waiting;
    expect(first.isHeld()).toBe(false);
    expect(first.signal.reason).toBeInstanceOf(LeaseLostError);
    expect(second.token).toBeGreaterThan(first.token);
    await expect(a.strictNames.lookup("x")).rejects.toThrow(NoQuorumError);
    store.heal();
    await eventually(() => a.stats().leases.reached === 3);
    expect(await a.strictNames.lookup("x")).toMatchObject({ node: b.id });
  });

  test("one of three that nobody reaches is not missed; two are, by a node that comes later too", async () => {
    const [server1 = "", server2 = ""] = store.servers;
    store.cut(server1);
    await eventually(() => a.stats().leases.reached === 2);
    await a.strictNames.register("x", a.spawn());
    store.cut(server2);
    const bus = embeddedBus({ port: await freePort() });
    await using c = await startNode({ cluster: "memory-leases", name: "c", bus, leases: store });
    await eventually(() => c.stats().leases.reached === 1);
    await expect(c.strictNames.lookup("x")).rejects.toMatchObject({ code: "NO_QUORUM", needed: 2 });
    store.heal();
    await eventually(() => a.stats().leases.reached === 3 && c.stats().leases.reached === 3, {
      // The servers that nobody asked for so long keep out for a ttl first.
      withinMs: 5 * TTL_MS,
    });
  });

  test("a server or a node that cannot be one is refused", () => {
    expect(() => store.cut("memory-4")).toThrow(/server is "memory-4"; it takes one of memory-1, memory-2/);
    expect(() => store.cut("memory-1", "a" as NodeId)).toThrow(InvalidArgumentError);
  });
});

test.each([
  [{ servers: 2 }, "servers"],
  [{ servers: 9 }, "servers"],
  [{ servers: 0 }, "servers"],
  [{ ttlMs: 49 }, "leases.ttlMs"],
  [{ ttlMs: 1_000.5 }, "ttlMs"],
  [{ ttl: 1_000 }, "ttl"],
])("lease servers in memory refuse %o", (options, path) => {
  const make = (): unknown => memoryLeases(options as { ttlMs: number });
  expect(make).toThrow(InvalidArgumentError);
  expect(make).toThrow(new RegExp(`^${path} is `));
});

test("lease servers in memory are three, or as many as one says", () => {
  expect(memoryLeases().servers).toEqual(["memory-1", "memory-2", "memory-3"]);
  expect(memoryLeases({ servers: 1 }).servers).toEqual(["memory-1"]);
});
