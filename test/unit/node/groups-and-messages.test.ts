import { describe, expect, test } from "vitest";
import {
  CallFailedError,
  InvalidArgumentError,
  LimitExceededError,
  NodeDownError,
  NoSuchNameError,
  NoSuchProcessError,
  NotLocalError,
  TimeoutError,
} from "../../../src/kernel/errors.ts";
import type { Pid } from "../../../src/kernel/ids.ts";
import { Shells } from "../../support/shells.ts";

describe("groups and messages", () => {
  test("publish reaches every member once, in order, and says how many", async () => {
    const shells = new Shells("publish");
    const nodes = await shells.startAll("a", "b", "c");
    const [a] = nodes;
    const seen = new Map<Pid, unknown[]>();
    for (const node of nodes) {
      for (let index = 0; index < 2; index += 1) {
        const process = node.spawn((message, { self }) => void seen.get(self.pid)?.push(message));
        seen.set(process.pid, []);
        node.groups.join("g", process);
      }
    }
    await shells.run(50);
    expect(a.groups.count("g")).toBe(6);
    for (let number = 0; number < 100; number += 1) expect(a.groups.publish("g", number)).toBe(6);
    await shells.run(50);
    for (const messages of seen.values())
      expect(messages).toEqual(Array.from({ length: 100 }, (_, index) => index));
    const [spared] = a.groups.members("g");
    expect(a.groups.publish("g", "x", { except: spared?.pid as Pid })).toBe(5);
    expect(a.groups.publish("g", "x", { only: "local" })).toBe(2);
    expect(a.groups.publish("g", "x", { only: nodes[1].id })).toBe(2);
    expect(a.groups.publish("nobody", "x")).toBe(0);
    await shells.run(50);
    const extra = [...seen.values()].map((messages) => messages.length - 100);
    expect(extra.reduce((sum, count) => sum + count, 0)).toBe(9);
  });

  test("send, call and publish keep their order between one sender and one receiver", async () => {
    const shells = new Shells("order");
    const [a, b, c] = await shells.startAll("a", "b", "c");
    const seen: unknown[] = [];
    const receiver = b.spawn((message) => void seen.push(message));
    b.groups.join("g", receiver);
    c.groups.join(
      "g",
      c.spawn(() => {}),
    );
    await shells.run(50);
    const sender = a.spawn();
    const calls: Promise<unknown>[] = [];
    for (let number = 0; number < 60; number += 3) {
      a.send(receiver, number, { from: sender });
      calls.push(a.call(receiver, number + 1));
      a.groups.publish("g", number + 2);
      if (number % 9 === 0) await shells.run(0.3);
    }
    await shells.until(Promise.all(calls));
    await shells.run(20);
    expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => index));
  });

  test("a message is a copy, read-only where it is received", async () => {
    const shells = new Shells("copies");
    const [a, b] = await shells.startAll("a", "b");
    const seen: unknown[] = [];
    const here = a.spawn((message) => void seen.push(message));
    const there = b.spawn((message) => void seen.push(message));
    const message = { list: [1], map: new Map([["k", new Date(0)]]) };
    a.send(here, message);
    a.send(there, message);
    message.list.push(2);
    await shells.run(20);
    const received = { list: [1], map: new Map([["k", new Date(0)]]) };
    expect(seen).toEqual([received, received]);
    for (const copy of seen) expect(Object.isFrozen((copy as { list: unknown }).list)).toBe(true);
  });

  test("a handler is told whether somebody waits for its answer", async () => {
    const shells = new Shells("isCall");
    const [a, b] = await shells.startAll("a", "b");
    const seen: boolean[] = [];
    const callee = b.spawn((_message, { isCall }) => {
      seen.push(isCall);
    });
    a.send(callee.pid, 1);
    await shells.until(a.call(callee.pid, 2));
    b.send(callee.pid, 3);
    await shells.until(b.call(callee.pid, 4));
    expect(seen).toEqual([false, true, false, true]);
  });

  test("call gives what the handler returns, or why it does not", async () => {
    const shells = new Shells("call");
    const [a, b] = await shells.startAll("a", "b");
    const seen: unknown[] = [];
    const handler = async (message: unknown, { from }: { from?: Pid | undefined }) => {
      seen.push(from);
      if (message === "throw") throw Object.assign(new RangeError("too far"), { code: "FAR" });
      if (message === "function") return () => {};
      return [message];
    };
    const caller = a.spawn();
    for (const callee of [a.spawn(handler), b.spawn(handler)]) {
      expect(await shells.until(a.call(callee, "hi", { from: caller }))).toEqual(["hi"]);
      expect(seen.pop()).toBe(caller.pid);
      const thrown = await shells.until(a.call(callee, "throw").catch((error: unknown) => error));
      expect(thrown).toBeInstanceOf(CallFailedError);
      expect((thrown as CallFailedError).callee).toBe(callee.pid);
      expect((thrown as CallFailedError).cause).toMatchObject({
        name: "RangeError",
        message: "too far",
        code: "FAR",
      });
      await expect(shells.until(a.call(callee, "function"))).rejects.toThrow(CallFailedError);
    }
    await shells.until(
      b.names.register(
        "svc",
        b.spawn((message) => message),
      ),
    );
    await shells.until(b.settled());
    expect(await shells.until(a.call({ name: "svc" }, 7))).toBe(7);
    await expect(a.call({ name: "nobody" }, 7)).rejects.toThrow(NoSuchNameError);
    await expect(shells.until(a.call(b.spawn(), 1))).rejects.toThrow("no handler");
  });

  test("a call to what is gone rejects at once", async () => {
    const shells = new Shells("dead callee");
    const [a, b] = await shells.startAll("a", "b");
    const stuck = b.spawn(() => new Promise(() => {}));
    const dead = b.spawn();
    dead.exit();
    await expect(shells.until(a.call(dead, 1))).rejects.toThrow(NoSuchProcessError);
    const waiting = [a.call(stuck, 1), a.call(stuck, 2)].map((call) => call.catch((error: unknown) => error));
    await shells.run(20);
    stuck.exit();
    for (const call of waiting) expect(await shells.until(call)).toBeInstanceOf(NoSuchProcessError);
    const hanging = b.spawn(() => new Promise(() => {}));
    const lost = a.call(hanging, 1).catch((error: unknown) => error);
    await shells.run(20);
    shells.network.kill("b");
    expect(await shells.until(lost)).toBeInstanceOf(NodeDownError);
    await expect(a.call(hanging, 1)).rejects.toThrow(NodeDownError);
    a.send(hanging, 1);
    expect(a.stats().messages.undelivered).toBe(1);
    expect(a.stats().pendingCalls).toBe(0);
  });

  test("a pid with a number that no node gives out is that of no process", async () => {
    const shells = new Shells("made-up pid");
    const [a, b] = await shells.startAll("a", "b");
    const madeUp = `${b.id}/zzzzzzzzzzz` as Pid;
    const startedAtMs = shells.clock.now().monotonicMs;
    await expect(shells.until(a.call(madeUp, 1))).rejects.toThrow(NoSuchProcessError);
    expect(shells.clock.now().monotonicMs).toBe(startedAtMs);
    a.send(madeUp, 1);
    await shells.run(20);
    expect(a.stats().messages.undelivered).toBe(1);
    expect(b.stats().messages.malformed).toBe(0);
  });

  test("a call times out, and one not begun by then is never begun", async () => {
    const shells = new Shells("call timeout");
    const [a, b] = await shells.startAll("a", "b");
    let finish: (() => void) | undefined;
    const begun: unknown[] = [];
    const busy = b.spawn(async (message) => {
      begun.push(message);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    const first = a.call(busy, "first", { timeoutMs: 100 });
    const second = a.call(busy, "second", { timeoutMs: 100 });
    await expect(shells.until(Promise.all([first, second]))).rejects.toThrow(TimeoutError);
    await shells.run(50);
    finish?.();
    await shells.run(50);
    expect(begun).toEqual(["first"]);
    expect(b.stats().messages.expiredCalls).toBe(1);
    expect(a.stats().messages.lateReplies).toBe(1);
  });

  test("multicall tells who answered what, and who did not", async () => {
    const shells = new Shells("multicall");
    const [a, b] = await shells.startAll("a", "b");
    const one = a.spawn(() => 1);
    const two = b.spawn(() => 2);
    const three = b.spawn(() => {
      throw new Error("three");
    });
    a.groups.join("g", one);
    b.groups.join("g", [two, three]);
    await shells.run(20);
    const { replies, failures } = await shells.until(a.multicall<number>({ group: "g" }, "?"));
    expect(new Map(replies.map(({ pid, value }) => [pid, value]))).toEqual(
      new Map([
        [one.pid, 1],
        [two.pid, 2],
      ]),
    );
    expect(failures).toMatchObject([{ to: three.pid, error: { code: "CALL_FAILED" } }]);
    const named = await shells.until(a.multicall([one, { name: "nobody" }], "?"));
    expect(named).toMatchObject({
      replies: [{ pid: one.pid, value: 1 }],
      failures: [{ to: { name: "nobody" } }],
    });
  });

  test("joining counts, leaving counts down, and members are listed once", async () => {
    const shells = new Shells("joins");
    const [a, b] = await shells.startAll("a", "b");
    const process = a.spawn();
    a.groups.join("g", process, { meta: { role: "x" } });
    expect(a.groups.members("g")).toEqual([{ pid: process.pid, meta: { role: "x" }, node: a.id, joins: 1 }]);
    a.groups.join("g", process);
    expect(a.groups.members("g")).toMatchObject([{ joins: 2, meta: { role: "x" } }]);
    a.groups.update("g", process, (meta) => ({ ...(meta as object), more: true }));
    expect(a.groups.localMembers("g")).toMatchObject([{ meta: { role: "x", more: true } }]);
    expect(a.groups.groupsOf(process)).toEqual(["g"]);
    await shells.run(20);
    expect(b.groups.members("g")).toEqual(a.groups.members("g"));
    expect(() => b.groups.join("g", [b.spawn(), process])).toThrow(NotLocalError);
    expect(b.groups.count("g")).toBe(1);
    expect(a.groups.leave("g", process)).toBe(true);
    expect(a.groups.count("g")).toBe(1);
    expect(a.groups.leave("g", process)).toBe(true);
    expect(a.groups.leave("g", process)).toBe(false);
    expect(a.groups.list()).toEqual([]);
    process.exit();
    expect(() => a.groups.join("g", process)).toThrow(NoSuchProcessError);
  });

  test("a process that ends while its metadata is read joins nothing", async () => {
    const shells = new Shells("ends in a getter");
    const a = await shells.start("a");
    const process = a.spawn();
    const meta = {
      get role() {
        process.exit();
        return "x";
      },
    };
    expect(() => a.groups.join("g", process, { meta })).toThrow(NoSuchProcessError);
    expect(a.groups.list()).toEqual([]);
  });

  test("pick: nearest, round robin, and by a key that moves little", async () => {
    const shells = new Shells("pick");
    const [a, b] = await shells.startAll("a", "b");
    const here = a.spawn();
    const there = Array.from({ length: 9 }, () => b.spawn());
    a.groups.join("g", here);
    b.groups.join("g", there);
    await shells.run(20);
    for (let index = 0; index < 20; index += 1) expect(a.groups.pick("g")?.pid).toBe(here.pid);
    const round = Array.from({ length: 20 }, () => a.groups.pick("g", "roundRobin")?.pid);
    expect(new Set(round).size).toBe(10);
    expect(a.groups.pick("none")).toBeUndefined();
    const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);
    const picks = () => keys.map((key) => a.groups.pick("g", { hash: key })?.pid);
    expect(picks()).toEqual(keys.map((key) => b.groups.pick("g", { hash: key })?.pid));
    const before = picks();
    const gone = there[0];
    gone?.exit();
    await shells.run(20);
    const moved = picks().filter((pid, index) => pid !== before[index]);
    expect(moved).toHaveLength(before.filter((pid) => pid === gone?.pid).length);
    expect(() => a.groups.pick("g", "best" as never)).toThrow(InvalidArgumentError);
  });

  test("what is said while the connection is away arrives afterwards, once and in order", async () => {
    const shells = new Shells("outage");
    const [a, b] = await shells.startAll("a", "b");
    const seen: unknown[] = [];
    const receiver = b.spawn((message) => void seen.push(message));
    let number = 0;
    const chatter = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 5) {
        a.send(receiver, number);
        number += 1;
        await shells.run(5);
      }
    };
    await chatter(100);
    // Out of the node, and not yet at the other: the bus loses it, and tells nobody.
    for (let more = 0; more < 10; more += 1) {
      a.send(receiver, number);
      number += 1;
      await shells.run(0.01);
    }
    expect(seen.length).toBeLessThan(number);
    shells.network.disconnect("a");
    await chatter(3_000);
    shells.network.reconnect("a");
    await chatter(100);
    await shells.run(3_000);
    expect(seen).toEqual(Array.from({ length: number }, (_, index) => index));
    expect(a.nodes()).toHaveLength(2);
  });

  test("when the bus itself was away, what was said meanwhile waits for those who come back later", async () => {
    const shells = new Shells("bus restart");
    const [a, b] = await shells.startAll("a", "b", "c");
    const seen: unknown[] = [];
    const receiver = b.spawn((message) => void seen.push(message));
    await shells.run(1_000);
    for (const name of ["a", "b", "c"]) shells.network.disconnect(name);
    for (let number = 0; number < 50; number += 1) a.send(receiver, number);
    await shells.run(500);
    shells.network.reconnect("a");
    a.send(receiver, 50);
    await shells.run(300);
    shells.network.reconnect("b");
    await shells.run(100);
    // c may come back yet, and messages to all must not overtake those to b.
    expect(seen).toEqual([]);
    const flushed = a.flushed();
    await shells.run(2_000);
    expect(seen).toEqual(Array.from({ length: 51 }, (_, index) => index));
    await flushed;
    expect(a.stats().outbound.queuedBytes).toBe(0);
  });

  test("while the connection is away, sends beyond the limit throw, and flushed waits for room", async () => {
    const shells = new Shells("outbound limit");
    const a = await shells.start("a", { limits: { outboundBytes: 10_000 } });
    const b = await shells.start("b");
    const receiver = b.spawn(() => {});
    await shells.run(200);
    shells.network.disconnect("a");
    const error = (() => {
      try {
        for (;;) a.send(receiver, "x".repeat(1_000));
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: "LIMIT_EXCEEDED", limit: "outboundBytes", allowed: 10_000 });
    await expect(a.call(receiver, "x".repeat(1_000))).rejects.toThrow(LimitExceededError);
    const flushed = a.flushed();
    await expect(shells.until(a.flushed({ timeoutMs: 10 }))).rejects.toThrow(TimeoutError);
    await shells.run(100);
    shells.network.reconnect("a");
    await shells.until(flushed);
    a.send(receiver, "x".repeat(1_000));
  });
});
