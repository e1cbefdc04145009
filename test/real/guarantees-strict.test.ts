import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { StrictCluster } from "../support/strict-cluster.ts";
import type { Holding } from "../support/worker/strict-commands.ts";
import type { Refusal, Worker } from "../support/worker-client.ts";

const TTL_MS = 3_000;

/** How much earlier than its session a holder gives up, by the settings, and some for timers that fire late. */
const MARGIN_MS = 250;

let strict: StrictCluster<number> | undefined;

afterEach(async () => {
  await strict?.[Symbol.asyncDispose]();
  strict = undefined;
});

async function setUp(size: number): Promise<readonly Worker[]> {
  strict = await StrictCluster.start(size, TTL_MS);
  return strict.cluster.workers;
}

function nth(workers: readonly Worker[], index: number): Worker {
  const worker = workers[index];
  if (worker === undefined) throw new Error(`there is no worker ${index}`);
  return worker;
}

async function refusal(promise: Promise<unknown>): Promise<Refusal> {
  return promise.then(
    () => {
      throw new Error("it was not refused");
    },
    (error: Refusal) => error,
  );
}

function areDisjoint(holdings: readonly Holding[]): boolean {
  const inOrder = [...holdings].sort((left, right) => left.fromMs - right.fromMs);
  return inOrder.every((next, index) => {
    const before = inOrder[index - 1];
    return before === undefined || (before.toMs <= next.fromMs && before.token < next.token);
  });
}

describe("strict names", () => {
  test("C1: a holder whose event loop stood still for longer than the ttl knows before its next message", async () => {
    const workers = await setUp(2);
    const [holder, other] = [nth(workers, 0), nth(workers, 1)];
    const { pid, token } = await holder.node.strictRegister("x", undefined, { onLost: "notify" });
    const onlooker = await holder.node.strictOnlooker("x");
    expect(await other.node.call(onlooker, 0)).toMatchObject({ aborted: false, isHeld: true });
    const blocked = holder.node.block(2 * TTL_MS);
    await holder.saw("blocking", () => true);
    const waiting = other.node.strictRegister("x", undefined, { wait: true, timeoutMs: 20_000 });
    // On its way while the loop stands still: it is in the socket when that wakes, together with whatever else came.
    const asked = other.node.call(onlooker, 1, { timeoutMs: 20_000 });
    expect(await asked).toMatchObject({ aborted: true, isHeld: false, remainingMs: 0 });
    await blocked;
    expect((await waiting).token).toBeGreaterThan(token);
    expect(await holder.node.isAlive(pid)).toBe(false);
    await strict?.cluster.checkBugs();
  });

  test("C3, C4: with two of three servers gone nothing is granted, holders stop in time, and service returns", async () => {
    const workers = await setUp(2);
    const [a, b] = [nth(workers, 0), nth(workers, 1)];
    const process = await a.node.spawn("idle");
    await a.node.strictRegister("x", process);
    const [, second, third] = strict?.redis ?? [];
    second?.signal("SIGSTOP");
    third?.signal("SIGSTOP");
    // Nothing that was under way is answered any more.
    await eventually(async () => (await a.node.strictState("x")).remainingMs < TTL_MS / 2, {
      withinMs: 10_000,
    });
    const sampledMs = Date.now();
    const { remainingMs } = await a.node.strictState("x");
    const { atMs } = await a.saw("leaseEnded", ({ name }) => name === "x");
    expect(atMs).toBeLessThan(sampledMs + remainingMs + MARGIN_MS);
    expect(a.seen("leaseEnded", ({ name }) => name === "x")).toMatchObject([{ isHeld: false }]);
    await a.saw("exited", ({ pid, reason }) => pid === process && reason.kind === "leaseLost");

    for (const [worker, ask] of [
      [a, () => a.node.strictRegister("y", undefined, { timeoutMs: 4_000 })],
      [b, () => b.node.strictRegister("y", undefined, { timeoutMs: 4_000, wait: true })],
      [b, () => b.node.strictLookup("x", { timeoutMs: 4_000 })],
    ] as const) {
      const beganMs = Date.now();
      const refused = await refusal(ask());
      expect([worker.name, refused]).toMatchObject([
        worker.name,
        { code: "NO_QUORUM", reached: 1, needed: 2 },
      ]);
      expect(Date.now() - beganMs).toBeLessThan(5_000);
      expect((await worker.node.stats()).leases).toMatchObject({ reached: 1, needed: 2 });
    }

    second?.signal("SIGCONT");
    third?.signal("SIGCONT");
    const again = await b.node.strictRegister("x", undefined, { wait: true, timeoutMs: 20_000 });
    expect(await a.node.strictLookup("x", { timeoutMs: 10_000 })).toMatchObject({ pid: again.pid });
    await strict?.cluster.checkBugs();
  });

  test("C1, C5: 16 contenders in 4 processes all are served, never two at once, in the order in which they came", async () => {
    const workers = await setUp(4);
    const first = await nth(workers, 0).node.strictRegister("x", undefined);
    const order: number[] = [];
    const contending: Promise<Holding>[] = [];
    for (let index = 0; index < 16; index += 1) {
      const worker = nth(workers, index % 4);
      const holding = worker.node.strictContend("x", 20, 40_000);
      contending.push(holding);
      // Each stands in line, and 100 ms have passed, before the next one comes.
      const atMs = Date.now();
      const waits = Math.floor(index / 4) + 1;
      await eventually(async () => (await worker.node.stats()).leases.waiting === waits, { withinMs: 5_000 });
      await eventually(() => Date.now() >= atMs + 100, { withinMs: 5_000 });
      void holding.then(() => order.push(index)).catch(() => {});
    }
    await nth(workers, 0).node.strictRelease("x");
    const holdings = await Promise.all(contending);
    expect(areDisjoint(holdings)).toBe(true);
    expect(holdings.every(({ token }) => token > first.token)).toBe(true);
    const byTime = holdings.map(({ fromMs }, index) => ({ fromMs, index }));
    byTime.sort((left, right) => left.fromMs - right.fromMs);
    expect(byTime.map(({ index }) => index)).toEqual([...holdings.keys()]);
    await strict?.cluster.checkBugs();
  });

  test("C5: a waiter at the head of the line that is killed does not hold up the others", async () => {
    const workers = await setUp(3);
    const [holder, doomed, next] = [nth(workers, 0), nth(workers, 1), nth(workers, 2)];
    await holder.node.strictRegister("x", undefined);
    void doomed.node.strictContend("x", 20, 60_000).catch(() => {});
    await eventually(async () => (await doomed.node.stats()).leases.waiting === 1, { withinMs: 5_000 });
    const waiting = next.node.strictContend("x", 20, 60_000);
    await eventually(async () => (await next.node.stats()).leases.waiting === 1, { withinMs: 5_000 });
    await strict?.cluster.kill(doomed);
    const releasedMs = Date.now();
    await holder.node.strictRelease("x");
    const { fromMs } = await waiting;
    expect(fromMs - releasedMs).toBeLessThan(2_000);
    await strict?.cluster.checkBugs();
  });

  test("C1, C2: the name of a holder that is killed is taken within the ttl and 2 s, with a higher token", async () => {
    const workers = await setUp(2);
    const [doomed, heir] = [nth(workers, 0), nth(workers, 1)];
    const { token } = await doomed.node.strictRegister("x", undefined);
    const waiting = heir.node.strictContend("x", 1, 60_000);
    await eventually(async () => (await heir.node.stats()).leases.waiting === 1, { withinMs: 5_000 });
    const killedMs = (await strict?.cluster.kill(doomed)) ?? Number.NaN;
    const holding = await waiting;
    expect(holding.fromMs - killedMs).toBeLessThan(TTL_MS + 2_000);
    expect(holding.token).toBeGreaterThan(token);
    await strict?.cluster.checkBugs();
  });

  test("C4: 10,000 names cost as many renewals as one, and are all given back when their node stops", async () => {
    const workers = await setUp(2);
    const [many, one] = [nth(workers, 0), nth(workers, 1)];
    await many.node.strictRegisterMany("n", 10_000);
    const sent = async (worker: Worker): Promise<number> => (await worker.node.stats()).leases.requests;
    // Votes that a server was late to give are asked for behind the grant.
    let last = -1;
    await eventually(
      async () => {
        const before = last;
        last = await sent(many);
        return last - before <= 6;
      },
      { withinMs: 20_000 },
    );
    const before = [await sent(many), await sent(one)];
    const fromMs = Date.now();
    await eventually(() => Date.now() - fromMs >= 5 * TTL_MS, { withinMs: 10 * TTL_MS });
    const [ofMany = 0, ofOne = 0] = [
      (await sent(many)) - (before[0] ?? 0),
      (await sent(one)) - (before[1] ?? 0),
    ];
    expect(ofOne).toBeGreaterThan(30);
    expect(ofMany).toBeLessThan(ofOne + 10);
    expect((await many.node.stats()).leases).toMatchObject({ held: 10_001, lost: 0 });
    await many.node.stop();
    for (const name of ["n0", "n5000", "n9999"]) {
      await one.node.strictRegister(name, undefined, { timeoutMs: 1_000 });
    }
  });
});
