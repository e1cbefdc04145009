import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { type Address, natsBus, startNode } from "../../src/index.ts";
import { redisLeases } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import { NatsServer } from "../support/nats-server.ts";
import { RedisServer } from "../support/redis-server.ts";

/** Long enough for a machine that is busy with other tests, or the lease is lost for that alone. */
const TTL_MS = 5_000;

test("strict names do not need the bus: without it they are granted, kept, refused and looked up", async () => {
  const [nats, ...redis] = await Promise.all([
    NatsServer.start(),
    ...Array.from({ length: 3 }, () => RedisServer.start()),
  ]);
  onTestFinished(async () => {
    await Promise.all([nats, ...redis].map((server) => server[Symbol.asyncDispose]()));
  });
  const leases = () =>
    redisLeases(
      redis.map(({ url }) => url),
      { ttlMs: TTL_MS },
    );
  const start = (name: string) =>
    startNode({ cluster: "bus", name, bus: natsBus({ servers: nats.url }), leases: leases() });
  const [a, b] = await Promise.all([start("a"), start("b")]);
  onTestFinished(async () => {
    await Promise.all([a.stop(), b.stop()]);
  });
  const holder = a.spawn((_message, { token }) => String(token));
  const wait = { wait: true, timeoutMs: 20_000 };
  const lease = await a.strictNames.register("x", holder, wait);
  const address: Address = { strictName: "x" };
  expect(await b.call(address, "?")).toBe(String(lease.token));

  await nats.kill();
  await expect(b.call(address, "?", { timeoutMs: 300 })).rejects.toThrow();
  const other = b.spawn(() => "b");
  // Longer than it would last without renewals.
  await sleep(1.2 * TTL_MS);
  expect(lease.isHeld()).toBe(true);
  await expect(b.strictNames.register("x", other)).rejects.toMatchObject({ code: "NAME_TAKEN" });
  expect(await b.strictNames.lookup("x")).toMatchObject({ pid: holder.pid, token: lease.token });
  await using second = await b.strictNames.register("y", other);
  expect(await a.strictNames.lookup("y")).toMatchObject({ pid: other.pid, token: second.token });
  expect(lease.isHeld()).toBe(true);

  await nats.run();
  await eventually(async () => (await b.call(address, "?").catch(() => undefined)) === String(lease.token), {
    withinMs: 20_000,
  });
  expect(lease.isHeld()).toBe(true);
});
