import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Pid } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import type { Remains } from "../support/worker/protocol.ts";
import type { Worker } from "../support/worker-client.ts";
import { WorkerCluster } from "../support/worker-cluster.ts";

let cluster: WorkerCluster<3>;
let a: Worker;
let b: Worker;
let c: Worker;

describe("with limits that are soon reached", () => {
  const LIMITS = {
    metadataBytes: 256,
    messageBytes: 16_384,
    namesPerNode: 50,
    outboundBytes: 256 * 1024,
    watchQueue: 20,
    processes: 60,
    monitors: 10,
    watches: 5,
    scopes: 3,
    pendingCalls: 20,
    pendingRequests: 40,
    callMs: 400,
    registerMs: 800,
  } as const;

  beforeAll(async () => {
    cluster = await WorkerCluster.start(3, { node: { limits: LIMITS }, proxied: true });
    [a, b, c] = cluster.workers;
  });
  beforeEach(() => cluster.forget());
  afterEach(() => cluster.checkBugs());
  afterAll(() => cluster[Symbol.asyncDispose]());

  const over = (limit: keyof typeof LIMITS) => ({ code: "LIMIT_EXCEEDED", limit, allowed: LIMITS[limit] });

  test("X2: metadataBytes bounds the metadata of names and members", async () => {
    const pid = await a.node.spawn();
    const meta = "m".repeat(LIMITS.metadataBytes);
    await expect(a.node.register("heavy", pid, { meta })).rejects.toMatchObject(over("metadataBytes"));
    await expect(a.node.join("heavy", pid, { meta })).rejects.toMatchObject(over("metadataBytes"));
    await a.node.register("light", pid);
    await a.node.settled();
    await expect(b.node.update("light", { set: meta }, { timeoutMs: 2_000 })).rejects.toMatchObject(
      over("metadataBytes"),
    );
    expect(await a.node.namesOf(pid)).toStrictEqual(["light"]);
    expect(await a.node.groupsOf(pid)).toStrictEqual([]);
    await a.node.exit(pid);
  });

  test("X2: messageBytes bounds messages, calls and answers", async () => {
    const [echo, far] = [await a.node.spawn("echo"), await b.node.spawn("record")];
    const message = "m".repeat(LIMITS.messageBytes);
    await expect(a.node.send(far, message)).rejects.toMatchObject(over("messageBytes"));
    await expect(a.node.call(echo, message)).rejects.toMatchObject(over("messageBytes"));
    await b.node.join("far", far);
    await expect(b.node.publish("far", message)).rejects.toMatchObject(over("messageBytes"));
    expect(await b.node.received(far)).toStrictEqual([]);
    await a.node.exit(echo);
    await b.node.exit(far);
  });

  test("X2: namesPerNode bounds the names of a node's processes, whoever registers them", async () => {
    const pid = await c.node.spawn();
    const first = await c.node.raceMany("limited-", 30, pid);
    const second = await a.node.raceMany("limited-also-", 30, pid);
    expect(first.won.length + second.won.length).toBe(LIMITS.namesPerNode);
    expect(second.failed.length).toBe(10);
    for (const error of second.failed) expect(error).toMatchObject(over("namesPerNode"));
    // A name of another scope is one too many just as well.
    await c.node.openScope("second");
    await expect(c.in("second").register("limited", pid)).rejects.toMatchObject(over("namesPerNode"));
    await c.node.exit(pid);
    const next = await c.node.spawn();
    await c.node.register("limited-0", next);
    await c.node.exit(next);
  });

  test("X2: a full mailbox drops messages and counts them, and refuses calls", async () => {
    const pid = await b.node.spawn("hang", { mailbox: 10 });
    const full = async (): Promise<number> => (await b.node.stats()).messages.mailboxFull;
    expect(await a.node.sendMany(pid, 50)).toStrictEqual({ taken: 50 });
    await eventually(async () => (await full()) === 40);
    // One has left the mailbox to be handled, for ever: there is room for one.
    await eventually(async () => (await b.node.stats()).mailboxes === 9);
    await a.node.sendMany(pid, 2);
    await eventually(async () => (await full()) === 41);
    await expect(a.node.call(pid, "one more")).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
      limit: "mailbox",
      allowed: 10,
    });
    expect(await full()).toBe(42);
    await b.node.exit(pid);
  });

  test("X2: a reader that falls behind watchQueue gets one resync with the state in place of what it missed", async () => {
    const pid = await b.node.spawn();
    await a.node.watchNamesLazily();
    expect(await a.node.readNames(1)).toMatchObject([{ kind: "state" }]);
    await b.node.registerMany("watched-", 25, pid);
    await b.node.settled();
    const [resync] = await a.node.readNames(1);
    expect(resync).toMatchObject({ kind: "resync" });
    expect(resync).toHaveProperty("registrations.length", 25);
    expect((await a.node.stats()).resyncs).toBe(1);
    await b.node.register("watched-after", pid);
    expect(await a.node.readNames(1)).toMatchObject([
      { kind: "registered", registration: { name: "watched-after" } },
    ]);
    await b.node.exit(pid);
  });

  test("X2: while the bus is down outboundBytes bounds what waits for it; flushed() tells when there is room; what was taken comes", async () => {
    const pid = await b.node.spawn("record");
    cluster.proxy(a).cut();
    await eventually(
      async () =>
        await a.node.flushed({ timeoutMs: 50 }).then(
          () => false,
          () => true,
        ),
    );
    const { taken, error } = await a.node.sendMany(pid, 200, "p".repeat(4_096));
    expect(error).toMatchObject(over("outboundBytes"));
    expect(taken).toBeGreaterThan(40);
    expect((await a.node.stats()).outbound.queuedBytes).toBeLessThanOrEqual(LIMITS.outboundBytes);
    cluster.proxy(a).heal();
    await a.node.flushed({ timeoutMs: 10_000 });
    await a.node.send(pid, { taken: "last" });
    await eventually(async () => (await b.node.received(pid)).length === taken + 1);
    const numbers = (await b.node.received(pid)).map(({ message }) => (message as { taken: unknown }).taken);
    expect(numbers).toStrictEqual([...Array.from({ length: taken }, (_, index) => index), "last"]);
    await b.node.exit(pid);
  });

  test("X2: processes, monitors, watches and scopes of a node are bounded", async () => {
    const pids: Pid[] = [];
    await expect(spawnUntilRefused(pids)).rejects.toMatchObject(over("processes"));
    expect((await a.node.stats()).processes).toBe(LIMITS.processes);
    for (const pid of pids) await a.node.exit(pid);
    const pid = await b.node.spawn();
    for (let index = 0; index < LIMITS.monitors; index += 1) await a.node.monitor(pid);
    await expect(a.node.monitor(pid)).rejects.toMatchObject(over("monitors"));
    await b.node.exit(pid);
    // One is held by the test of the slow reader.
    const watches = [];
    for (let index = 1; index < LIMITS.watches; index += 1) watches.push(await a.node.watchGroups());
    await expect(a.node.watchNodes()).rejects.toMatchObject(over("watches"));
    for (const watch of watches) await a.node.unwatch(watch);
    await a.node.openScope("second");
    await a.node.openScope("third");
    await expect(a.node.openScope("fourth")).rejects.toMatchObject(over("scopes"));
  });

  test("X2: every wait has a limit of its own by default, and what is under way at once is bounded", async () => {
    const pid = await c.node.spawn("hang", { concurrency: 100 });
    await expect(a.node.call(pid, 1)).rejects.toMatchObject({ code: "TIMEOUT", timeoutMs: LIMITS.callMs });
    const calls = Array.from({ length: LIMITS.pendingCalls + 5 }, () =>
      a.node.call(pid, 1, { timeoutMs: 1_000 }),
    );
    const codes = (await Promise.allSettled(calls)).map((call) =>
      call.status === "rejected" ? call.reason.code : "answered",
    );
    expect(codes.filter((code) => code === "LIMIT_EXCEEDED").length).toBe(5);
    expect(codes.filter((code) => code === "TIMEOUT").length).toBe(LIMITS.pendingCalls);
    await expect(a.node.waitFor("never there")).rejects.toMatchObject({
      code: "TIMEOUT",
      timeoutMs: LIMITS.registerMs,
    });
    c.signal("SIGSTOP");
    const { failed } = await a.node.raceMany("too many-", LIMITS.pendingRequests + 7, pid);
    c.signal("SIGCONT");
    expect(failed.filter(({ limit }) => limit === "pendingRequests").length).toBe(7);
    expect(failed.filter(({ code }) => code === "TIMEOUT").length).toBe(LIMITS.pendingRequests);
    expect((await a.node.stats()).pendingRequests).toBe(0);
  });

  async function spawnUntilRefused(pids: Pid[]): Promise<never> {
    for (;;) pids.push(await a.node.spawn());
  }
});

describe("the end of a node", () => {
  beforeAll(async () => {
    cluster = await WorkerCluster.start(3, { proxied: true });
    [a, b, c] = cluster.workers;
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  test("X3: stop() ends all that waits, and every method then says that the node is stopped", async () => {
    await useAll(c);
    const hang = await b.node.spawn("hang");
    const waits = [c.node.waitFor("never there"), c.node.call(hang, 1), c.node.call({ name: "far" }, 1)];
    await eventually(async () => (await b.node.stats()).messages.delivered >= 2);
    await Promise.all([cluster.stopNode(c), c.node.stop()]);
    for (const wait of await Promise.allSettled(waits)) {
      expect(wait).toMatchObject({ status: "rejected", reason: { code: "BUS_CLOSED" } });
    }
    for (const [method, told] of Object.entries(await c.node.afterStop())) {
      expect([method, told]).toMatchObject([method, { code: "BUS_CLOSED" }]);
    }
    expect((await c.saw("closed")).closed).toBe("stopped");
    const { reason } = await c.saw("exited");
    expect(reason).toStrictEqual({ kind: "shutdown" });
  });

  test.each(["connected", "cut off"] as const)(
    "X3: stop() of a node that is %s leaves no timer, socket or other handle, and the OS process ends by itself",
    async (how) => {
      const worker = how === "connected" ? a : b;
      await cluster.stopNode(worker);
      await worker.node.trackResources();
      await cluster.startNode(worker);
      await useAll(worker);
      expect((await worker.node.remains()).tracked).toContain("TCPWRAP");
      if (how === "cut off") cluster.proxy(worker).cut();
      await cluster.stopNode(worker);
      let left: readonly string[] = [];
      await eventually(
        async () => {
          left = leftOver(await worker.node.remains());
          return left.length === 0;
        },
        { withinMs: 2_000, what: () => `left over: ${left.join(", ")}` },
      );
      // Nothing but the channel to this test keeps it now.
      worker.finish();
      expect(await within(worker.ended, 5_000)).toStrictEqual({ code: 0, signal: null });
    },
  );

  /** Something of everything that could leave something behind. */
  async function useAll(worker: Worker): Promise<void> {
    const { node } = worker;
    const [pid, slow] = [await node.spawn("echo"), await node.spawn("slow", { ms: 50 })];
    await node.register(`used by ${worker.name}`, pid, { meta: 1, resolve: "never" });
    await node.join("used", [pid, slow]);
    await node.openScope("used");
    await worker.in("used").register("used", pid);
    await node.watchNames();
    await node.watchGroups();
    await node.watchNodes();
    for (const other of cluster.running) {
      if (other === worker) continue;
      const far = await other.node.spawn("hang");
      if ((await other.node.whereis("far")) === undefined) await other.node.register("far", far);
      await node.monitor(far);
      await node.monitor({ node: cluster.id(other) });
      await expect(node.call(far, 1, { timeoutMs: 20 })).rejects.toMatchObject({ code: "TIMEOUT" });
    }
    await node.call(slow, 1);
    await node.publish("used", 1);
    await node.settled();
  }
});

function leftOver({ before, after, tracked }: Remains): readonly string[] {
  const rest = [...before];
  const added = after.filter((resource) => {
    const index = rest.indexOf(resource);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
  return [...added, ...tracked];
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | "too late"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"too late">((resolve) => {
    timer = setTimeout(() => resolve("too late"), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
