import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Pid } from "../../src/index.ts";
import type { RaceOutcome } from "../support/worker/scope-commands.ts";
import type { Worker } from "../support/worker-client.ts";
import { agree, holderOf, pidsIn, QUICK, WorkerCluster } from "../support/worker-cluster.ts";

let cluster: WorkerCluster<3>;
let a: Worker;
let b: Worker;
let c: Worker;

describe("on three OS processes and a real nats-server", () => {
  beforeAll(async () => {
    cluster = await WorkerCluster.start(3);
    [a, b, c] = cluster.workers;
  });
  beforeEach(() => cluster.forget());
  afterEach(() => cluster.checkBugs());
  afterAll(() => cluster[Symbol.asyncDispose]());

  test("A1: of the nodes that race for a name one succeeds, every other gets NameTakenError with its holder, and nobody is killed", async () => {
    const racers = await makeRacers([a, b, c]);
    for (let round = 0; round < 10; round += 1) await race(racers, "raced-", 100);
    await expectNoClash([a, b, c]);
  });

  test("A1: it holds while nodes join and leave gracefully", async () => {
    const racers = await makeRacers([a, b, c]);
    const visitor = cluster.addWorker("visitor");
    let isVisited = true;
    const visits = (async () => {
      for (let visit = 0; visit < 6; visit += 1) {
        await cluster.startNode(visitor);
        // It takes part: some of the names are for it to grant.
        await visitor.node.register(`visit-${visit}`, await visitor.node.spawn());
        await (visit % 2 === 0 ? cluster.drainNode(visitor) : cluster.stopNode(visitor));
      }
    })().finally(() => {
      isVisited = false;
    });
    while (isVisited) await race(racers, "visited-", 60);
    await visits;
    await visitor[Symbol.asyncDispose]();
    await cluster.allUp();
    await expectNoClash([a, b, c]);
  });

  test("A2: a register that resolved is visible to the caller at once, also for another node's process", async () => {
    for (let round = 0; round < 40; round += 1) {
      const [caller, owner, third] = round % 2 === 0 ? [a, b, c] : [c, a, b];
      const [pid, other] = await owner.node.spawnMany(2);
      if (pid === undefined || other === undefined) throw new Error("two were spawned");
      const name = `at-once-${round}`;
      const registered = await caller.node.registerAndLook(name, pid, { meta: 1 });
      expect(registered.seen).toStrictEqual(registered.registration);
      expect(registered.seen).toMatchObject({ name, pid, meta: 1, node: cluster.id(owner) });
      const updated = await caller.node.updateAndLook(name, { add: 1 });
      expect(updated.seen).toMatchObject({ pid, meta: 2 });
      const transferred = await caller.node.transferAndLook(name, other);
      expect(transferred.seen).toMatchObject({ pid: other, meta: 2 });
      const own = await caller.node.spawn();
      const taken = await caller.node.reregisterAndLook(name, own, { meta: 3 });
      expect(taken.seen).toMatchObject({ pid: own, meta: 3 });
      const far = await third.node.spawn();
      const moved = await caller.node.transferAndLook(name, far);
      expect(moved.seen).toMatchObject({ pid: far, meta: 3 });
      expect(await caller.node.unregisterAndLook(name)).toBe(undefined);
    }
  });

  test("A2: every connected node sees it soon after", async () => {
    const pid = await a.node.spawn();
    await a.node.register("soon", pid);
    await agree([a, b, c], (worker) => holderOf(worker, "soon"), pid, 2_000);
  });

  test("A2: settled() resolves when every write called here is applied on every up node", async () => {
    const [pid, foreign] = [await a.node.spawn(), await b.node.spawn()];
    await a.node.registerMany("settled-", 300, pid, 1);
    await a.node.register("settled foreign", foreign, { meta: 1 });
    await a.node.settled();
    for (const worker of [b, c]) expect((await worker.node.namesOf(pid)).length).toBe(300);
    // Of what follows nothing has to be asked of the node that stands still: only `settled` waits for it.
    const blocked = c.node.block(1_000).then(() => Date.now());
    await a.node.update("settled-0", { set: 2 });
    await a.node.update("settled foreign", { set: 2 });
    await a.node.join("settled", pid);
    await a.node.settled({ timeoutMs: 20_000 });
    const settledAtMs = Date.now();
    for (const worker of [b, c]) {
      expect((await worker.node.whereis("settled-0"))?.meta).toBe(2);
      expect((await worker.node.whereis("settled foreign"))?.meta).toBe(2);
      expect(await pidsIn(worker, "settled")).toStrictEqual([pid]);
    }
    expect(settledAtMs).toBeGreaterThan((await blocked) - 100);
    await a.node.exit(pid);
  });

  test("A5: an entry goes with its process: from its own node in the same turn, from the others by the next hop", async () => {
    const names = ["exits-1", "exits-2"];
    const groups = ["exits-1", "exits-2"];
    const pid = await c.node.spawn();
    for (const name of names) await c.node.register(name, pid);
    for (const group of groups) await c.node.join(group, pid);
    await c.node.settled();
    const watch = await a.node.watchNames("exits-1");
    await a.saw("name", (seen) => seen.watch === watch && seen.event.kind === "state");
    const exitAtMs = Date.now();
    expect(await c.node.exitAndLook(pid, names, groups)).toStrictEqual({
      held: [],
      joined: [],
      namesOf: [],
      groupsOf: [],
    });
    const { atMs, event } = await a.saw(
      "name",
      (seen) => seen.watch === watch && seen.event.kind === "unregistered",
    );
    expect(event).toMatchObject({ registration: { pid }, reason: { kind: "normal" } });
    // Sooner than any heartbeat would have brought it.
    expect(atMs - exitAtMs).toBeLessThan(1_000);
    await agree([a, b], (worker) => worker.node.namesOf(pid), []);
    await agree([a, b], (worker) => worker.node.groupsOf(pid), []);
    await a.node.unwatch(watch);
  });

  test("A5: when a node is killed every other purges its entries on its own, and its next incarnation brings none of them back", async () => {
    const d = await cluster.add("d");
    const pid = await d.node.spawn();
    await d.node.registerMany("killed-", 50, pid);
    await d.node.join("killed", pid);
    await d.node.settled();
    for (const worker of [a, b, c]) await worker.node.watchNames("killed-0");
    await cluster.kill(d);
    for (const worker of [a, b, c]) {
      const { event } = await worker.saw("name", (seen) => seen.event.kind === "unregistered");
      expect(event).toMatchObject({ registration: { pid }, reason: { kind: "nodeDown" } });
    }
    const again = await cluster.add("d");
    const next = await again.node.spawn();
    await again.node.register("killed-0", next);
    await again.node.settled();
    for (const worker of [a, b, c, again]) {
      expect(await worker.node.namesOf(pid)).toStrictEqual([]);
      expect(await pidsIn(worker, "killed")).toStrictEqual([]);
      expect(await holderOf(worker, "killed-0")).toBe(next);
      expect(await holderOf(worker, "killed-1")).toBe(undefined);
    }
    await cluster.stopNode(again);
    await cluster.allUp();
  });

  test("A4: what a registration costs does not grow with the number of names", {
    timeout: 120_000,
  }, async () => {
    const [pid, filler] = [await a.node.spawn(), await b.node.spawn()];
    const few = await costOf("few-", pid);
    for (let part = 0; part < 15; part += 1) await b.node.registerMany(`filler-${part}-`, 2_000, filler);
    await b.node.settled({ timeoutMs: 30_000 });
    expect(await a.node.count()).toBeGreaterThanOrEqual(30_000);
    const many = await costOf("many-", pid);
    // A lock or a copy of the table would cost a hundredfold; what is allowed here is a busy machine.
    expect(many.medianMs).toBeLessThan(3 * few.medianMs + 1);
    expect(many.bytes).toBeLessThan(1.5 * few.bytes);
    await b.node.exit(filler);
  });
});

describe("with nodes that hang", () => {
  beforeAll(async () => {
    cluster = await WorkerCluster.start(3, { node: { failureDetection: QUICK }, proxied: true });
    [a, b, c] = cluster.workers;
  });
  beforeEach(() => cluster.forget());
  afterEach(() => cluster.checkBugs());
  afterAll(() => cluster[Symbol.asyncDispose]());

  test("A4: a hung node delays a registration by arbiterTimeoutMs at most, and only those that it is to grant", async () => {
    const pid = await a.node.spawn();
    const watch = await a.node.watchNodes();
    c.signal("SIGSTOP");
    const beganAtMs = Date.now();
    const times = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        await a.node.register(`hung-${index}`, pid);
        return Date.now() - beganAtMs;
      }),
    );
    const downs = a.seen("node", ({ event }) => event.kind === "down");
    c.signal("SIGCONT");
    expect(downs, "the hung node is not given up yet").toStrictEqual([]);
    expect(Math.max(...times), "no registration asked the hung node").toBeGreaterThan(
      QUICK.arbiterTimeoutMs / 2,
    );
    expect(Math.max(...times)).toBeLessThan(QUICK.arbiterTimeoutMs + 1_000);
    expect(times.filter((time) => time < 500).length).toBeGreaterThan(10);
    await agree([a, b, c], async (worker) => (await worker.node.namesOf(pid)).length, 40);
    await a.node.unwatch(watch);
  });

  test("A4: a registration that waits for the hung node of its process holds up no other", async () => {
    const [mine, theirs] = [await a.node.spawn(), await c.node.spawn()];
    await a.node.watchNodes();
    c.signal("SIGSTOP");
    const waiting = a.node.register("waits", theirs, { timeoutMs: 1_500 });
    const meanwhile = Promise.all(
      Array.from({ length: 20 }, (_, index) => a.node.register(`meanwhile-${index}`, mine)),
    );
    await expect(waiting).rejects.toMatchObject({ code: "TIMEOUT" });
    await meanwhile;
    c.signal("SIGCONT");
    // What was given up is withdrawn: it does not turn up later.
    await cluster.allUp();
    await c.node.settled();
    await a.node.settled();
    await agree([a, b, c], (worker) => holderOf(worker, "waits"), undefined);
  });

  test("A2: settled() waits for a suspect until it is down, and its TimeoutError lists the nodes that lag", async () => {
    const pid = await a.node.spawn();
    c.signal("SIGSTOP");
    try {
      await a.node.register("lags", pid);
      await expect(a.node.settled({ timeoutMs: 300 })).rejects.toMatchObject({
        code: "TIMEOUT",
        lagging: [cluster.id(c)],
      });
      await a.node.settled({ timeoutMs: 20_000 });
      expect((await a.node.nodes()).map(({ id }) => id)).not.toContain(cluster.id(c));
    } finally {
      c.signal("SIGCONT");
    }
    await cluster.allUp();
    await agree([a, b, c], (worker) => holderOf(worker, "lags"), pid);
  });

  test("A4: a node without a bus decides alone, after arbiterTimeoutMs, and what it decided is known when it is back", async () => {
    const pid = await a.node.spawn();
    cluster.proxy(a).cut();
    const beganAtMs = Date.now();
    await a.node.registerMany("alone-", 20, pid);
    expect(Date.now() - beganAtMs).toBeLessThan(QUICK.arbiterTimeoutMs + 1_500);
    cluster.proxy(a).heal();
    await agree([a, b, c], async (worker) => (await worker.node.namesOf(pid)).length, 20);
    await cluster.allUp();
  });
});

interface Racer {
  readonly worker: Worker;
  readonly pid: Pid;
}

function makeRacers(workers: readonly Worker[]): Promise<readonly Racer[]> {
  return Promise.all(workers.map(async (worker) => ({ worker, pid: await worker.node.spawn() })));
}

/** All try for the same names at once; then the winners give them back. */
async function race(racers: readonly Racer[], prefix: string, names: number): Promise<void> {
  const outcomes = await Promise.all(
    racers.map(async ({ worker, pid }) => ({
      worker,
      pid,
      ...(await worker.node.raceMany(prefix, names, pid)),
    })),
  );
  const winners = new Map(outcomes.flatMap(({ pid, won }) => won.map((index) => [index, pid] as const)));
  expect(outcomes.flatMap(({ failed }) => failed)).toStrictEqual([]);
  expect(outcomes.flatMap(({ won }) => won).length, "each name has one winner").toBe(names);
  expect(winners.size).toBe(names);
  for (const outcome of outcomes) expectHolders(outcome, winners);
  for (const { worker, won } of outcomes) {
    expect(await worker.node.unregisterMany(prefix, won)).toBe(won.length);
  }
}

function expectHolders({ won, lost }: RaceOutcome, winners: ReadonlyMap<number, Pid>): void {
  expect(won.length + lost.size).toBe(winners.size);
  for (const [index, holder] of lost) expect(holder).toBe(winners.get(index));
}

async function expectNoClash(workers: readonly Worker[]): Promise<void> {
  for (const worker of workers) {
    expect(worker.seen("exited")).toStrictEqual([]);
    expect((await worker.node.stats()).cluster).toMatchObject({
      "tables.clashes": 0,
      "tables.resolverRuns": 0,
    });
  }
}

/** What 100 registrations of node a cost, one after the other: the median time, and the bytes that it sent and received. */
async function costOf(prefix: string, pid: Pid): Promise<{ medianMs: number; bytes: number }> {
  let least = { medianMs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
  // What others do on the machine meanwhile can only make it look dearer.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const before = (await a.node.stats()).frames;
    const times = [...(await a.node.timeRegisters(`${prefix}${attempt}-`, 100, pid))].sort(
      (left, right) => left - right,
    );
    const after = (await a.node.stats()).frames;
    const bytes = after.bytesSent - before.bytesSent + after.bytesReceived - before.bytesReceived;
    const medianMs = times[50] ?? Number.NaN;
    least = { medianMs: Math.min(least.medianMs, medianMs), bytes: Math.min(least.bytes, bytes) };
  }
  return least;
}
