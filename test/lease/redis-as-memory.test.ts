import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MemoryLeaseServer } from "../../src/lease/memory/server.ts";
import { type LeaseRequest, makeSessionId } from "../../src/lease/requests.ts";
import { redisLeases } from "../../src/redis.ts";
import { LeasePeer } from "../support/lease-peer.ts";
import { leaseRequest, OWNERS, timeless } from "../support/lease-requests.ts";
import { RedisServer } from "../support/redis-server.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** Long, so that nothing ends by itself: time passes on one side only. Reservations do end, so a run must be brief. */
const TTL_MS = 600_000;
const BRIEF_MS = 200;

test("whatever is asked, Redis answers as the server in memory does", async () => {
  const store = redisLeases(server.url, { ttlMs: TTL_MS });
  const peer = new LeasePeer(store, "peer");
  let compared = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(leaseRequest, { minLength: 20, maxLength: 60 }), async (asked) => {
        await server.ask("FLUSHALL");
        await peer.connected(0);
        const memory = new MemoryLeaseServer({ settings: store.settings, now: () => 1_000_000_000 });
        const status = await peer.ask(0, { kind: "status" });
        const other = memory.execute({ kind: "status" }, "c");
        if (status.kind !== "guarded" || other.kind !== "guarded") throw new Error("both should keep out");
        const recover = { kind: "recover", floor: 10, first: true } as const;
        const opened = OWNERS.map(
          (owner): LeaseRequest => ({ kind: "open", session: makeSessionId(owner, 1), connection: 1 }),
        );
        const before = performance.now();
        const replies = await Promise.all(
          [{ ...recover, guard: status.guard }, ...opened, ...asked].map((each) => peer.ask(0, each)),
        );
        if (performance.now() - before > BRIEF_MS) return;
        compared += 1;
        const expected = [{ ...recover, guard: other.guard }, ...opened, ...asked].map((each) =>
          memory.execute(each, "c"),
        );
        expect(replies.map(timeless)).toEqual(expected.map(timeless));
      }),
      { numRuns: 300 },
    );
  } finally {
    await peer.close();
  }
  expect(compared).toBeGreaterThan(100);
});
