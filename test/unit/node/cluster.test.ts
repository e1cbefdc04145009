import { describe, expect, test } from "vitest";
import { DuplicateNodeError, InvalidArgumentError, TimeoutError } from "../../../src/kernel/errors.ts";
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

  test("a scope whose opening is refused at once leaves nothing behind", async () => {
    const shells = new Shells("refused scopes");
    const { parts } = await shells.startShell("a");
    const { core, scopes } = parts;
    const wait = { operation: "scope", timeoutMs: 1_000, signal: AbortSignal.abort(new Error("too late")) };
    await expect(scopes.open("jobs", undefined, wait)).rejects.toThrow("too late");
    expect(scopes.hasHash(core.subjects.scopeHash("jobs"))).toBe(false);
    expect(core.machine.names("jobs")).toBeUndefined();
    await shells.until(scopes.open("jobs", undefined, { operation: "scope", timeoutMs: 1_000 }));
    expect(scopes.hasHash(core.subjects.scopeHash("jobs"))).toBe(true);
  });
});
