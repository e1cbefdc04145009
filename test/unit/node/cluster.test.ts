import { describe, expect, test } from "vitest";
import type { NameEvent } from "../../../src/global/types.ts";
import {
  BusClosedError,
  CallFailedError,
  DuplicateNodeError,
  InvalidArgumentError,
  LimitExceededError,
  NameTakenError,
  NodeDownError,
  NoSuchNameError,
  NoSuchProcessError,
  NotLocalError,
  TimeoutError,
} from "../../../src/kernel/errors.ts";
import type { Pid } from "../../../src/kernel/ids.ts";
import { Shells } from "../../support/shells.ts";

describe("nodes", () => {
  test("two nodes see each other, and each knows itself", async () => {
    const shells = new Shells("see each other");
    const [a, b] = await shells.startAll("a", "b");
    expect(a.nodes().map((node) => node.id)).toEqual([a.id, b.id]);
    expect(b.nodes().map((node) => node.id)).toEqual([a.id, b.id]);
    expect(a.id).toMatch(/^a@/);
    expect([a.name, a.cluster]).toEqual(["a", "test"]);
  });

  test("nodes of another cluster or secret are strangers", async () => {
    const shells = new Shells("strangers");
    const a = await shells.start("a", { secret: "correct horse" });
    const b = await shells.start("b", { secret: "battery staple" });
    const c = await shells.start("c", { cluster: "other", secret: "correct horse" });
    const d = await shells.start("d");
    await shells.run(3_000);
    for (const node of [a, b, c, d]) expect(node.nodes()).toHaveLength(1);
    expect(a.stats().frames.dropped.mac).toBeGreaterThan(0);
    expect(d.stats().frames.dropped.mac).toBeGreaterThan(0);
  });

  test("nodes that share a secret meet, also while it is being changed", async () => {
    const shells = new Shells("rotation");
    const a = await shells.start("a", { secret: "old secret" });
    const b = await shells.start("b", { secret: ["new secret", "old secret"] });
    const c = await shells.start("c", { secret: ["old secret", "new secret"] });
    expect(b.nodes()).toHaveLength(2);
    // a does not know the new one, which is why the new one first goes behind the old everywhere.
    expect(a.nodes().map((node) => node.name)).toEqual(["a", "c"]);
    expect(c.nodes()).toHaveLength(3);
  });

  test("watchNodes gives the state, then who comes and goes", async () => {
    const shells = new Shells("watch nodes");
    const a = await shells.start("a");
    const watch = a.watchNodes();
    expect((await watch.next()).value).toMatchObject({ kind: "state", nodes: [{ id: a.id, state: "up" }] });
    const b = await shells.start("b");
    expect((await shells.until(watch.next())).value).toMatchObject({ kind: "up", node: { id: b.id } });
    await shells.until(b.stop());
    const { value } = await shells.until(watch.next());
    expect(value).toMatchObject({
      kind: "down",
      node: { id: b.id },
      reason: { kind: "nodeDown", cause: "left" },
    });
  });

  test("a live node of the name refuses the newcomer, and nothing of the newcomer is left", async () => {
    const shells = new Shells("duplicate");
    const a = await shells.start("a");
    const bus = shells.network.bus("second a");
    const error = await shells.until(shells.begin("a", { bus }).catch((thrown: unknown) => thrown));
    expect(error).toBeInstanceOf(DuplicateNodeError);
    expect((error as DuplicateNodeError).other).toBe(a.id);
    // Its connection is closed: the name is free on the network.
    const again = shells.network.bus("second a").connectNow({
      clientName: "x",
      clock: shells.clock,
      random: { u32: () => 0, fork: () => ({ u32: () => 0, fork: () => undefined as never }) },
      onMessage() {},
      onNoResponders() {},
      onStatus() {},
    });
    await again.close();
  });

  test("a killed node is replaced by one of its name at once", async () => {
    const shells = new Shells("replace");
    const [a, b] = await shells.startAll("a", "b");
    const down = b.monitor({ node: a.id }).down;
    shells.network.kill("a");
    const began = shells.clock.now().monotonicMs;
    const second = await shells.start("a");
    expect(shells.clock.now().monotonicMs - began).toBeLessThan(2_000);
    expect(await shells.until(down)).toMatchObject({ node: a.id, reason: { kind: "nodeDown" } });
    expect(b.nodes().map((node) => node.id)).toContain(second.id);
    expect(b.nodes().map((node) => node.id)).not.toContain(a.id);
  });

  test("startNode rejects with the signal's reason, and leaves nothing open", async () => {
    const shells = new Shells("abort start");
    await shells.start("a");
    const controller = new AbortController();
    const started = shells.begin("b", { signal: controller.signal }).catch((thrown: unknown) => thrown);
    await shells.run(1);
    controller.abort(new Error("changed my mind"));
    expect(await shells.until(started)).toEqual(new Error("changed my mind"));
    expect(await shells.start("b")).toMatchObject({ name: "b" });
  });

  test("startNode gives up after limits.startMs", async () => {
    const shells = new Shells("start timeout");
    const a = await shells.start("a");
    shells.network.pause("a");
    const bus = shells.network.bus("second a");
    const error = await shells.until(
      shells.begin("a", { bus, limits: { startMs: 500 } }).catch((thrown: unknown) => thrown),
    );
    expect(error).toBeInstanceOf(TimeoutError);
    expect(a.name).toBe("a");
  });

  test("aborting the signal later stops the node", async () => {
    const shells = new Shells("abort later");
    const controller = new AbortController();
    const a = await shells.start("a", { signal: controller.signal });
    controller.abort();
    expect(await shells.until(a.closed)).toEqual({ kind: "stopped" });
  });
});

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

  test("waitFor resolves when the name has a holder, and gives up in time", async () => {
    const shells = new Shells("waitFor");
    const [a, b] = await shells.startAll("a", "b");
    const waiting = b.names.waitFor("svc");
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
    expect(b.stats().watches).toBe(0);
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

describe("processes and monitors", () => {
  test("a monitor fires once, with the reason, for a process, a name and a node", async () => {
    const shells = new Shells("monitors");
    const [a, b] = await shells.startAll("a", "b");
    const process = b.spawn();
    await shells.until(b.names.register("svc", process));
    await shells.until(b.settled());
    const byPid = a.monitor(process);
    const byName = a.monitor({ name: "svc" });
    const cancelled = a.monitor(process);
    expect(cancelled.cancel()).toBe(true);
    expect(cancelled.cancel()).toBe(false);
    await shells.run(20);
    process.exit({ kind: "error", error: new TypeError("broken") });
    for (const monitor of [byPid, byName]) {
      const down = await shells.until(monitor.down);
      expect(down).toMatchObject({ pid: process.pid, node: b.id, reason: { kind: "error" } });
      expect(down.reason.kind === "error" && down.reason.error).toMatchObject({
        name: "TypeError",
        message: "broken",
      });
      expect(monitor.cancel()).toBe(false);
    }
    expect(await a.monitor({ name: "svc" }).down).toEqual({ node: a.id, reason: { kind: "noSuchProcess" } });
    expect((await shells.until(a.monitor(process).down)).pid).toBe(process.pid);
    const node = a.monitor({ node: b.id });
    await shells.until(b.stop());
    expect(await shells.until(node.down)).toMatchObject({ node: b.id, reason: { cause: "left" } });
    expect(a.stats().monitors).toBe(0);
  });

  test("names and memberships of a process are gone from its node when exit returns", async () => {
    const shells = new Shells("exit");
    const [a, b] = await shells.startAll("a", "b");
    const process = a.spawn();
    await shells.until(a.names.register("svc", process));
    a.groups.join("g", process);
    await shells.run(20);
    const exited = process.exited;
    process.exit({ kind: "killed" });
    expect(a.names.whereis("svc")).toBeUndefined();
    expect(a.groups.members("g")).toEqual([]);
    expect(process.signal.aborted).toBe(true);
    expect(await exited).toEqual({ kind: "killed" });
    await shells.run(20);
    expect(b.names.whereis("svc")).toBeUndefined();
    await expect(a.names.register("again", process)).rejects.toThrow(NoSuchProcessError);
    expect(() => a.spawn().exit({ kind: "bored" } as never)).toThrow(InvalidArgumentError);
  });

  test("a crash under onError exit ends the process with its error", async () => {
    const shells = new Shells("let it crash");
    const a = await shells.start("a");
    const failing = () => {
      throw new Error("crash");
    };
    const stays = a.spawn(failing);
    const goes = a.spawn(failing, { onError: "exit" });
    a.send(stays, 1);
    a.send(goes, 1);
    expect(await shells.until(goes.exited)).toMatchObject({ kind: "error", error: { message: "crash" } });
    expect(a.stats().messages.handlerErrors).toBe(2);
    expect(shells.log.filter((line) => line.message.includes("handler failed"))).toHaveLength(1);
    await expect(shells.until(a.call(stays, 1))).rejects.toThrow(CallFailedError);
  });

  test("what a notice or an exit sets off takes effect at once, even from inside an effect", async () => {
    const shells = new Shells("reentrancy");
    const [a, b] = await shells.startAll("a", "b");
    const seen: unknown[] = [];
    const former = a.spawn(undefined, {
      onNotice: (notice, { self }) => {
        a.groups.join("former holders", self);
        seen.push(notice, a.groups.count("former holders"));
      },
    });
    await shells.until(a.names.register("svc", former));
    const taker = b.spawn();
    await shells.until(b.names.reregister("svc", taker));
    await shells.eventually(() => seen.length > 0);
    expect(seen).toEqual([{ kind: "nameTakenOver", name: "svc", scope: "default", by: taker.pid }, 1]);
  });
});

describe("scopes", () => {
  test("a scope is shared by the nodes that opened it, and apart from the others", async () => {
    const shells = new Shells("scopes");
    const [a, b, c] = await shells.startAll("a", "b", "c");
    const [scopeA, scopeB] = await shells.until(Promise.all([a.scope("jobs"), b.scope("jobs")]));
    expect(await shells.until(a.scope("jobs"))).toBe(scopeA);
    const process = a.spawn((message) => message);
    await shells.until(scopeA.names.register("svc", process));
    scopeA.groups.join("g", process);
    await shells.until(a.settled());
    expect(scopeB.names.whereis("svc")?.pid).toBe(process.pid);
    expect(b.names.whereis("svc")).toBeUndefined();
    expect(scopeB.groups.publish("g", 1)).toBe(1);
    expect(await shells.until(b.call({ name: "svc", scope: "jobs" }, 5))).toBe(5);
    await expect(c.call({ name: "svc", scope: "jobs" }, 5)).rejects.toThrow(InvalidArgumentError);
    expect(a.nodes().map((node) => node.scopes.includes("jobs"))).toEqual([true, true, false]);
  });
});

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
