import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Pid } from "../../src/index.ts";
import { BusObserver } from "../support/bus-observer.ts";
import { eventually } from "../support/eventually.ts";
import type { Received } from "../support/worker/protocol.ts";
import type { Worker } from "../support/worker-client.ts";
import { agree, pidsIn, WorkerCluster } from "../support/worker-cluster.ts";

let cluster: WorkerCluster<3>;
let a: Worker;
let b: Worker;
let c: Worker;

beforeAll(async () => {
  cluster = await WorkerCluster.start(3, { proxied: true });
  [a, b, c] = cluster.workers;
});
beforeEach(() => cluster.forget());
afterEach(() => cluster.checkBugs());
afterAll(() => cluster[Symbol.asyncDispose]());

test("G1: join is local and immediate, and all nodes come to know it", async () => {
  const [first, second] = [await a.node.spawn(), await b.node.spawn()];
  expect(await a.node.joinAndLook("local", first)).toMatchObject([{ pid: first, joins: 1 }]);
  await b.node.join("local", second);
  await agree([a, b, c], (worker) => pidsIn(worker, "local"), [first, second].sort());
});

test("G1: only the owner node writes its members: a remote process cannot be joined, and then none of the list is", async () => {
  const [mine, theirs] = [await a.node.spawn(), await b.node.spawn()];
  await expect(a.node.join("foreign", theirs)).rejects.toMatchObject({ code: "NOT_LOCAL", pid: theirs });
  await expect(a.node.join("foreign", [mine, theirs])).rejects.toMatchObject({ code: "NOT_LOCAL" });
  await b.node.join("foreign", theirs);
  await agree([a, b, c], (worker) => pidsIn(worker, "foreign"), [theirs]);
});

test("G1: everyone converges to the exact union, whatever was lost meanwhile", async () => {
  const [stays, leaves, joins] = await a.node.spawnMany(3);
  const theirs = await b.node.spawn();
  if (stays === undefined || leaves === undefined || joins === undefined)
    throw new Error("three were spawned");
  await a.node.join("union", [stays, leaves]);
  await a.node.settled();
  // The bus drops what is said while nobody listens: this must be repaired.
  cluster.proxy(a).cut();
  await a.node.leave("union", leaves);
  await a.node.join("union", joins);
  await b.node.join("union", theirs);
  cluster.proxy(a).heal();
  await agree([a, b, c], (worker) => pidsIn(worker, "union"), [stays, joins, theirs].sort());
});

test("G2: between one sender and one receiver messages keep their order, however they are sent, and come once", async () => {
  const target = await makeTarget("ordered");
  const count = 5_000;
  const answered = await Promise.all([
    a.node.sendMixed({ ...target, from: target.ofA, callMs: 20_000 }, 0, count),
    c.node.sendMixed({ ...target, from: target.ofC, callMs: 20_000 }, 0, count),
  ]);
  expect(answered).toStrictEqual([count / 5, count / 5]);
  await eventually(async () => (await b.node.received(target.pid)).length >= 2 * count, { withinMs: 20_000 });
  const received = await b.node.received(target.pid);
  const all = Array.from({ length: count }, (_, index) => index);
  expect(numbersFrom(received, target.ofA)).toStrictEqual(all);
  expect(numbersFrom(received, target.ofC)).toStrictEqual(all);
});

test("G2: the order holds, and nothing comes twice, when the sender's bus connection drops meanwhile", async () => {
  const target = await makeTarget("dropped");
  const count = 40_000;
  let isSending = true;
  const sending = a.node.sendMixed({ ...target, from: target.ofA, callMs: 2_000 }, 0, count).finally(() => {
    isSending = false;
  });
  await eventually(async () => (await b.node.received(target.pid)).length > count / 100);
  cluster.proxy(a).cut();
  expect(isSending, "the drop is in the midst of it").toBe(true);
  cluster.proxy(a).heal();
  await sending;
  await a.node.flushed({ timeoutMs: 20_000 });
  await a.node.send(target.pid, count, { from: target.ofA });
  await eventually(async () => (await b.node.received(target.pid)).at(-1)?.message === count, {
    withinMs: 20_000,
  });
  const numbers = numbersFrom(await b.node.received(target.pid), target.ofA);
  for (const [index, number] of numbers.entries()) expect(number).toBeGreaterThan(numbers[index - 1] ?? -1);
  // A drop of the connection is no reason to lose what the bus had not confirmed.
  expect(numbers.length).toBe(count + 1);
  expect((await a.node.stats()).reconnects).toBeGreaterThan(0);
});

test("G3: publish costs one bus message per node that has members at the very most, not one per member", async () => {
  await using observer = await BusObserver.start(cluster.server.url);
  const [near, far, alone] = [
    await a.node.spawnMany(20, "record"),
    await b.node.spawnMany(300, "record"),
    await b.node.spawn("record"),
  ];
  await a.node.join("crowd", near);
  await b.node.join("crowd", far);
  await c.node.join("crowd", await c.node.spawnMany(300, "record"));
  await b.node.join("one", alone);
  await Promise.all([a, b, c].map((worker) => worker.node.settled()));
  for (let message = 0; message < 10; message += 1) {
    expect(await a.node.publish("crowd", `to the crowd ${message}`)).toBe(620);
    expect(await a.node.publish("one", `to one ${message}`)).toBe(1);
  }
  for (const [worker, pids] of [
    [a, near],
    [b, far],
  ] as const) {
    for (const pid of [pids[0], pids.at(-1)] as readonly Pid[]) {
      await eventually(async () => (await worker.node.received(pid)).length === 10);
    }
  }
  await eventually(async () => (await b.node.received(alone)).length === 10);
  await observer.flush();
  expect(observer.carrying("to the crowd").length).toBeGreaterThan(0);
  expect(observer.carrying("to the crowd").length).toBeLessThanOrEqual(10 * 2);
  expect(observer.carrying("to one").length).toBeLessThanOrEqual(10);
});

interface Target {
  readonly pid: Pid;
  readonly name: string;
  readonly group: string;
  readonly ofA: Pid;
  readonly ofC: Pid;
}

/** A process of node b that keeps what it gets, with a name, in a group that has members on all nodes. */
async function makeTarget(name: string): Promise<Target> {
  const pid = await b.node.spawn("record", { mailbox: 100_000 });
  await b.node.register(name, pid);
  await b.node.join(name, pid);
  for (const worker of [a, b, c]) await worker.node.join(name, await worker.node.spawn("record"));
  await Promise.all([a, b, c].map((worker) => worker.node.settled()));
  return { pid, name, group: name, ofA: await a.node.spawn(), ofC: await c.node.spawn() };
}

function numbersFrom(received: readonly Received[], sender: Pid): readonly number[] {
  return received.filter(({ from }) => from === sender).map(({ message }) => Number(message));
}
