import { describe, expect, test } from "vitest";
import { IndeterminateError, NoSuchNameError, type TimeoutError } from "../../../../src/kernel/errors.ts";
import { HOLDERS_KEPT } from "../../../../src/node/strict/limits.ts";
import type { StrictNameEvent } from "../../../../src/node/strict/types.ts";
import { setUp, TTL_MS } from "./stage.ts";

describe("whoever asks for the holder", () => {
  test("asks the holder's node where the votes do not tell, and never guesses", async () => {
    const { failure, shells, start, store } = setUp("ask");
    const [a, b] = [await start("a"), await start("b")];
    store.cut(2, a.id);
    await shells.run(TTL_MS * 2);
    const lease = await shells.until(a.strictNames.register("x", a.spawn()));
    // Votes of 0 and 1, and b can ask 1 and 2.
    store.cut(0, b.id);
    await shells.run(TTL_MS);
    expect(await shells.until(b.strictNames.lookup("x"))).toMatchObject({ token: lease.token });
    shells.network.partition([["a"], ["b"]]);
    await shells.run(1_000);
    const unclear = await failure(b.strictNames.lookup("x", { timeoutMs: 5_000 }));
    expect(unclear).toBeInstanceOf(IndeterminateError);
    expect(unclear).toMatchObject({ unclearName: "x" });
  });

  test("is told no by a node that has given the name back, though votes for it are left", async () => {
    const { shells, start, store } = setUp("given back");
    const [a, b] = [await start("a"), await start("b")];
    store.cut(2, a.id);
    await shells.run(2 * TTL_MS);
    const lease = await shells.until(a.strictNames.register("x", a.spawn()));
    for (const server of [0, 1]) store.cut(server, a.id);
    void lease.release();
    store.cut(0, b.id);
    expect(await shells.until(b.strictNames.lookup("x", { timeoutMs: 2 * TTL_MS }))).toBeUndefined();
  });

  test("has a hint of whoever holds a name that it was refused", async () => {
    const { failure, shells, start } = setUp("hint of a refusal");
    const [a, b] = [await start("a"), await start("b")];
    const lease = await shells.until(a.strictNames.register("x", a.spawn()));
    await failure(b.strictNames.register("x", b.spawn()));
    expect(b.strictNames.whereis("x")).toMatchObject({ node: a.id, token: lease.token });
  });

  test("has a hint at hand, with its age", async () => {
    const { shells, start } = setUp("hint");
    const [a, b] = [await start("a"), await start("b")];
    const lease = await shells.until(a.strictNames.register("x", a.spawn(), { meta: new Map([[1, 2]]) }));
    expect(b.strictNames.whereis("x")).toBeUndefined();
    await shells.until(b.strictNames.lookup("x"));
    await shells.run(500);
    const hint = b.strictNames.whereis("x");
    expect(hint).toMatchObject({ node: a.id, token: lease.token, meta: new Map([[1, 2]]) });
    expect(hint?.ageMs).toBeGreaterThanOrEqual(500);
    expect(hint?.ageMs).toBeLessThan(600);
    expect(a.strictNames.whereis("x")?.ageMs).toBe(0);
    await shells.until(lease.release());
    expect(a.strictNames.whereis("x")).toBeUndefined();
    expect(b.strictNames.whereis("x")).toBeDefined();
    await shells.until(b.strictNames.lookup("x"));
    expect(b.strictNames.whereis("x")).toBeUndefined();
  });

  test("always knows of what its own node holds, and hears of its end", async () => {
    const { shells, start } = setUp("own names");
    const a = await start("a", { limits: { watchQueue: 2 * HOLDERS_KEPT } });
    const process = a.spawn();
    const names = Array.from({ length: HOLDERS_KEPT + 500 }, (_, index) => `n${index}`);
    const events: string[] = [];
    const watch = a.strictNames.watch();
    void (async () => {
      for await (const { kind } of watch) events.push(kind);
    })();
    for (let from = 0; from < names.length; from += 500) {
      const some = names.slice(from, from + 500);
      await shells.until(Promise.all(some.map((name) => a.strictNames.register(name, process))));
    }
    expect(a.strictNames.whereis("n0")).toMatchObject({ pid: process.pid, ageMs: 0 });
    events.length = 0;
    process.exit();
    await shells.run(100);
    expect(events.filter((kind) => kind === "unregistered")).toHaveLength(names.length);
    await watch.return();
  });

  test("can watch: the state first, then each change that this node hears of", async () => {
    const { shells, start } = setUp("watch");
    const [a, b] = [await start("a"), await start("b")];
    const first = await shells.until(a.strictNames.register("x", a.spawn()));
    const events: StrictNameEvent[] = [];
    const watch = b.strictNames.watch("x");
    void (async () => {
      for await (const event of watch) events.push(event);
    })();
    await shells.run(100);
    await shells.until(first.release());
    await shells.run(TTL_MS);
    const second = await shells.until(b.strictNames.register("x", b.spawn()));
    await shells.run(100);
    expect(events.map(({ kind }) => kind)).toEqual(["state", "registered", "unregistered", "registered"]);
    expect(events[1]).toMatchObject({ name: "x", holder: { token: first.token, node: a.id } });
    expect(events[3]).toMatchObject({ name: "x", holder: { token: second.token, node: b.id } });
    await watch.return();
    await shells.run(TTL_MS);
    expect(b.stats()).toMatchObject({ watches: 0, leases: { lookups: 0 } });
    const { requests } = b.stats().leases;
    await shells.run(TTL_MS);
    expect(b.stats().leases.requests - requests).toBeLessThanOrEqual(12);
  });
});

describe("a watch of one name", () => {
  async function follow(watch: AsyncIterable<StrictNameEvent>, events: string[]): Promise<void> {
    for await (const event of watch) events.push(event.kind);
  }

  test("looks three times in each ttl, however many watch, and goes on while nobody can tell", async () => {
    const { cutAll, healAll, shells, start } = setUp("watches");
    const [a, b] = [await start("a"), await start("b")];
    const lease = await shells.until(a.strictNames.register("x", a.spawn()));
    const requestsIn = async (ms: number): Promise<number> => {
      const before = b.stats().leases.requests;
      await shells.run(ms);
      return b.stats().leases.requests - before;
    };
    const alone = await requestsIn(10 * TTL_MS);
    const events: string[][] = [[], [], []];
    const watches = events.map((list) => {
      const watch = b.strictNames.watch("x");
      void follow(watch, list);
      return watch;
    });
    const looks = ((await requestsIn(10 * TTL_MS)) - alone) / 3 / 10;
    expect(looks).toBeGreaterThan(2.5);
    expect(looks).toBeLessThan(3.5);
    expect(events).toEqual([1, 2, 3].map(() => ["state", "registered"]));
    cutAll();
    await shells.run(2 * TTL_MS);
    expect(lease.isHeld()).toBe(false);
    healAll();
    await shells.run(3 * TTL_MS);
    expect(events).toEqual([1, 2, 3].map(() => ["state", "registered", "unregistered"]));
    for (const watch of watches) await watch.return();
    await shells.run(TTL_MS);
    const another = b.strictNames.watch("x");
    const later: string[] = [];
    void follow(another, later);
    await shells.run(TTL_MS);
    await shells.until(a.strictNames.register("x", a.spawn()));
    await shells.run(TTL_MS);
    expect(later).toEqual(["state", "registered"]);
    await another.return();
  });

  test("goes on, and harms nobody, where as many wait already as may", async () => {
    const { shells, start } = setUp("no room to look");
    const a = await start("a", { limits: { pendingRequests: 2 } });
    await shells.until(a.strictNames.register("x", a.spawn()));
    const events: string[] = [];
    const watch = a.strictNames.watch("y");
    void follow(watch, events);
    await shells.run(TTL_MS);
    const waits = [1, 2].map(async () => {
      const asked = a.strictNames.register("x", a.spawn(), { wait: true, timeoutMs: TTL_MS + 2_000 });
      return asked.catch((error: unknown) => (error as TimeoutError).code);
    });
    await shells.run(TTL_MS + 2_000);
    expect(await shells.until(Promise.all(waits), 1)).toEqual(["TIMEOUT", "TIMEOUT"]);
    const b = await start("b");
    await shells.until(b.strictNames.register("y", b.spawn()));
    await shells.run(TTL_MS);
    expect(events).toEqual(["state", "registered"]);
    await watch.return();
  });
});

describe("a message to a strict name", () => {
  test("reaches its holder, whose handler is told the token", async () => {
    const { shells, start } = setUp("messages");
    const [a, b] = [await start("a"), await start("b")];
    const got: unknown[] = [];
    const process = a.spawn((message, { token }) => {
      got.push([message, token]);
      return token;
    });
    const lease = await shells.until(a.strictNames.register("x", process));
    for (const node of [a, b]) {
      expect(await shells.until(node.call({ strictName: "x" }, "call"))).toBe(lease.token);
      node.send({ strictName: "x", scope: "default" }, "send");
      await shells.run(50);
      const all = await shells.until(node.multicall([{ strictName: "x" }, process], "all"));
      expect(all.replies).toEqual([
        { pid: process.pid, value: lease.token },
        { pid: process.pid, value: undefined },
      ]);
    }
    const { token } = lease;
    const each = [
      ["call", token],
      ["send", token],
      ["all", token],
      ["all", undefined],
    ];
    expect(got).toEqual([...each, ...each]);
  });

  test("keeps its order among those to the same name, looked up or not", async () => {
    const { shells, start } = setUp("order");
    const [a, b] = [await start("a"), await start("b")];
    const got: unknown[] = [];
    await shells.until(
      a.strictNames.register(
        "x",
        a.spawn((message) => got.push(message)),
      ),
    );
    const sent = Array.from({ length: 50 }, (_, index) => index);
    for (const index of sent) {
      b.send({ strictName: "x" }, index);
      if (index % 10 === 0) await shells.run(1);
    }
    await shells.run(100);
    expect(got).toEqual(sent);
  });

  test("is not handled by who has lost the name, and a call finds who has it now", async () => {
    const { failure, shells, start } = setUp("stale");
    const [a, b, c] = [await start("a"), await start("b"), await start("c")];
    const got: unknown[] = [];
    const old = a.spawn((message) => got.push(["old", message]));
    const lease = await shells.until(a.strictNames.register("x", old));
    await shells.until(c.call({ strictName: "x" }, 1));
    await shells.until(lease.release());
    c.send({ strictName: "x" }, "to nobody");
    await shells.run(50);
    expect(a.stats().messages.undelivered).toBe(1);
    expect(await failure(c.call({ strictName: "x" }, 2))).toBeInstanceOf(NoSuchNameError);
    const next = b.spawn((message) => message);
    await shells.until(b.strictNames.register("x", next));
    expect(await shells.until(c.call({ strictName: "x" }, 3))).toBe(3);
    expect(got).toEqual([["old", 1]]);
  });

  test("is not handled by a former holder where another process of its node holds the name", async () => {
    const { shells, start } = setUp("next door");
    const [a, c] = [await start("a"), await start("c")];
    const [old, next] = [a.spawn(() => "old"), a.spawn(() => "next")];
    const lease = await shells.until(a.strictNames.register("x", old));
    expect(await shells.until(c.call({ strictName: "x" }, 1))).toBe("old");
    await shells.until(lease.release());
    await shells.until(a.strictNames.register("x", next));
    expect(await shells.until(c.call({ strictName: "x" }, 2))).toBe("next");
  });

  test("of an unknown name, scope or key is refused, or counted", async () => {
    const { failure, shells, start } = setUp("unknown");
    const a = await start("a");
    expect(await failure(a.call({ strictName: "x" }, 1))).toMatchObject({ missingName: "x" });
    a.send({ strictName: "x" }, 1);
    await shells.run(100);
    expect(a.stats().messages.undelivered).toBe(1);
    for (const [to, path] of [
      [{ strictName: "x", scope: "closed" }, "to.scope"],
      [{ strictName: "x", name: "y" }, "to.name"],
      [{ strictName: 5 }, "to.strictName"],
    ] as const) {
      expect(() => a.send(to as never, 1)).toThrow(expect.objectContaining({ path }));
    }
  });
});
