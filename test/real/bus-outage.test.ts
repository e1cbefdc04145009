import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NodeId } from "../../src/index.ts";
import { eventually, pause } from "../support/eventually.ts";
import { type NatsCluster, startNatsCluster } from "../support/nats-server.ts";
import type { LoadReport } from "../support/worker/load.ts";
import type { Worker } from "../support/worker-client.ts";
import { WorkerCluster } from "../support/worker-cluster.ts";
import { beginLoads, endLoads, expectAllNames, expectUnions, progress } from "../support/worker-load.ts";

const DOWN_MS = 3_000;
/** Names that each node registers before, and again after: enough to be in the middle of things. */
const BUSY = 60;

/** The nodes go on with names and groups of their own while `outage` happens. */
async function goThrough(workers: readonly Worker[], outage: () => Promise<void>): Promise<LoadReport[]> {
  await Promise.all(workers.map(watchEverybodyElse(workers)));
  await beginLoads(workers);
  await progress(workers, BUSY);
  await outage();
  await progress(workers, BUSY);
  return endLoads(workers);
}

/** Monitors a process of each other node and the node itself, and watches the nodes. */
function watchEverybodyElse(workers: readonly Worker[]): (worker: Worker) => Promise<void> {
  const anchors = Promise.all(workers.map(async (each) => ({ each, pid: await each.node.spawn() })));
  return async (worker) => {
    await worker.node.watchNodes();
    for (const { each, pid } of await anchors) {
      if (each === worker) continue;
      await worker.node.monitor(pid);
      await worker.node.monitor({ node: pid.slice(0, pid.lastIndexOf("/")) as NodeId });
    }
  };
}

/** What holds of every outage of the bus that is no partition. */
function nothingIsLost(workers: () => readonly Worker[], reports: () => readonly LoadReport[]): void {
  test("no monitor fires, and no node is seen to go down", () => {
    for (const worker of workers()) {
      expect(worker.seen("node").map(({ event }) => event.kind)).toContain("state");
      expect(worker.seen("down")).toEqual([]);
      expect(worker.seen("node", ({ event }) => event.kind === "down")).toEqual([]);
    }
  });

  test("every registration succeeds, and is on all nodes", async () => {
    await expectAllNames(workers(), reports());
  });

  test("every group is the exact union of its members", async () => {
    await expectUnions(workers(), reports());
  });

  test("nothing clashed", () => {
    for (const worker of workers()) expect(worker.seen("resolving")).toEqual([]);
  });
}

describe("the only server of the bus is killed, and started again after 3 seconds", () => {
  let cluster: WorkerCluster<3>;
  let reports: readonly LoadReport[] = [];

  beforeAll(async () => {
    cluster = await WorkerCluster.start(3, { node: { resolve: "keepOldest" } });
    reports = await goThrough(cluster.workers, async () => {
      await cluster.server.kill();
      await pause(DOWN_MS);
      await cluster.server.run();
      await cluster.allUp();
    });
  }, 90_000);
  afterAll(() => cluster[Symbol.asyncDispose]());

  nothingIsLost(
    () => cluster.workers,
    () => reports,
  );
});

describe("one of three clustered servers is killed, under nodes that can go to the others", () => {
  let servers: NatsCluster;
  let cluster: WorkerCluster<3>;
  let reports: readonly LoadReport[] = [];
  let moved: readonly Worker[] = [];

  beforeAll(async () => {
    servers = await startNatsCluster({ size: 3, config: 'http: "127.0.0.1:-1"' });
    const urls = servers.servers.map((server) => server.url);
    cluster = await WorkerCluster.start(3, { node: { resolve: "keepOldest" }, servers: [urls, urls, urls] });
    reports = await goThrough(cluster.workers, async () => {
      const clients = await Promise.all(servers.servers.map((server) => clientsOf(server.log)));
      const victim = clients.findIndex((names) => names.length > 0);
      moved = cluster.workers.filter((worker) => clients[victim]?.includes(cluster.id(worker)));
      await servers.servers[victim]?.kill();
      await eventually(async () => {
        const stats = await Promise.all(moved.map((worker) => worker.node.stats()));
        return stats.every(({ reconnects }) => reconnects > 0);
      });
      await cluster.allUp();
    });
  }, 90_000);
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    await servers[Symbol.asyncDispose]();
  });

  test("some nodes were on it, and have moved", () => expect(moved.length).toBeGreaterThan(0));

  nothingIsLost(
    () => cluster.workers,
    () => reports,
  );
});

/** The names of the clients of a server, by its monitoring page. */
async function clientsOf(log: string): Promise<readonly string[]> {
  const [, port] = /http monitor on 127\.0\.0\.1:(\d+)/.exec(log) ?? [];
  const page = await fetch(`http://127.0.0.1:${port}/connz`);
  const { connections } = (await page.json()) as { connections: readonly { readonly name: string }[] };
  return connections.map(({ name }) => name);
}
