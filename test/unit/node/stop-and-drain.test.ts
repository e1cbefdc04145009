import { describe, expect, test } from "vitest";
import {
  BusClosedError,
  DuplicateNodeError,
  NodeDownError,
  NoSuchProcessError,
} from "../../../src/kernel/errors.ts";
import { Shells } from "../../support/shells.ts";

describe("the end", () => {
  test("stop ends everything that waits, and leaves no timer", async () => {
    const shells = new Shells("stop");
    const a = await shells.start("a");
    const timersOfOne = shells.clock.pending;
    const b = await shells.start("b");
    const stuck = b.spawn(() => new Promise(() => {}));
    const process = b.spawn();
    const rejected = [b.call(stuck, 1), b.names.waitFor("never"), a.call(stuck, 1)].map((promise) =>
      promise.catch((error: unknown) => error),
    );
    const watch = b.names.watch();
    await watch.next();
    const next = watch.next();
    let isDown = false;
    void b.monitor(a.spawn()).down.then(() => {
      isDown = true;
    });
    await shells.run(50);
    const stopped = b.stop();
    expect(b.stop()).toBe(stopped);
    await shells.until(stopped);
    expect(await b.closed).toEqual({ kind: "stopped" });
    expect(await next).toEqual({ value: undefined, done: true });
    expect(await process.exited).toEqual({ kind: "shutdown" });
    expect(process.signal.aborted).toBe(true);
    const [call, wait, remote] = await shells.until(Promise.all(rejected));
    expect(call).toBeInstanceOf(NoSuchProcessError);
    expect(wait).toBeInstanceOf(BusClosedError);
    expect([NoSuchProcessError, NodeDownError].some((kind) => remote instanceof kind)).toBe(true);
    await shells.run(1_000);
    expect(isDown).toBe(false);
    expect(a.nodes()).toHaveLength(1);
    await shells.until(a.stop());
    expect(timersOfOne).toBeGreaterThan(0);
    expect(shells.clock.pending).toBe(0);
  });

  test("the names, memberships and monitors of a node that stops end in one hop, however long it hands over", async () => {
    const shells = new Shells("stop at once");
    const [a, b] = await shells.startAll("a", "b", "c");
    const [named, member] = [b.spawn(), b.spawn()];
    await shells.until(b.names.register("svc", named));
    b.groups.join("all", member);
    await shells.until(b.settled());
    const monitors = [a.monitor(named), a.monitor(member), a.monitor({ name: "svc" })];
    const own = b.monitor(member);
    const watches = [b.names.watch(), b.groups.watch()];
    for (const watch of watches) await watch.next();
    await shells.run(20);
    shells.network.pause("c");
    const stopped = b.stop();
    await shells.run(20);
    expect(a.nodes().some(({ id }) => id === b.id)).toBe(true);
    expect(a.names.whereis("svc")).toBeUndefined();
    expect(a.groups.members("all")).toEqual([]);
    for (const { down } of monitors) {
      expect((await shells.until(down)).reason).toEqual({ kind: "shutdown" });
    }
    expect((await shells.until(a.names.register("svc", a.spawn()))).node).toBe(a.id);
    await shells.until(stopped);
    for (const watch of watches) expect(await watch.next()).toEqual({ value: undefined, done: true });
    expect(await Promise.race([own.down, "pending"])).toBe("pending");
  });

  test("a registration that the stop of its node comes upon is refused, and leaves nothing", async () => {
    const shells = new Shells("stop amid requests");
    const [a, b] = await shells.startAll("a", "b", "c");
    shells.network.pause("c");
    const process = b.spawn();
    const names = Array.from({ length: 30 }, (_, index) => `name-${index}`);
    const asked = Promise.allSettled(names.map((name) => b.names.register(name, process)));
    await shells.run(1);
    const stopped = b.stop();
    await shells.run(50);
    expect(a.nodes().some(({ id }) => id === b.id)).toBe(true);
    expect(a.names.count()).toBe(0);
    await shells.until(stopped);
    const failures = (await shells.until(asked)).flatMap((outcome) =>
      outcome.status === "rejected" ? [outcome.reason] : [],
    );
    expect(failures.length).toBeGreaterThan(0);
    const kinds = [NoSuchProcessError, BusClosedError];
    for (const failure of failures) expect(kinds.some((kind) => failure instanceof kind)).toBe(true);
  });

  test("everything but stop is refused afterwards", async () => {
    const shells = new Shells("refused");
    const a = await shells.start("a");
    const process = a.spawn();
    await shells.until(a.stop());
    const throwing = [
      () => a.nodes(),
      () => a.watchNodes(),
      () => a.spawn(),
      () => a.monitor(process),
      () => a.send(process, 1),
      () => a.stats(),
      () => a.names.whereis("x"),
      () => a.names.list(),
      () => a.names.count(),
      () => a.names.namesOf(process),
      () => a.names.watch(),
      () => a.groups.join("g", process),
      () => a.groups.leave("g", process),
      () => a.groups.members("g"),
      () => a.groups.publish("g", 1),
      () => a.groups.pick("g"),
      () => a.groups.list(),
      () => a.groups.watch(),
    ];
    for (const act of throwing) expect(act).toThrow(BusClosedError);
    const rejecting = [
      a.call(process, 1),
      a.multicall([process], 1),
      a.settled(),
      a.flushed(),
      a.drain(),
      a.scope("x"),
      a.names.register("x", process),
      a.names.update("x", () => 1),
      a.names.transfer("x", process),
      a.names.unregister("x"),
      a.names.waitFor("x"),
    ];
    for (const promise of rejecting) await expect(promise).rejects.toThrow(BusClosedError);
    await a.stop();
    await a[Symbol.asyncDispose]();
  });

  test("drain tells the processes, takes no new names, lets them finish, and stops", async () => {
    const shells = new Shells("drain");
    const [a, b] = await shells.startAll("a", "b");
    const notices: unknown[] = [];
    let finish: (() => void) | undefined;
    const busy = a.spawn(
      () =>
        new Promise<string>((resolve) => {
          finish = () => resolve("done");
        }),
      { onNotice: (notice) => notices.push(notice) },
    );
    const answer = b.call(busy, "work");
    await shells.run(20);
    const drained = a.drain({ deadlineMs: 4_000 });
    expect(notices).toEqual([{ kind: "draining", deadlineMs: 4_000 }]);
    await expect(a.names.register("late", busy)).rejects.toThrow(BusClosedError);
    expect(() => a.groups.join("late", busy)).toThrow(BusClosedError);
    await shells.run(200);
    expect(a.names.count()).toBe(0);
    finish?.();
    expect(await shells.until(answer)).toBe("done");
    await shells.until(drained);
    expect(await a.closed).toEqual({ kind: "stopped" });
  });

  test("a draining node takes no names that others want its processes to have, and still gives its own away", async () => {
    const shells = new Shells("drain and others");
    const [a, b, c] = await shells.startAll("a", "b", "c");
    const moved: Promise<unknown>[] = [];
    const [heir, hers] = [b.spawn(), b.spawn()];
    const handler = (message: unknown) => (message === "hang" ? new Promise(() => {}) : message);
    const leaving = a.spawn(handler, {
      onNotice: ({ kind }) => {
        if (kind === "draining") moved.push(a.names.transfer("service", heir));
      },
    });
    const other = a.spawn();
    for (const name of ["service", "kept"]) await shells.until(a.names.register(name, leaving));
    await shells.until(b.names.register("hers", hers));
    await shells.until(Promise.all([a.settled(), b.settled()]));
    a.send(leaving, "hang");
    const drained = a.drain({ deadlineMs: 4_000 });
    await shells.run(100);
    expect(await shells.until(Promise.all(moved))).toMatchObject([{ pid: heir.pid }]);
    for (const node of [b, c]) {
      const asked = [
        node.names.register("late", leaving),
        node.names.reregister("hers", leaving),
        node.names.transfer("hers", leaving),
        node.names.transfer("kept", other),
      ];
      for (const promise of asked.map((each) => each.catch((thrown: unknown) => thrown))) {
        const error = await shells.until(promise, 1_000);
        expect(error).toBeInstanceOf(NodeDownError);
        expect(error).toMatchObject({
          node: a.id,
          message: `node ${a.id} is leaving, and takes no more registrations`,
        });
      }
      expect(node.names.whereis("hers")?.pid).toBe(hers.pid);
      expect(await shells.until(node.names.update("kept", () => node.name))).toMatchObject({
        meta: node.name,
      });
    }
    expect(await shells.until(b.names.unregister("kept"))).toBe(true);
    await shells.until(drained);
    expect(c.names.whereis("service")?.pid).toBe(heir.pid);
  });

  test("an idle node that drains has given its names away when it is gone, if its processes do so when told", async () => {
    const shells = new Shells("drain and transfer");
    const [a, b, c] = await shells.startAll("a", "b", "c");
    const heir = b.spawn();
    const names = Array.from({ length: 50 }, (_, index) => `service ${index}`);
    const leaving = a.spawn(undefined, {
      onNotice: async () => {
        for (const name of names) await a.names.transfer(name, heir);
      },
    });
    for (const name of names) await shells.until(a.names.register(name, leaving));
    await shells.until(a.settled());
    await shells.until(a.drain());
    await shells.run(100);
    for (const name of names) expect(c.names.whereis(name)?.pid).toBe(heir.pid);
  });

  test("drain does not wait beyond its deadline", async () => {
    const shells = new Shells("drain deadline");
    const a = await shells.start("a");
    a.send(
      a.spawn(() => new Promise(() => {})),
      1,
    );
    await shells.run(10);
    const began = shells.clock.now().monotonicMs;
    await shells.until(a.drain({ deadlineMs: 300 }));
    expect(shells.clock.now().monotonicMs - began).toBeLessThan(400);
    expect(shells.clock.pending).toBe(0);
  });

  test("two nodes of one name that meet at a heal: the earlier stays", async () => {
    const shells = new Shells("namesakes");
    const [a, b] = await shells.startAll("a", "b");
    shells.network.partition([["a", "b"], ["second a"]]);
    const second = await shells.until(shells.begin("a", { bus: shells.network.bus("second a") }));
    const watch = second.names.watch();
    await watch.next();
    const next = watch.next().catch((error: unknown) => error);
    shells.network.heal();
    const closed = await shells.until(second.closed);
    expect(closed.kind).toBe("duplicateNode");
    expect(closed.error).toBeInstanceOf(DuplicateNodeError);
    expect(await next).toBeInstanceOf(BusClosedError);
    expect(() => second.nodes()).toThrow(BusClosedError);
    expect(a.nodes().map((node) => node.id)).toEqual([a.id, b.id]);
  });
});
