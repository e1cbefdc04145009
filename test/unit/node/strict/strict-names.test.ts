import { describe, expect, test } from "vitest";
import {
  LimitExceededError,
  NameTakenError,
  NoLeasesError,
  NoQuorumError,
  NoSuchProcessError,
  NotLocalError,
  TimeoutError,
} from "../../../../src/kernel/errors.ts";
import type { Lease } from "../../../../src/node/strict/types.ts";
import type { ClusterNode } from "../../../../src/node/types.ts";
import { Shells } from "../../../support/shells.ts";
import { setUp, TTL_MS } from "./stage.ts";

describe("strict names", () => {
  test("are held by one process at a time, with a token that goes up from holder to holder", async () => {
    const { failure, shells, start } = setUp("one at a time");
    const [a, b] = [await start("a"), await start("b")];
    const [one, two] = [a.spawn(), b.spawn()];
    const lease = await shells.until(a.strictNames.register("leader", one, { meta: { port: 80 } }));
    expect(lease).toMatchObject({ name: "leader", pid: one.pid });
    expect(lease.isHeld()).toBe(true);
    expect(lease.remainingMs()).toBeGreaterThan(TTL_MS / 2);
    expect(lease.signal.aborted).toBe(false);
    const taken = await failure(b.strictNames.register("leader", two));
    expect(taken).toBeInstanceOf(NameTakenError);
    expect(taken).toMatchObject({ takenName: "leader", holder: one.pid });
    expect((taken as Error).message).toMatch(/; set `wait` to stand in line for it$/);
    const own = await failure(a.strictNames.register("leader", one));
    expect(own).toMatchObject({ code: "NAME_TAKEN", holder: one.pid });
    expect((own as Error).message).toMatch(/; that is the process that asks: it holds it already$/);
    expect(await shells.until(b.strictNames.lookup("leader"))).toEqual({
      ...{ pid: one.pid, node: a.id, token: lease.token, meta: { port: 80 } },
    });
    await shells.until(lease.release());
    expect(await shells.until(b.strictNames.lookup("leader"))).toBeUndefined();
    const next = await shells.until(b.strictNames.register("leader", two));
    expect(next.token).toBeGreaterThan(lease.token);
  });

  test("of different scopes are different names", async () => {
    const { shells, start } = setUp("scopes");
    const a = await start("a");
    const other = await shells.until(a.scope("other"));
    const [one, two] = [a.spawn(), a.spawn()];
    await shells.until(a.strictNames.register("x", one));
    await shells.until(other.strictNames.register("x", two));
    expect(await shells.until(a.strictNames.lookup("x"))).toMatchObject({ pid: one.pid });
    expect(await shells.until(other.strictNames.lookup("x"))).toMatchObject({ pid: two.pid });
    expect(other.strictNames.whereis("x")).toMatchObject({ pid: two.pid, ageMs: 0 });
  });

  test("need lease servers: without `leases` every use of them is a typed error", async () => {
    const shells = new Shells("none");
    const node = await shells.start("a");
    const { strictNames } = node;
    await expect(strictNames.register("x", node.spawn())).rejects.toBeInstanceOf(NoLeasesError);
    await expect(strictNames.lookup("x")).rejects.toBeInstanceOf(NoLeasesError);
    await expect(node.call({ strictName: "x" }, 1)).rejects.toBeInstanceOf(NoLeasesError);
    for (const use of [() => strictNames.whereis("x"), () => strictNames.watch()]) {
      expect(use).toThrow(NoLeasesError);
    }
    expect(() => node.send({ strictName: "x" }, 1)).toThrow(NoLeasesError);
    expect(node.stats().leases).toMatchObject({ servers: 0, reached: 0, needed: 0 });
  });

  test("can be registered for live processes of this node only", async () => {
    const { failure, start } = setUp("local");
    const [a, b] = [await start("a"), await start("b")];
    const dead = a.spawn();
    dead.exit();
    expect(await failure(a.strictNames.register("x", b.spawn()))).toBeInstanceOf(NotLocalError);
    expect(await failure(a.strictNames.register("x", dead))).toBeInstanceOf(NoSuchProcessError);
    const wrongs: readonly [string, () => Promise<unknown>][] = [
      ["name", () => a.strictNames.register("", a.spawn())],
      ["pid", () => a.strictNames.register("x", "nobody" as never)],
      ["wait", () => a.strictNames.register("x", a.spawn(), { wait: 1 as never })],
      ["onLost", () => a.strictNames.register("x", a.spawn(), { onLost: "die" as never })],
      ["options.ttlMs", () => a.strictNames.register("x", a.spawn(), { ttlMs: 5 } as never)],
      ["timeoutMs", () => a.strictNames.lookup("x", { timeoutMs: 0 })],
    ];
    for (const [path, use] of wrongs) expect(await failure(use())).toMatchObject({ path });
    const big = a.strictNames.register("x", a.spawn(), { meta: "x".repeat(9_000) });
    expect(await failure(big)).toMatchObject({ limit: "metadataBytes" });
  });

  test("are refused with what was reached and what is needed while a majority does not answer", async () => {
    const { cutAll, failure, healAll, shells, start } = setUp("no quorum");
    cutAll();
    const a = await start("a");
    expect(a.stats().leases).toMatchObject({ servers: 3, reached: 0, needed: 2 });
    const beganMs = shells.clock.now().monotonicMs;
    const refused = await failure(a.strictNames.register("x", a.spawn()));
    expect(refused).toBeInstanceOf(NoQuorumError);
    expect(refused).toMatchObject({ code: "NO_QUORUM", reached: 0, needed: 2 });
    expect(shells.clock.now().monotonicMs - beganMs).toBeLessThan(TTL_MS / 2);
    expect(await failure(a.strictNames.lookup("x"))).toBeInstanceOf(NoQuorumError);
    const waiting = a.strictNames.register("x", a.spawn(), { wait: true, timeoutMs: 6_000 });
    expect(await failure(waiting)).toBeInstanceOf(NoQuorumError);
    healAll();
    const lease = await shells.until(a.strictNames.register("x", a.spawn()));
    expect(lease.isHeld()).toBe(true);
    expect(a.stats().leases).toMatchObject({ reached: 3, held: 1, noQuorum: 3 });
  });

  test("come to whoever waits for them, in the order in which they came", async () => {
    const { shells, start } = setUp("line");
    const nodes = [await start("a"), await start("b"), await start("c")];
    const [first] = nodes as [ClusterNode];
    let lease = await shells.until(first.strictNames.register("x", first.spawn()));
    const served: number[] = [];
    for (const index of [0, 1, 2, 3, 4, 5]) {
      const node = nodes[index % 3] ?? first;
      const asked = node.strictNames.register("x", node.spawn(), { wait: true, timeoutMs: 100_000 });
      void asked.then((got) => {
        served.push(index);
        lease = got;
      });
      await shells.run(100);
    }
    await shells.run(2_000);
    expect(served).toEqual([]);
    const order: number[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      const before = served.length;
      const releasedMs = shells.clock.now().monotonicMs;
      await shells.until(lease.release());
      await shells.eventually(() => served.length > before);
      expect(shells.clock.now().monotonicMs - releasedMs).toBeLessThan(500);
      order.push(served[before] ?? -1);
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("a wait ends by its time or its signal, and leaves nothing behind", async () => {
    const { failure, shells, start } = setUp("waits");
    const [a, b] = [await start("a"), await start("b")];
    const lease = await shells.until(a.strictNames.register("x", a.spawn()));
    const beganMs = shells.clock.now().monotonicMs;
    const late = await failure(b.strictNames.register("x", b.spawn(), { wait: true, timeoutMs: 3_000 }));
    expect(shells.clock.now().monotonicMs - beganMs).toBe(3_000);
    expect(late).toBeInstanceOf(TimeoutError);
    expect(late).toMatchObject({ timeoutMs: 3_000 });
    const controller = new AbortController();
    const aborted = b.strictNames.register("x", b.spawn(), { wait: true, signal: controller.signal });
    const ended = failure(aborted);
    await shells.run(1_000);
    expect(b.stats().leases).toMatchObject({ registering: 1, waiting: 1 });
    controller.abort(new Error("enough"));
    expect(await ended).toMatchObject({ message: "enough" });
    expect(b.stats().leases).toMatchObject({ registering: 0, waiting: 0 });
    await shells.run(100);
    const [renewing, before] = [a.stats().leases.requests, b.stats().leases.requests];
    await shells.run(10 * TTL_MS);
    // Whoever waits looks at the line again and again, besides.
    expect(b.stats().leases.requests - before).toBeLessThanOrEqual(a.stats().leases.requests - renewing + 6);
    await shells.until(lease.release());
    await shells.run(1_000);
    expect(await shells.until(a.strictNames.lookup("x"))).toBeUndefined();
  });

  test("have bounds: leases, and those who wait", async () => {
    const { failure, shells, start } = setUp("bounds");
    const a = await start("a", { limits: { leases: 2, leaseWaiters: 1 } });
    const wait = (name: string): Promise<Lease> => a.strictNames.register(name, a.spawn(), { wait: true });
    const b = await start("b");
    await shells.until(b.strictNames.register("x", b.spawn()));
    const first = wait("x").catch(() => {});
    expect(await failure(wait("y"))).toMatchObject({ limit: "leaseWaiters", allowed: 1 });
    await shells.until(a.strictNames.register("z", a.spawn()));
    const over = await failure(a.strictNames.register("w", a.spawn()));
    expect(over).toBeInstanceOf(LimitExceededError);
    expect(over).toMatchObject({ limit: "leases", allowed: 2 });
    await shells.until(a.stop());
    await first;
  });
});
