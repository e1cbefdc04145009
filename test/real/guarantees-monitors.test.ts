import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { NodeId, Pid } from "../../src/index.ts";
import { eventually, pause } from "../support/eventually.ts";
import { startNatsCluster } from "../support/nats-server.ts";
import type { SeenAs, Worker } from "../support/worker-client.ts";
import { agree, holderOf, pidsIn, QUICK, WorkerCluster } from "../support/worker-cluster.ts";

let cluster: WorkerCluster<3>;
let a: Worker;
let b: Worker;
let c: Worker;

describe("with short times, each worker behind a proxy of its own", () => {
  beforeAll(async () => {
    cluster = await WorkerCluster.start(3, { node: { failureDetection: QUICK }, proxied: true });
    [a, b, c] = cluster.workers;
  });
  const watches = new Map<Worker, number>();
  beforeEach(async () => {
    for (const [worker, watch] of watches) await worker.node.unwatch(watch);
    cluster.forget();
    for (const worker of [a, b, c]) watches.set(worker, await worker.node.watchNodes());
  });
  afterEach(() => cluster.checkBugs());
  afterAll(() => cluster[Symbol.asyncDispose]());

  test("M1: a monitor tells of the end exactly once, with its reason, on every node that watches", async () => {
    const pid = await c.node.spawn();
    const monitors = new Map<Worker, readonly number[]>();
    for (const worker of [a, b, c]) {
      monitors.set(worker, [await worker.node.monitor(pid), await worker.node.monitor(pid)]);
    }
    await c.node.exit(pid, { kind: "error", error: new RangeError("it broke") });
    for (const [worker, both] of monitors) {
      for (const monitor of both) {
        const { down } = await downOf(worker, monitor);
        expect(down).toMatchObject({ pid, node: cluster.id(c), reason: { kind: "error" } });
        expect(down.reason).toMatchObject({ error: { message: "it broke" } });
        expect(await worker.node.cancelMonitor(monitor)).toBe(false);
      }
    }
    // Nothing that happens to the node later makes them fire again.
    await restart(c);
    for (const [worker, both] of monitors) {
      if (worker === c) continue;
      for (const monitor of both)
        expect(worker.seen("down", ({ monitor: fired }) => fired === monitor).length).toBe(1);
    }
  });

  test("M1: a monitor on what is dead already fires at once", async () => {
    const dead = await c.node.spawn();
    await c.node.exit(dead);
    const neverWas = `${cluster.id(c)}/zzzz` as Pid;
    const ofUnknownNode = "stranger@0mwpuem8lrym6dx78/1" as Pid;
    for (const worker of [a, c]) {
      for (const target of [dead, neverWas, ofUnknownNode, { name: "nobody has it" }]) {
        const beganAtMs = Date.now();
        const { atMs, down } = await downOf(worker, await worker.node.monitor(target));
        expect(["normal", "noSuchProcess", "nodeDown"]).toContain(down.reason.kind);
        expect(atMs - beganAtMs).toBeLessThan(1_000);
      }
    }
    const gone = { node: "stranger@0mwpuem8lrym6dx78" as NodeId };
    await downOf(a, await a.node.monitor(gone));
  });

  test("M1: a monitor never fires for a newer incarnation of its node, nor before a cause", async () => {
    const old = await c.node.spawn();
    const [onPid, onNode] = [await a.node.monitor(old), await a.node.monitor({ node: cluster.id(c) })];
    const former = cluster.id(c);
    await restart(c);
    expect((await downOf(a, onPid)).down).toMatchObject({ pid: old, node: former });
    expect((await downOf(a, onNode)).down).toMatchObject({ node: former, reason: { kind: "nodeDown" } });
    // The same node name, and the same serial, but another process.
    const next = await c.node.spawn();
    expect(next.slice(next.lastIndexOf("/"))).toBe(`/1`);
    const [onNext, onNextNode] = [await a.node.monitor(next), await a.node.monitor({ node: cluster.id(c) })];
    await downOf(a, await a.node.monitor(old));
    await downOf(a, await a.node.monitor({ node: former }));
    await a.node.settled();
    expect(await a.node.cancelMonitor(onNextNode)).toBe(true);
    await c.node.exit(next);
    expect((await downOf(a, onNext)).down).toMatchObject({ pid: next, reason: { kind: "normal" } });
    expect(a.seen("down", ({ monitor }) => monitor === onNextNode)).toStrictEqual([]);
  });

  test.each(["watcher", "watched"] as const)(
    "M1: what dies while the %s is cut off from the bus is told, with its true reason, when it is back",
    async (who) => {
      const cut = who === "watcher" ? a : c;
      const [dies, lives] = await c.node.spawnMany(2);
      if (dies === undefined || lives === undefined) throw new Error("two were spawned");
      const [onDies, onLives] = [await a.node.monitor(dies), await a.node.monitor(lives)];
      await a.node.settled();
      cluster.proxy(cut).cut();
      await c.node.exit(dies, { kind: "killed" });
      cluster.proxy(cut).heal();
      expect((await downOf(a, onDies)).down).toMatchObject({ pid: dies, reason: { kind: "killed" } });
      await cluster.allUp();
      expect(await a.node.cancelMonitor(onLives), "the other one lives").toBe(true);
      expect(downsOf(a)).toStrictEqual([]);
    },
  );

  test("M1: nodeDown means unreachable: the process may live, and can be monitored again when its node is back", async () => {
    const pid = await c.node.spawn("echo");
    const first = await a.node.monitor(pid);
    await frozen(c, async () => {
      expect((await downOf(a, first, 10_000)).down.reason).toStrictEqual({
        kind: "nodeDown",
        node: cluster.id(c),
        cause: "silent",
      });
    });
    await cluster.allUp();
    expect(await c.node.isAlive(pid)).toBe(true);
    const second = await a.node.monitor(pid);
    expect(await a.node.call(pid, "are you there")).toBe("are you there");
    expect(a.seen("down", ({ monitor }) => monitor === second)).toStrictEqual([]);
    await c.node.exit(pid);
    expect((await downOf(a, second)).down.reason).toStrictEqual({ kind: "normal" });
    expect(a.seen("down", ({ monitor }) => monitor === first).length).toBe(1);
  });

  test("M1: the own node's stop leaves its monitors pending", async () => {
    const pid = await b.node.spawn();
    const [onOwn, onOther] = [await c.node.monitor(await c.node.spawn()), await c.node.monitor(pid)];
    await restart(c);
    await b.node.exit(pid);
    await c.node.settled();
    expect(c.seen("down", ({ monitor }) => monitor === onOwn || monitor === onOther)).toStrictEqual([]);
  });

  test("M2: a clean exit is known everywhere in one hop", async () => {
    const id = cluster.id(c);
    const leftAtMs = Date.now();
    await cluster.stopNode(c);
    for (const worker of [a, b]) {
      const { atMs, event } = await worker.saw("node", ({ event: seen }) => seen.kind === "down");
      expect(event).toMatchObject({ node: { id }, reason: { kind: "nodeDown", cause: "left" } });
      expect(atMs - leftAtMs).toBeLessThan(600);
    }
    await cluster.startNode(c);
    await cluster.allUp();
  });

  test.each(["hung", "cut off"] as const)(
    "M2: a node that is %s is suspected after suspectAfterMs, and down within deadAfterMs",
    async (how) => {
      const id = cluster.id(c);
      const beganAtMs = Date.now();
      if (how === "hung") c.signal("SIGSTOP");
      else cluster.proxy(c).stall();
      try {
        for (const worker of [a, b]) {
          const suspect = await worker.saw("node", ({ event }) => event.kind === "suspect");
          expect(suspect.event).toMatchObject({ node: { id } });
          // Its last heartbeat may be one interval old when it stops.
          expect(suspect.atMs - beganAtMs).toBeGreaterThan(
            QUICK.suspectAfterMs - 1.2 * QUICK.heartbeatMs - 50,
          );
          const down = await worker.saw("node", ({ event }) => event.kind === "down");
          expect(down.event).toMatchObject({ node: { id }, reason: { kind: "nodeDown", cause: "silent" } });
          expect(down.atMs - beganAtMs).toBeGreaterThan(QUICK.deadAfterMs - 1.2 * QUICK.heartbeatMs - 50);
          expect(down.atMs - beganAtMs).toBeLessThan(QUICK.deadAfterMs + 1_000);
        }
      } finally {
        if (how === "hung") c.signal("SIGCONT");
        else cluster.proxy(c).heal();
      }
      await cluster.allUp();
    },
  );

  test("M2: a suspect that answers is refuted, and nothing of it is purged", async () => {
    const pid = await c.node.spawn();
    await c.node.register("suspected", pid);
    await c.node.settled();
    const monitor = await a.node.monitor(pid);
    await a.node.watchNames("suspected");
    await frozen(c, async () => {
      await a.saw("node", ({ event }) => event.kind === "suspect");
      expect((await a.node.nodes()).find(({ id }) => id === cluster.id(c))?.state).toBe("suspect");
      expect(await holderOf(a, "suspected")).toBe(pid);
    });
    await a.saw("node", ({ event }) => event.kind === "up");
    await cluster.allUp();
    expect([a, b, c].flatMap(downsOf)).toStrictEqual([]);
    expect(a.seen("name", ({ event }) => event.kind !== "state")).toStrictEqual([]);
    expect(await a.node.cancelMonitor(monitor)).toBe(true);
  });

  test.each(["is stopped", "blocks its event loop"] as const)(
    "M2: silence counts only while the observer's own loop ran: who %s takes nobody for dead",
    async (how) => {
      const pid = await c.node.spawn();
      await c.node.register("outlived", pid);
      await c.node.settled();
      const monitor = await a.node.monitor(pid);
      const isGivenUp = (): Promise<unknown> => b.saw("node", ({ event }) => event.kind === "down", 10_000);
      if (how === "is stopped") await frozen(a, async () => void (await isGivenUp()));
      else await Promise.all([a.node.block(QUICK.deadAfterMs + 1_000), isGivenUp()]);
      await cluster.allUp();
      expect(downsOf(a)).toStrictEqual([]);
      expect(await holderOf(a, "outlived")).toBe(pid);
      expect(await a.node.cancelMonitor(monitor)).toBe(true);
      expect(downsOf(b)).toStrictEqual([cluster.id(a)]);
      await c.node.exit(pid);
    },
  );

  test("M3: when its own bus connection drops, a node takes nobody for dead before busGraceMs", async () => {
    const cutAtMs = Date.now();
    cluster.proxy(a).cut();
    const { atMs } = await a.saw("node", ({ event }) => event.kind === "down");
    expect(atMs - cutAtMs).toBeGreaterThan(QUICK.busGraceMs - 100);
    cluster.proxy(a).heal();
    await cluster.allUp();
    // The others had the bus all the time: they need no grace.
    expect(downsOf(b)).toStrictEqual([cluster.id(a)]);
  });

  test("M4: a call to a process known dead rejects at once, not by timeout", async () => {
    const [dead, ofGone] = [await c.node.spawn("echo"), await c.node.spawn("echo")];
    await c.node.exit(dead);
    await expectRejects(a.node.call(dead, 1, { timeoutMs: 20_000 }), { code: "NO_SUCH_PROCESS", pid: dead });
    const id = cluster.id(c);
    await restart(c);
    await expectRejects(a.node.call(ofGone, 1, { timeoutMs: 20_000 }), { code: "NODE_DOWN", node: id });
    await expectRejects(a.node.call({ name: "no such" }, 1), { code: "NO_SUCH_NAME" });
  });

  test("M4: a call under way rejects when the process ends, and when its node does", async () => {
    const d = await cluster.add("d");
    const [ends, killed] = [await d.node.spawn("hang"), await d.node.spawn("hang")];
    const [first, second] = [
      a.node.call(ends, 1, { timeoutMs: 40_000 }),
      a.node.call(killed, 1, { timeoutMs: 40_000 }),
    ];
    await eventually(async () => (await d.node.stats()).messages.delivered >= 2);
    await d.node.exit(ends);
    await expectRejects(first, { code: "NO_SUCH_PROCESS", pid: ends });
    const id = cluster.id(d);
    await cluster.kill(d);
    await expectRejects(second, { code: "NODE_DOWN", node: id }, 5_000);
  });

  test("M4: a send to a process that is dead is counted", async () => {
    const [local, remote] = [await a.node.spawn(), await c.node.spawn()];
    await a.node.exit(local);
    await c.node.exit(remote);
    const before = await undelivered();
    await a.node.send(local, 1);
    await a.node.send(remote, 1);
    await a.node.send({ name: "nobody" }, 1);
    await a.node.send("stranger@0mwpuem8lrym6dx78/1" as Pid, 1);
    await eventually(async () => (await undelivered()) === before + 4);
  });
});

describe("with the default times", () => {
  test("M3: a restart of the bus is no mass death, and what changed meanwhile is repaired everywhere", async () => {
    await using whole = await WorkerCluster.start(3);
    [a, b, c] = whole.workers;
    const [stays, ends, leaves] = await c.node.spawnMany(3);
    if (stays === undefined || ends === undefined || leaves === undefined)
      throw new Error("three were spawned");
    for (const [name, pid] of [
      ["stays", stays],
      ["ends", ends],
      ["freed", leaves],
    ] as const)
      await c.node.register(name, pid);
    await c.node.join("outage", [ends, leaves]);
    await c.node.settled();
    const monitor = await a.node.monitor(ends);
    for (const worker of [a, b, c]) await worker.node.watchNodes();
    await whole.server.kill();
    const joins = await b.node.spawn();
    await b.node.join("outage", joins);
    await c.node.leave("outage", leaves);
    await c.node.exit(ends, { kind: "killed" });
    await c.node.unregister("freed");
    // Longer than the grace for one node's connection, twice.
    await pause(1_600);
    expect(await holderOf(a, "stays")).toBe(stays);
    await whole.server.run();
    await agree([a, b, c], (worker) => worker.node.names(), { stays });
    await agree([a, b, c], (worker) => pidsIn(worker, "outage"), [joins]);
    expect((await downOf(a, monitor)).down.reason).toStrictEqual({ kind: "killed" });
    await whole.allUp();
    expect([a, b, c].flatMap(downsOf)).toStrictEqual([]);
    await whole.checkBugs();
  });

  test("M3: a restart of one server of a bus cluster is no mass death either", async () => {
    await using nats = await startNatsCluster({ size: 2 });
    const [first, second] = nats.servers;
    if (first === undefined || second === undefined) throw new Error("two were started");
    const servers = [[first.url], [second.url], [second.url]];
    await using whole = await WorkerCluster.start(3, { servers });
    [a, b, c] = whole.workers;
    const pid = await c.node.spawn();
    await c.node.register("stays", pid);
    await c.node.settled();
    for (const worker of [a, b, c]) await worker.node.watchNodes();
    // Two of three nodes vanish at once.
    await second.kill();
    await c.node.join("meanwhile", pid);
    await pause(1_600);
    await second.run();
    await agree([a, b, c], (worker) => pidsIn(worker, "meanwhile"), [pid]);
    await whole.allUp();
    expect([a, b, c].flatMap(downsOf)).toStrictEqual([]);
    expect(await holderOf(a, "stays")).toBe(pid);
    await whole.checkBugs();
  });
});

function downOf(worker: Worker, monitor: number, withinMs?: number): Promise<SeenAs<"down">> {
  return worker.saw("down", (seen) => seen.monitor === monitor, withinMs);
}

/** The nodes that this one has seen go down. */
function downsOf(worker: Worker): readonly NodeId[] {
  return worker.seen("node").flatMap(({ event }) => (event.kind === "down" ? [event.node.id] : []));
}

/** A new incarnation under the same name. */
async function restart(worker: Worker): Promise<void> {
  await cluster.stopNode(worker);
  await cluster.startNode(worker);
  await cluster.allUp();
}

async function frozen(worker: Worker, meanwhile: () => Promise<void>): Promise<void> {
  worker.signal("SIGSTOP");
  try {
    await meanwhile();
  } finally {
    worker.signal("SIGCONT");
  }
}

async function expectRejects(call: Promise<unknown>, error: object, withinMs = 1_000): Promise<void> {
  const beganAtMs = Date.now();
  await expect(call).rejects.toMatchObject(error);
  expect(Date.now() - beganAtMs).toBeLessThan(withinMs);
}

async function undelivered(): Promise<number> {
  const stats = await Promise.all([a, b, c].map((worker) => worker.node.stats()));
  return stats.reduce((sum, { messages }) => sum + messages.undelivered, 0);
}
