import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { NodeId, Pid } from "../../src/index.ts";
import { pause } from "../support/eventually.ts";
import type { Worker } from "../support/worker-client.ts";
import { agree, holderOf, pidsIn, WorkerCluster } from "../support/worker-cluster.ts";

/** The library's defaults: none of these tests changes them. */
const DISCONNECT_GRACE_MS = 750;
const PROBE_EVERY_MS = 100;
const SUSPECT_AFTER_MS = 3_000;
const DEAD_AFTER_MS = 8_000;
/** For the probes' round trips, and the machine. */
const SLACK_MS = 250;
const KILLS = 10;
const STALL_MS = 2_000;

let cluster: WorkerCluster<2>;
let a: Worker;
let b: Worker;

beforeAll(async () => {
  cluster = await WorkerCluster.start(2);
  [a, b] = cluster.workers;
});
beforeEach(() => cluster.forget());
afterEach(() => cluster.checkBugs());
afterAll(() => cluster[Symbol.asyncDispose]());

describe("SIGKILL of one of three OS processes", () => {
  test(`M2: both survivors purge its names and members and fire its monitors; the median of ${KILLS} is within disconnectGraceMs + probeEveryMs + ${SLACK_MS} ms`, {
    timeout: 120_000,
  }, async () => {
    const times: number[] = [];
    let next = cluster.addWorker("victim-0");
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = next;
      await cluster.startNode(victim);
      // The next process boots meanwhile: that is none of the survivors' work.
      if (kill + 1 < KILLS) next = cluster.addWorker(`victim-${kill + 1}`);
      await next.booted;
      times.push(await detectionOf(victim));
    }
    times.sort((left, right) => left - right);
    const medianMs = ((times[KILLS / 2 - 1] ?? Number.NaN) + (times[KILLS / 2] ?? Number.NaN)) / 2;
    console.log(
      `killed nodes were found out after ${times.join(", ")} ms: median ${medianMs}, maximum ${times.at(-1)}`,
    );
    expect(medianMs).toBeLessThanOrEqual(DISCONNECT_GRACE_MS + PROBE_EVERY_MS + SLACK_MS);
  });

  /** Milliseconds from the kill until the last survivor has purged everything and fired everything. */
  async function detectionOf(victim: Worker): Promise<number> {
    cluster.forget();
    const pid = await victim.node.spawn();
    const name = `of ${victim.name}`;
    await victim.node.register(name, pid);
    await victim.node.join(name, pid);
    await victim.node.settled();
    const id = cluster.id(victim);
    const watching = await Promise.all([a, b].map((survivor) => watchAll(survivor, name, pid, id)));
    const killedAtMs = await cluster.kill(victim);
    const noticedAtMs = await Promise.all(watching.map((watch) => watch.allGoneAtMs()));
    for (const survivor of [a, b]) {
      expect(await holderOf(survivor, name)).toBe(undefined);
      expect(await pidsIn(survivor, name)).toStrictEqual([]);
    }
    await Promise.all(watching.map((watch) => watch.end()));
    return Math.max(...noticedAtMs) - killedAtMs;
  }
});

async function watchAll(survivor: Worker, name: string, pid: Pid, id: NodeId) {
  const { node } = survivor;
  const watches = [await node.watchNames(name), await node.watchGroups(name), await node.watchNodes()];
  const [onPid, onNode] = [await node.monitor(pid), await node.monitor({ node: id })];
  return {
    /** When the last of what must happen on this survivor has happened, each with the right reason. */
    allGoneAtMs: async (): Promise<number> => {
      const reason = { kind: "nodeDown", node: id, cause: "disconnected" };
      const purged = await survivor.saw("name", ({ event }) => event.kind === "unregistered");
      const left = await survivor.saw("group", ({ event }) => event.kind === "left");
      const down = await survivor.saw("node", ({ event }) => event.kind === "down");
      for (const { event } of [purged, left, down]) expect(event).toMatchObject({ reason });
      const fired = [
        await survivor.saw("down", ({ monitor }) => monitor === onPid),
        await survivor.saw("down", ({ monitor }) => monitor === onNode),
      ];
      for (const { down: told } of fired) expect(told.reason).toStrictEqual(reason);
      return Math.max(...[purged, left, down, ...fired].map(({ atMs }) => atMs));
    },
    end: async (): Promise<void> => {
      for (const watch of watches) await node.unwatch(watch);
    },
  };
}

describe("a process that stands still, with the default times", () => {
  let c: Worker;
  let pid: Pid;
  let monitors: readonly number[];

  beforeAll(async () => {
    c = await cluster.add("sleeper");
    pid = await c.node.spawn("echo");
    await c.node.register("sleeper", pid);
    await c.node.join("sleepers", pid);
    await c.node.settled();
    for (const survivor of [a, b]) {
      await survivor.node.watchNodes();
      await survivor.node.watchNames("sleeper");
    }
  });
  beforeEach(async () => {
    monitors = [await a.node.monitor(pid), await b.node.monitor(pid)];
  });

  test("M2: SIGSTOP for 2 s purges nothing, and fires nothing", async () => {
    c.signal("SIGSTOP");
    await pause(STALL_MS);
    c.signal("SIGCONT");
    await expectUntouched();
  });

  test("M2: an event loop that is blocked for 2 s purges nothing, and fires nothing", async () => {
    await c.node.block(STALL_MS);
    await expectUntouched();
  });

  test("M2: SIGSTOP longer than deadAfterMs: declared down; after SIGCONT it returns, and all tables agree", {
    timeout: 60_000,
  }, async () => {
    const stoppedAtMs = Date.now();
    c.signal("SIGSTOP");
    const downs = await Promise.all(
      [a, b].map((survivor, index) => survivor.saw("down", ({ monitor }) => monitor === monitors[index])),
    );
    for (const { atMs, down } of downs) {
      expect(down.reason).toStrictEqual({ kind: "nodeDown", node: cluster.id(c), cause: "silent" });
      // Its last heartbeat may be a second old when it stops.
      expect(atMs - stoppedAtMs).toBeGreaterThan(DEAD_AFTER_MS - 1_500);
      expect(atMs - stoppedAtMs).toBeLessThan(DEAD_AFTER_MS + 1_000);
    }
    console.log(
      `a stopped node was declared down after ${downs.map(({ atMs }) => atMs - stoppedAtMs).join(" and ")} ms`,
    );
    await agree([a, b], (survivor) => holderOf(survivor, "sleeper"), undefined);
    await agree([a, b], (survivor) => pidsIn(survivor, "sleepers"), []);
    // What it does not know yet.
    const other = await a.node.spawn();
    await a.node.register("meanwhile", other);
    c.signal("SIGCONT");
    await cluster.allUp();
    await agree([a, b, c], (worker) => worker.node.names(), { meanwhile: other, sleeper: pid });
    await agree([a, b, c], (worker) => pidsIn(worker, "sleepers"), [pid]);
    expect(await a.node.call({ name: "sleeper" }, "awake")).toBe("awake");
  });

  /** Longer than anything that the stall may have set off would take to show. */
  async function expectUntouched(): Promise<void> {
    await pause(SUSPECT_AFTER_MS / 2);
    await c.node.settled();
    for (const [index, survivor] of [a, b].entries()) {
      expect(survivor.seen("node", ({ event }) => event.kind !== "state")).toStrictEqual([]);
      expect(survivor.seen("name", ({ event }) => event.kind !== "state")).toStrictEqual([]);
      expect(survivor.seen("down")).toStrictEqual([]);
      expect(await survivor.node.cancelMonitor(monitors[index] ?? 0)).toBe(true);
      expect(await holderOf(survivor, "sleeper")).toBe(pid);
      expect(await pidsIn(survivor, "sleepers")).toStrictEqual([pid]);
    }
  }
});
