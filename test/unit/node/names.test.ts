import { describe, expect, test } from "vitest";
import type { NameEvent } from "../../../src/global/types.ts";
import {
  InvalidArgumentError,
  LimitExceededError,
  NameTakenError,
  NoSuchNameError,
  NotLocalError,
} from "../../../src/kernel/errors.ts";
import type { Pid } from "../../../src/kernel/ids.ts";
import { Shells } from "../../support/shells.ts";

describe("names", () => {
  test("a registration is there at once here, and soon there; the second to register is refused", async () => {
    const shells = new Shells("register");
    const [a, b] = await shells.startAll("a", "b");
    const holder = a.spawn();
    const registration = await shells.until(a.names.register("svc", holder, { meta: { port: 1 } }));
    expect(registration).toMatchObject({ name: "svc", pid: holder.pid, meta: { port: 1 }, node: a.id });
    expect(a.names.whereis("svc")).toEqual(registration);
    await shells.until(a.settled());
    expect(b.names.whereis("svc")).toEqual(registration);
    await expect(shells.until(b.names.register("svc", b.spawn()))).rejects.toThrow(NameTakenError);
    expect([...b.names.list()]).toEqual([registration]);
    expect(b.names.count({ node: a.id })).toBe(1);
    expect(b.names.namesOf(holder)).toEqual(["svc"]);
  });

  test("update computes again when somebody wrote meanwhile", async () => {
    const shells = new Shells("update");
    const [a, b] = await shells.startAll("a", "b");
    await shells.until(a.names.register("n", a.spawn(), { meta: 0 }));
    await shells.until(a.settled());
    const increments = [a, b, a, b, b].map((node) => node.names.update("n", (meta) => (meta as number) + 1));
    await shells.until(Promise.all(increments));
    await shells.until(a.settled());
    expect(a.names.whereis("n")?.meta).toBe(5);
    expect(b.names.whereis("n")?.meta).toBe(5);
    const failing = a.names.update("n", () => {
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    await expect(a.names.update("nobody", () => 1)).rejects.toThrow(NoSuchNameError);
  });

  test("update, transfer and unregister act on what the node knows: by a message of the holder's node it knows", async () => {
    const shells = new Shells("what a node knows");
    const [a, b] = await shells.startAll("a", "b");
    const holder = a.spawn();
    await shells.until(a.names.register("n", holder));
    // In this turn the news has not left its node yet.
    expect(await shells.until(b.names.unregister("n"))).toBe(false);
    await shells.until(a.names.unregister("n"));

    await shells.until(a.names.register("n", holder));
    const late = [b.names.update("n", () => 1), b.names.transfer("n", b.spawn())];
    for (const promise of late) await expect(promise).rejects.toThrow(NoSuchNameError);
    await shells.until(a.names.unregister("n"));

    for (let round = 0; round < 20; round += 1) {
      const told = b.spawn(() => b.names.unregister("n"));
      await shells.until(a.names.register("n", holder));
      expect(await shells.until(a.call(told, "free it"))).toBe(true);
    }
    await shells.until(a.names.register("n", holder));
    await shells.until(a.settled());
    expect(await shells.until(b.names.unregister("n"))).toBe(true);
  });

  test("waitFor resolves when the name has a holder, and gives up in time", async () => {
    const shells = new Shells("waitFor");
    const [a, b] = await shells.startAll("a", "b");
    const waiting = b.names.waitFor("svc");
    expect(b.stats()).toMatchObject({ watches: 0, pendingRequests: 1 });
    const process = a.spawn();
    await shells.until(a.names.register("svc", process));
    expect((await shells.until(waiting)).pid).toBe(process.pid);
    expect((await b.names.waitFor("svc")).pid).toBe(process.pid);
    const never = b.names.waitFor("never", { timeoutMs: 50 });
    await expect(shells.until(never)).rejects.toThrow('waitFor("never") took longer than 50 ms');
    const controller = new AbortController();
    const aborted = b.names.waitFor("never", { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    expect(b.stats()).toMatchObject({ watches: 0, pendingRequests: 0 });
  });

  test("as many may wait for names as limits.pendingRequests says, however few may watch", async () => {
    const shells = new Shells("many waits");
    const a = await shells.start("a", { limits: { watches: 1, pendingRequests: 3 } });
    const waiting = ["x", "x", "y"].map((name) => a.names.waitFor(name));
    const watch = a.names.watch();
    await expect(a.names.waitFor("z")).rejects.toMatchObject({ limit: "pendingRequests", allowed: 3 });
    const ended = Promise.allSettled(waiting);
    await shells.until(a.stop());
    for (const outcome of await ended) expect(outcome).toMatchObject({ reason: { code: "BUS_CLOSED" } });
    await watch.return();
  });

  test("watch gives the state, then each change in order", async () => {
    const shells = new Shells("watch names");
    const [a, b] = await shells.startAll("a", "b");
    const first = a.spawn();
    await shells.until(a.names.register("one", first));
    await shells.until(a.settled());
    const all = b.names.watch();
    const two = b.names.watch("two");
    await shells.until(a.names.register("two", first, { meta: 1 }));
    await shells.until(a.names.register("two", first, { meta: 2 }));
    await shells.until(a.names.unregister("two"));
    await shells.until(a.settled());
    const kinds = async (watch: AsyncIterator<NameEvent>, count: number) => {
      const seen: string[] = [];
      for (let index = 0; index < count; index += 1) seen.push((await watch.next()).value.kind);
      return seen;
    };
    expect(await kinds(all, 4)).toEqual(["state", "registered", "updated", "unregistered"]);
    expect(await kinds(two, 4)).toEqual(["state", "registered", "updated", "unregistered"]);
    await all.return();
    await two.return();
    expect(b.stats().watches).toBe(0);
  });

  test("bad arguments are refused before anything happens", async () => {
    const shells = new Shells("bad arguments");
    const a = await shells.start("a");
    const process = a.spawn();
    const bad = [
      a.names.register("", process),
      a.names.register("\ud800", process),
      a.names.register("x".repeat(513), process),
      a.names.register("n", "no pid" as Pid),
      a.names.register("n", process, { meta: () => {} }),
      a.names.register("n", process, { timeoutMs: -1 }),
      a.names.register("n", process, { resolve: 5 as never }),
      a.names.update("n", undefined as never),
      a.names.transfer("n", undefined as never),
      a.scope(""),
    ];
    for (const promise of bad) await expect(promise).rejects.toThrow(InvalidArgumentError);
    expect(() => a.names.whereis("")).toThrow(InvalidArgumentError);
    expect(() => a.groups.join("", process)).toThrow(InvalidArgumentError);
    expect(() => a.monitor({ node: "x" as never })).toThrow(InvalidArgumentError);
    expect(() => a.spawn(undefined, { mailbox: 0 })).toThrow(InvalidArgumentError);
    expect(() => a.send("x" as Pid, 1)).toThrow(InvalidArgumentError);
    expect(a.names.count()).toBe(0);
    await expect(a.names.register("n", process, { meta: "x".repeat(9000) })).rejects.toThrow(
      LimitExceededError,
    );
  });

  test("names of odd characters are names like others", async () => {
    const shells = new Shells("odd names");
    const [a, b] = await shells.startAll("a", "b");
    const names = ["__proto__", "a.b", ">", "*", "constructor", "x\r\ny", "naïve ☃", " ", "\u0000"];
    const process = a.spawn();
    for (const name of names) await shells.until(a.names.register(name, process));
    await shells.until(a.settled());
    for (const name of names) expect(b.names.whereis(name)?.pid).toBe(process.pid);
  });

  test("a resolver is for processes of this node only", async () => {
    const shells = new Shells("remote resolver");
    const [a, b] = await shells.startAll("a", "b");
    const there = b.spawn();
    const registered = a.names.register("n", there, { resolve: () => ({ keep: "none", notify: false }) });
    await expect(registered).rejects.toThrow(NotLocalError);
  });

  test("after a partition the resolver of the oldest decides, and the losers are told", async () => {
    const shells = new Shells("clash");
    const [a, b] = await shells.startAll("a", "b");
    shells.network.partition([["a"], ["b"]]);
    await shells.eventually(() => a.nodes().length === 1 && b.nodes().length === 1);
    const told: unknown[] = [];
    const older = a.spawn(undefined, { onNotice: (notice) => told.push(notice) });
    const newer = b.spawn();
    const clashes: unknown[] = [];
    const resolve = async (clash: { contenders: readonly { pid: Pid }[] }) => {
      clashes.push(clash);
      return { keep: clash.contenders[1]?.pid as Pid, losers: "notify" as const };
    };
    await shells.until(a.names.register("n", older, { resolve }));
    await shells.run(100);
    await shells.until(b.names.register("n", newer));
    shells.network.heal();
    await shells.eventually(() => a.names.whereis("n")?.pid === newer.pid);
    expect(b.names.whereis("n")?.pid).toBe(newer.pid);
    expect(clashes).toHaveLength(1);
    await shells.eventually(() => told.length > 0);
    expect(told).toEqual([{ kind: "nameClash", name: "n", scope: "default", winner: newer.pid }]);
  });
});
