import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { NameEvent } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import type { Worker } from "../support/worker-client.ts";
import { agree, holderOf, WorkerCluster } from "../support/worker-cluster.ts";

let cluster: WorkerCluster<4>;
let a: Worker;
let b: Worker;
let c: Worker;
let d: Worker;
let all: readonly Worker[];

beforeAll(async () => {
  cluster = await WorkerCluster.start(4);
  [a, b, c, d] = cluster.workers;
  all = cluster.workers;
});
beforeEach(() => cluster.forget());
afterEach(() => cluster.checkBugs());
afterAll(() => cluster[Symbol.asyncDispose]());

test("a name registered on one of four nodes is found on each, and is in each one's list", async () => {
  const pid = await a.node.spawn();
  await a.node.register("found", pid, { meta: { at: "a" } });
  await agree(all, (worker) => holderOf(worker, "found"), pid);
  for (const worker of all) {
    expect(await worker.node.list()).toContainEqual(await a.node.whereis("found"));
    expect(await worker.node.namesOf(pid)).toStrictEqual(["found"]);
  }
});

test("a name that is taken is refused to every other process, from every node, and its holder stays", async () => {
  const pid = await a.node.spawn();
  await a.node.register("taken", pid);
  for (const worker of all) {
    const attempt = worker.node.register("taken", await worker.node.spawn());
    await expect(attempt).rejects.toMatchObject({ code: "NAME_TAKEN", takenName: "taken", holder: pid });
  }
  await agree(all, (worker) => holderOf(worker, "taken"), pid);
});

test("re-registering from another node moves the name everywhere; the former holder lives on and is told", async () => {
  const [former, next] = [await a.node.spawn(), await c.node.spawn()];
  await a.node.register("moved", former);
  await c.node.reregister("moved", next);
  await agree(all, (worker) => holderOf(worker, "moved"), next);
  expect(await a.node.isAlive(former)).toBe(true);
  const { notice } = await a.saw("notice", ({ pid }) => pid === former);
  expect(notice).toStrictEqual({ kind: "nameTakenOver", name: "moved", scope: "default", by: next });
});

test("what is sent to a name from two nodes reaches its holder on a third", async () => {
  const pid = await c.node.spawn("record");
  await c.node.register("mailed", pid);
  await c.node.settled();
  await a.node.send({ name: "mailed" }, "from a");
  await b.node.send({ name: "mailed" }, "from b");
  await eventually(async () => (await c.node.received(pid)).length === 2);
  expect((await c.node.received(pid)).map(({ message }) => message).sort()).toStrictEqual([
    "from a",
    "from b",
  ]);
});

test("a call to a free name fails with the name; a send to one is counted", async () => {
  await expect(a.node.call({ name: "free" }, 1)).rejects.toMatchObject({
    code: "NO_SUCH_NAME",
    missingName: "free",
  });
  const before = (await a.node.stats()).messages.undelivered;
  await a.node.send({ name: "free" }, 1);
  expect((await a.node.stats()).messages.undelivered).toBe(before + 1);
});

test.each(["stop", "drain"] as const)(
  "when a node ends by %s its names are gone on all others",
  async (how) => {
    const pid = await d.node.spawn();
    await d.node.register("goes", pid);
    await d.node.settled();
    await (how === "stop" ? cluster.stopNode(d) : cluster.drainNode(d));
    await agree([a, b, c], (worker) => holderOf(worker, "goes"), undefined);
    await a.node.register("goes", await a.node.spawn());
    await a.node.unregister("goes");
    await cluster.startNode(d);
    await cluster.allUp();
  },
);

test("one name in two scopes is two names: each has its holder", async () => {
  await Promise.all([a, b].map((worker) => worker.node.openScope("inner")));
  const [outer, inner] = [await c.node.spawn(), await a.node.spawn()];
  await c.node.register("both", outer);
  await a.in("inner").register("both", inner);
  await agree(all, (worker) => holderOf(worker, "both"), outer);
  await agree([a, b], (worker) => holderOf(worker, "both", "inner"), inner);
});

test("a name goes everywhere at once with its process, although a node that others wait for hangs", async () => {
  const pid = await b.node.spawn();
  await b.node.register("not held up", pid);
  await b.node.settled();
  d.signal("SIGSTOP");
  const waiting = a.node.raceMany("asked-", 20, await a.node.spawn());
  const exitAtMs = Date.now();
  await b.node.exit(pid);
  await agree([a, b, c], (worker) => holderOf(worker, "not held up"), undefined);
  expect(Date.now() - exitAtMs).toBeLessThan(1_000);
  d.signal("SIGCONT");
  expect((await waiting).won.length).toBe(20);
});

test("a dead process is refused, and the name stays free", async () => {
  const dead = await b.node.spawn();
  await b.node.exit(dead);
  for (const worker of [a, b]) {
    await expect(worker.node.register("for the dead", dead)).rejects.toMatchObject({
      code: "NO_SUCH_PROCESS",
      pid: dead,
    });
  }
  await c.node.register("for the dead", await c.node.spawn());
});

test("registering a name again for its holder sets the metadata everywhere; equal metadata is no event", async () => {
  const pid = await a.node.spawn();
  await a.node.register("again", pid, { meta: { v: 1 } });
  await a.node.settled();
  for (const worker of all) await worker.node.watchNames("again");
  await b.node.register("again", pid, { meta: { v: 2 } });
  await c.node.register("again", pid, { meta: { v: 2 } });
  await a.node.register("again", pid, { meta: { v: 2 } });
  await a.node.unregister("again");
  for (const worker of all) {
    await worker.saw("name", ({ event }) => event.kind === "unregistered");
    expect(kindsOf(worker)).toStrictEqual(["state", "updated", "unregistered"]);
    const { event } = await worker.saw("name", (seen) => seen.event.kind === "updated");
    expect(event).toMatchObject({ registration: { pid, meta: { v: 2 } } });
  }
});

test("an update from another node returns the new metadata, replicates it, and is one event; concurrent ones all count", async () => {
  const pid = await a.node.spawn();
  await a.node.register("counted", pid, { meta: 10 });
  await a.node.settled();
  await b.node.watchNames("counted");
  expect(await c.node.update("counted", { add: 1 })).toMatchObject({ pid, meta: 11 });
  await agree(all, async (worker) => (await worker.node.whereis("counted"))?.meta, 11);
  expect(kindsOf(b)).toStrictEqual(["state", "updated"]);
  await Promise.all(
    all.flatMap((worker) => Array.from({ length: 5 }, () => worker.node.update("counted", { add: 1 }))),
  );
  await agree(all, async (worker) => (await worker.node.whereis("counted"))?.meta, 31);
});

test("an update whose change throws rejects and changes nothing", async () => {
  const pid = await a.node.spawn();
  await a.node.register("unchanged", pid, { meta: 1 });
  await a.node.settled();
  await expect(b.node.update("unchanged", { throws: "not now" })).rejects.toMatchObject({
    message: "not now",
  });
  await agree(all, async (worker) => (await worker.node.whereis("unchanged"))?.meta, 1);
});

test("updating and transferring an unknown name fails, and unregistering one says that there was none", async () => {
  await expect(a.node.update("unknown", { add: 1 })).rejects.toMatchObject({ code: "NO_SUCH_NAME" });
  await expect(a.node.transfer("unknown", await a.node.spawn())).rejects.toMatchObject({
    code: "NO_SUCH_NAME",
  });
  expect(await a.node.unregister("unknown")).toBe(false);
});

test("counts are the same on all nodes, and those of single nodes add up to that of the scope", async () => {
  const owners = [a, b, c];
  for (const [index, worker] of owners.entries()) {
    await worker.node.openScope("counts");
    await worker.in("counts").registerMany(`of-${index}-`, index + 2, await worker.node.spawn());
  }
  await agree(owners, (worker) => worker.in("counts").count(), 9);
  for (const worker of owners) {
    const each = await Promise.all(owners.map((owner) => worker.in("counts").count(cluster.id(owner))));
    expect(each).toStrictEqual([2, 3, 4]);
  }
});

test("a scope is held by the nodes that opened it only, and all see which these are", async () => {
  await Promise.all([a, b].map((worker) => worker.node.openScope("ab")));
  await Promise.all([b, c].map((worker) => worker.node.openScope("bc")));
  await d.node.openScope("ab");
  const nodesOf = async (worker: Worker, scope: string): Promise<readonly string[]> =>
    (await worker.node.nodes()).filter(({ scopes }) => scopes.includes(scope)).map(({ name }) => name);
  await agree(all, (worker) => nodesOf(worker, "ab"), [a.name, b.name, d.name]);
  await agree(all, (worker) => nodesOf(worker, "bc"), [b.name, c.name]);
  await agree(
    all,
    (worker) => nodesOf(worker, "default"),
    all.map(({ name }) => name),
  );
});

test("a scope that this node has not opened, or the process's node has not, is refused with a typed error", async () => {
  await a.node.openScope("only a and b");
  await b.node.openScope("only a and b");
  const foreign = await c.node.spawn();
  await expect(c.node.call({ name: "x", scope: "only a and b" }, 1)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  const attempt = a.in("only a and b").register("outside", foreign, { timeoutMs: 3_000 });
  await expect(attempt).rejects.toHaveProperty("code");
  await agree([a, b], (worker) => holderOf(worker, "outside", "only a and b"), undefined);
});

test("who waits for a name gets it when its holder releases it, and when its holder dies", async () => {
  const [first, second, third] = [await a.node.spawn(), await b.node.spawn(), await c.node.spawn()];
  await a.node.register("passed on", first);
  await a.node.settled();
  for (const [waiter, pid, end] of [
    [b, second, () => a.node.unregister("passed on")],
    [c, third, () => b.node.exit(second)],
  ] as const) {
    const watch = await waiter.node.watchNames("passed on");
    await waiter.saw("name", (seen) => seen.watch === watch && seen.event.kind === "state");
    await end();
    await waiter.saw("name", (seen) => seen.watch === watch && seen.event.kind === "unregistered");
    expect(await waiter.node.register("passed on", pid)).toMatchObject({ pid });
    await waiter.node.settled();
  }
  await agree(all, (worker) => holderOf(worker, "passed on"), third);
});

test("waitFor() resolves with the holder as soon as there is one, on another node too", async () => {
  const waiting = b.node.waitFor("awaited", { timeoutMs: 20_000 });
  const pid = await a.node.spawn();
  await a.node.register("awaited", pid);
  expect(await waiting).toMatchObject({ name: "awaited", pid });
  expect(await b.node.waitFor("awaited")).toMatchObject({ pid });
});

function kindsOf(worker: Worker): readonly NameEvent["kind"][] {
  return worker.seen("name").map(({ event }) => event.kind);
}
