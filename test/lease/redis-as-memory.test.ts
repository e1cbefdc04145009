import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MemoryLeaseServer } from "../../src/lease/memory/server.ts";
import { type LeaseReply, type LeaseRequest, makeSessionId } from "../../src/lease/requests.ts";
import { redisLeases } from "../../src/redis.ts";
import { LeasePeer } from "../support/lease-peer.ts";
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

const session = fc.constantFrom("a", "b", "c").map((owner) => makeSessionId(owner, 1));
const connection = fc.constantFrom(1, 1, 1, 2);
const name = fc.constantFrom("x", "y");
const claim = fc.constantFrom(1, 2);
const value = fc.uint8Array({ maxLength: 3 });
const token = fc.integer({ min: 1, max: 60 });
const ticket = fc.constantFrom(undefined, 0, 0, 1, 2, 5);
const few = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });
const acquireItem = fc.record({ name, claim, proposal: token, value, ticket });
const confirmItem = fc.record({ name, claim, token, value });
const releaseItem = fc.record({ name, claim, leave: fc.boolean() });

const request: fc.Arbitrary<LeaseRequest> = fc.oneof(
  fc.record({ kind: fc.constant("status" as const) }),
  fc.record({ kind: fc.constantFrom("open" as const, "renew" as const), session, connection }),
  fc.record({ kind: fc.constant("read" as const), names: few(name) }),
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("acquire" as const),
      session,
      connection,
      items: few(acquireItem),
    }),
  },
  fc.record({ kind: fc.constant("confirm" as const), session, connection, items: few(confirmItem) }),
  fc.record({ kind: fc.constant("attach" as const), session, connection, items: few(confirmItem) }),
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("release" as const),
      session,
      connection,
      items: few(releaseItem),
    }),
  },
);

/** Without what says how late it is. */
function timeless(reply: LeaseReply): unknown {
  const text = JSON.stringify(reply, (key, each: unknown) =>
    key === "leftMs" || key === "serverMs" ? "(time)" : each instanceof Uint8Array ? [...each] : each,
  );
  return JSON.parse(text);
}

test("whatever is asked, Redis answers as the server in memory does", async () => {
  const store = redisLeases(server.url, { ttlMs: TTL_MS });
  const peer = new LeasePeer(store, "peer");
  let compared = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 20, maxLength: 60 }), async (asked) => {
        await server.ask("FLUSHALL");
        await peer.connected(0);
        const memory = new MemoryLeaseServer({ settings: store.settings, now: () => 1_000_000_000 });
        const status = await peer.ask(0, { kind: "status" });
        const other = memory.execute({ kind: "status" }, "c");
        if (status.kind !== "guarded" || other.kind !== "guarded") throw new Error("both should keep out");
        const recover = { kind: "recover", floor: 10, first: true } as const;
        const opened = ["a", "b", "c"].map(
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
