import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Pid } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import type { Worker } from "../support/worker-client.ts";
import { agree, pidsIn, WorkerCluster } from "../support/worker-cluster.ts";

let cluster: WorkerCluster<3>;
let a: Worker;
let b: Worker;
let c: Worker;
let all: readonly Worker[];

beforeAll(async () => {
  cluster = await WorkerCluster.start(3);
  [a, b, c] = cluster.workers;
  all = cluster.workers;
});
beforeEach(() => cluster.forget());
afterEach(() => cluster.checkBugs());
afterAll(() => cluster[Symbol.asyncDispose]());

test("a group appears in the lists with its first member, and vanishes with its last", async () => {
  const pid = await a.node.spawn();
  await agree(all, (worker) => worker.node.groups(), []);
  await a.node.join("brief", pid);
  await agree(all, (worker) => worker.node.groups(), ["brief"]);
  await a.node.leave("brief", pid);
  await agree(all, (worker) => worker.node.groups(), []);
  expect(await a.node.members("brief")).toStrictEqual([]);
});

test("who joins n times must leave n times, and is listed once with its joins", async () => {
  const pid = await a.node.spawn();
  const joins = async (worker: Worker) => (await worker.node.members("often")).map((member) => member.joins);
  await a.node.join("often", pid);
  await a.node.join("often", [pid, pid]);
  await agree(all, joins, [3]);
  expect(await a.node.leave("often", [pid, pid])).toBe(true);
  await agree(all, joins, [1]);
  expect(await a.node.leave("often", pid)).toBe(true);
  await agree(all, joins, []);
});

test("leaving a group that one is not in says so", async () => {
  const [member, other] = [await a.node.spawn(), await a.node.spawn()];
  await a.node.join("mine", member);
  expect(await a.node.leave("mine", other)).toBe(false);
  expect(await a.node.leave("no such group", member)).toBe(false);
  expect(await a.node.leave("mine", [other, member])).toBe(true);
});

test("a member of another node is among the members, and not among the local ones", async () => {
  const pid = await a.node.spawn();
  await a.node.join("shown", pid, { meta: "of a" });
  await agree([b, c], (worker) => worker.node.members("shown"), await a.node.members("shown"));
  expect(await a.node.members("shown")).toMatchObject([{ pid, meta: "of a", node: cluster.id(a), joins: 1 }]);
  expect(await a.node.localMembers("shown")).toMatchObject([{ pid }]);
  expect(await b.node.localMembers("shown")).toStrictEqual([]);
  expect(await b.node.members("unknown")).toStrictEqual([]);
  await a.node.exit(pid);
});

test("a node that opens a scope late, or starts late, sees the members that are there", async () => {
  const pid = await a.node.spawn();
  await a.node.openScope("late");
  await a.in("late").join("early birds", pid);
  await a.node.join("early birds", pid);
  await b.node.openScope("late");
  expect(await pidsIn(b, "early birds", "late")).toStrictEqual([pid]);
  const d = await cluster.add("d");
  expect(await pidsIn(d, "early birds")).toStrictEqual([pid]);
  await cluster.stopNode(d);
  await d[Symbol.asyncDispose]();
  await a.node.exit(pid);
});

test("when a node stops its members are gone; when it starts again its memberships are lost, and the others' are back", async () => {
  const [stays, goes] = [await a.node.spawn(), await c.node.spawn()];
  await a.node.join("restarted", stays);
  await c.node.join("restarted", goes);
  await agree(all, (worker) => pidsIn(worker, "restarted"), [stays, goes].sort());
  await cluster.stopNode(c);
  await agree([a, b], (worker) => pidsIn(worker, "restarted"), [stays]);
  await cluster.startNode(c);
  expect(await pidsIn(c, "restarted")).toStrictEqual([stays]);
  await cluster.allUp();
  await a.node.exit(stays);
});

test("a watch of one group gives its members, then every change in order, whoever made it", async () => {
  const [mine, theirs, gone] = [await a.node.spawn(), await b.node.spawn(), await c.node.spawn()];
  await a.node.join("watched", mine, { meta: 1 });
  const watch = await a.node.watchGroups("watched");
  await a.node.join("not watched", mine);
  await a.node.join("watched", mine);
  await agree([a], (worker) => worker.node.countMembers("watched"), 1);
  await b.node.join("watched", theirs);
  await a.saw("group", ({ event }) => event.kind === "joined" && event.member.pid === theirs);
  await b.node.updateMember("watched", theirs, { set: "changed" });
  await b.node.leave("watched", theirs);
  await a.saw("group", ({ event }) => event.kind === "left" && event.member.pid === theirs);
  await c.node.join("watched", gone);
  await a.saw("group", ({ event }) => event.kind === "joined" && event.member.pid === gone);
  await cluster.stopNode(c);
  await a.saw("group", ({ event }) => event.kind === "left" && event.member.pid === gone);
  const [state, ...events] = a.seen("group", (seen) => seen.watch === watch).map(({ event }) => event);
  expect(state?.kind === "state" && [...state.groups]).toMatchObject([["watched", [{ pid: mine, meta: 1 }]]]);
  expect(events).toMatchObject([
    { kind: "updated", group: "watched", member: { pid: mine, joins: 2 } },
    { kind: "joined", group: "watched", member: { pid: theirs, joins: 1 } },
    { kind: "updated", group: "watched", member: { pid: theirs, meta: "changed" } },
    { kind: "left", group: "watched", member: { pid: theirs }, reason: { kind: "released" } },
    { kind: "joined", group: "watched", member: { pid: gone } },
    { kind: "left", group: "watched", member: { pid: gone }, reason: { kind: "shutdown" } },
  ]);
  await a.node.unwatch(watch);
  await a.node.exit(mine);
  await cluster.startNode(c);
  await cluster.allUp();
});

test("a watch of all groups gives all of them, then the changes of each; after its end nothing comes any more", async () => {
  const pid = await a.node.spawn();
  await a.node.join("first", pid);
  await b.node.join("second", await b.node.spawn());
  await agree([a], (worker) => worker.node.groups(), ["first", "second"]);
  const watch = await a.node.watchGroups();
  const { event } = await a.saw("group", (seen) => seen.watch === watch);
  expect(event.kind === "state" && [...event.groups.keys()].sort()).toStrictEqual(["first", "second"]);
  await a.node.join("third", pid);
  await a.saw("group", (seen) => seen.event.kind === "joined" && seen.event.group === "third");
  await a.node.unwatch(watch);
  await a.node.join("fourth", pid);
  await a.node.exit(pid);
  await a.saw("exited", (seen) => seen.pid === pid);
  expect(a.seen("group", (seen) => seen.watch === watch).length).toBe(2);
});

test("publish says how many it is for, and each gets it once; a group that is not there has none", async () => {
  const pids = new Map<Worker, Pid>();
  for (const worker of all) pids.set(worker, await worker.node.spawn("record"));
  for (const [worker, pid] of pids) await worker.node.join("readers", [pid, pid]);
  await agree(all, (worker) => worker.node.countMembers("readers"), 3);
  expect(await a.node.publish("readers", "to all")).toBe(3);
  expect(await a.node.publish("readers", "to a's", { only: "local" })).toBe(1);
  expect(await a.node.publish("readers", "to b's", { only: cluster.id(b) })).toBe(1);
  const own = pids.get(a);
  if (own === undefined) throw new Error("it was spawned");
  expect(await a.node.publish("readers", "to the others", { except: own, from: own })).toBe(2);
  expect(await a.node.publish("no such group", "to nobody")).toBe(0);
  const texts = async (worker: Worker): Promise<readonly unknown[]> =>
    (await worker.node.received(pids.get(worker) ?? own)).map(({ message }) => message);
  await eventually(async () => (await texts(c)).length === 2);
  await a.node.settled();
  expect(await texts(a)).toStrictEqual(["to all", "to a's"]);
  expect(await texts(b)).toStrictEqual(["to all", "to b's", "to the others"]);
  expect(await texts(c)).toStrictEqual(["to all", "to the others"]);
  expect((await c.node.received(pids.get(c) ?? own)).at(-1)?.from).toBe(own);
});

test("multicall gathers the answers of a group, and who failed and why", async () => {
  const [answers, throws, hangs] = [
    await a.node.spawn("echo"),
    await b.node.spawn("throw"),
    await c.node.spawn("hang"),
  ];
  await a.node.join("asked", answers);
  await b.node.join("asked", throws);
  await c.node.join("asked", hangs);
  await agree(all, (worker) => worker.node.countMembers("asked"), 3);
  const { replies, failures } = await b.node.multicall({ group: "asked" }, "how much", { timeoutMs: 500 });
  expect(replies).toStrictEqual([{ pid: answers, value: "how much" }]);
  expect(failures.length).toBe(2);
  expect(failures.find(({ to }) => to === throws)?.error).toMatchObject({
    code: "CALL_FAILED",
    callee: throws,
  });
  expect(failures.find(({ to }) => to === hangs)?.error).toMatchObject({ code: "TIMEOUT" });
});

test("counts and groups, also by node and by process, are exact", async () => {
  const [one, two] = await a.node.spawnMany(2);
  const three = await b.node.spawn();
  if (one === undefined || two === undefined) throw new Error("two were spawned");
  await a.node.join("counted", [one, two]);
  await a.node.join("counted too", one);
  await b.node.join("counted", three);
  await agree(all, (worker) => worker.node.countMembers("counted"), 3);
  await agree(all, (worker) => worker.node.countMembers("counted too"), 1);
  for (const worker of all) {
    expect(await worker.node.countMembers("counted", cluster.id(a))).toBe(2);
    expect(await worker.node.countMembers("counted", cluster.id(b))).toBe(1);
    expect(await worker.node.countMembers("counted", cluster.id(c))).toBe(0);
    expect(await worker.node.groupsOf(one)).toStrictEqual(["counted", "counted too"]);
    expect(await worker.node.groups()).toEqual(expect.arrayContaining(["counted", "counted too"]));
  }
});
