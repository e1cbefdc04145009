import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { StrictCluster } from "../support/strict-cluster.ts";
import type { Holding } from "../support/worker/strict-commands.ts";
import type { Worker } from "../support/worker-client.ts";

const TTL_MS = 3_000;
const HOLD_MS = 20;
const WAIT_MS = 40_000;
/** Whoever comes so much later is served later. */
const APART_MS = 100;
/** By so much a waiter that has died may hold the others up: the name is kept for it for a quarter of a second, and they look again. */
const GRACE_MS = 2_000;

const owned: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of owned.splice(0)) await each[Symbol.asyncDispose]();
});

async function setUp<N extends number>(size: N, servers = 3): Promise<StrictCluster<N>> {
  const strict = await StrictCluster.start(size, TTL_MS, {}, servers);
  owned.push(strict);
  return strict;
}

/** On a majority of the servers so many stand in line. */
async function standInLine(strict: Pick<StrictCluster<number>, "inLine">, count: number): Promise<void> {
  let last: readonly number[] = [];
  const areThere = async (): Promise<boolean> => {
    last = await strict.inLine("x");
    return last.filter((waiters) => waiters >= count).length > last.length / 2;
  };
  await eventually(areThere, { withinMs: 20_000, what: () => `in line: ${last.join()}` });
}

async function passes(ms: number): Promise<void> {
  const fromMs = performance.now();
  await eventually(() => performance.now() - fromMs >= ms, { withinMs: ms + 20_000 });
}

function contend(worker: Worker): Promise<Holding> {
  const holding = worker.node.strictContend("x", HOLD_MS, WAIT_MS);
  // A worker that is killed answers no more.
  holding.catch(() => {});
  return holding;
}

function expectOneAtATime(holdings: readonly Holding[]): void {
  const inOrder = [...holdings].sort((left, right) => left.fromMs - right.fromMs);
  for (const [index, next] of inOrder.entries()) {
    const before = inOrder[index - 1];
    if (before === undefined) continue;
    expect(before.toMs).toBeLessThanOrEqual(next.fromMs);
    expect(before.token).toBeLessThan(next.token);
  }
}

describe.each([1, 3, 5])("16 contenders in 4 processes, on %i servers,", (servers) => {
  test("C1, C5: are all served, one at a time, and whoever comes 100 ms later is served later", async () => {
    const strict = await setUp(4, servers);
    const { workers } = strict.cluster;
    const first = await workers[0].node.strictRegister("x", undefined);
    const contending: Promise<Holding>[] = [];
    // Four at once, one of each process, in whatever order; and the next four when these have stood in line for so long.
    for (let burst = 0; burst < 4; burst += 1) {
      for (const worker of workers) contending.push(contend(worker));
      await standInLine(strict, contending.length);
      await passes(APART_MS);
    }
    await workers[0].node.strictRelease("x");
    const holdings = await Promise.all(contending);
    expectOneAtATime(holdings);
    expect(holdings.every(({ token }) => token > first.token)).toBe(true);
    const servedIn = holdings.map(({ fromMs }, index) => ({ fromMs, burst: Math.floor(index / 4) }));
    servedIn.sort((left, right) => left.fromMs - right.fromMs);
    expect(servedIn.map(({ burst }) => burst)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
    await strict.cluster.checkBugs();
  });
});

test("C5: nobody starves who waits while 15 others come again and again", async () => {
  const strict = await setUp(4);
  const each = await Promise.all(
    Array.from({ length: 16 }, (_, index) =>
      strict.cluster.workers[index % 4]?.node.strictContendAgain("x", 8, HOLD_MS, WAIT_MS),
    ),
  );
  const contenders = each.map((holdings) => holdings ?? []);
  const all = contenders.flat();
  expect(all).toHaveLength(16 * 8);
  expectOneAtATime(all);
  // In a perfect line nobody is served twice while another waits; who comes at the same moment may go first once more.
  for (const [index, holdings] of contenders.entries()) {
    for (const { askedMs, fromMs } of holdings) {
      const others = contenders.filter((_, other) => other !== index);
      const overtakings = others.map(
        (other) => other.filter((theirs) => theirs.fromMs > askedMs && theirs.fromMs < fromMs).length,
      );
      expect(Math.max(...overtakings)).toBeLessThanOrEqual(2);
    }
  }
  await strict.cluster.checkBugs();
});

describe("C5: a waiter at the head of the line that is killed holds the others up by a grace period at most", () => {
  test.each(["long before", "just before", "just after"])("%s its turn", async (when) => {
    const strict = await setUp(4);
    const [holder, doomed, next, last] = strict.cluster.workers;
    await holder.node.strictRegister("x", undefined);
    // It holds the name for as long as it lives, should it get it.
    void doomed.node.strictContend("x", WAIT_MS, WAIT_MS).catch(() => {});
    await standInLine(strict, 1);
    await passes(APART_MS);
    const waiting = contend(next);
    await standInLine(strict, 2);
    await passes(APART_MS);
    const behind = contend(last);
    await standInLine(strict, 3);
    if (when === "long before") {
      await strict.cluster.kill(doomed);
      await passes(TTL_MS / 2);
    }
    if (when === "just before") await strict.cluster.kill(doomed);
    const releasedMs = Date.now();
    const released = holder.node.strictRelease("x");
    if (when === "just after") await strict.cluster.kill(doomed);
    await released;
    const holdings = await Promise.all([waiting, behind]);
    expectOneAtATime(holdings);
    const upMs = (holdings[0]?.fromMs ?? 0) - releasedMs;
    // It may have been granted the name before it died: then that has to run out.
    const allowedMs = when === "just after" ? TTL_MS + GRACE_MS : GRACE_MS;
    process.stdout.write(`killed ${when} its turn: the next one was served after ${upMs} ms\n`);
    expect(upMs).toBeLessThan(allowedMs);
    expect(holdings[0]?.token).toBeLessThan(holdings[1]?.token ?? 0n);
    expect((holdings[1]?.fromMs ?? 0) - (holdings[0]?.toMs ?? 0)).toBeLessThan(GRACE_MS);
    await strict.cluster.checkBugs();
  });
});
