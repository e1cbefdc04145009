import { afterEach, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { StrictCluster } from "../support/strict-cluster.ts";

/** Long enough for a busy machine: servers that owe answers for a sixth of it are not asked for more. */
const TTL_MS = 6_000;
const FEW = 10;
const MANY = 10_000;
/** Within so much after its ttl everything that a killed node held is in other hands. */
const TAKEOVER_MS = 2_000;
/** For how long the servers' work is counted. */
const COUNTED_MS = 2 * TTL_MS;

const owned: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of owned.splice(0)) await each[Symbol.asyncDispose]();
});

interface Work {
  /** Commands, those that scripts call included. */
  readonly calls: number;
  readonly scripts: number;
  readonly bytes: number;
}

async function workOf(server: RedisServer): Promise<Work> {
  const [commands, stats] = [
    String(await server.ask("INFO", "commandstats")),
    String(await server.ask("INFO", "stats")),
  ];
  // Those by which this test looks are no work.
  const counted = [...commands.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].filter(
    ([, name]) => name !== "info" && name !== "dbsize",
  );
  const callsOf = (...names: readonly string[]): number =>
    counted.reduce((sum, [, name = "", calls]) => (names.includes(name) ? sum + Number(calls) : sum), 0);
  return {
    calls: counted.reduce((sum, [, , calls]) => sum + Number(calls), 0),
    scripts: callsOf("eval", "evalsha"),
    bytes: Number(/total_net_input_bytes:(\d+)/.exec(stats)?.[1]),
  };
}

/** What each server has to do within `COUNTED_MS` while nothing is asked for. */
async function workAtRest(servers: readonly RedisServer[]): Promise<readonly Work[]> {
  const before = await Promise.all(servers.map(workOf));
  const fromMs = performance.now();
  await eventually(() => performance.now() - fromMs >= COUNTED_MS, { withinMs: 2 * COUNTED_MS });
  const after = await Promise.all(servers.map(workOf));
  return after.map((work, index) => {
    const { calls = 0, scripts = 0, bytes = 0 } = before[index] ?? {};
    return { calls: work.calls - calls, scripts: work.scripts - scripts, bytes: work.bytes - bytes };
  });
}

/** Every server has every vote: names that were granted by a majority of servers are brought to the rest as well. */
async function votesAreEverywhere(servers: readonly RedisServer[], votes: number): Promise<void> {
  for (const server of servers) {
    await eventually(async () => Number(await server.ask("DBSIZE")) >= votes, { withinMs: 20_000 });
  }
}

test("C4: 10,000 names cost the servers what 10 do, and all are taken within the ttl and 2 s when their node is killed", async () => {
  const strict = await StrictCluster.start(2, TTL_MS);
  owned.push(strict);
  const { cluster, redis } = strict;
  const [doomed, heir] = cluster.workers;
  await doomed.node.strictRegisterMany("few ", FEW);
  await votesAreEverywhere(redis, FEW);
  const few = await workAtRest(redis);
  const beganMs = Date.now();
  const anewMs = (await doomed.node.strictRegisterMany("n", MANY)) - beganMs;
  await votesAreEverywhere(redis, MANY);
  const many = await workAtRest(redis);
  expect((await doomed.node.stats()).leases).toMatchObject({ held: FEW + MANY + 1, lost: 0 });
  for (const [index, { bytes, calls, scripts }] of many.entries()) {
    const before = few[index] ?? { calls: 0, scripts: 0, bytes: 0 };
    // Two nodes, three renewals in each ttl: nearly all of it is that.
    expect(before.scripts).toBeGreaterThan(8);
    // One renewal more or less of each node, for where the counting began and ended.
    expect(scripts).toBeLessThanOrEqual(before.scripts + 4);
    expect(calls / scripts).toBeLessThan((1.2 * before.calls) / before.scripts);
    expect(bytes / scripts).toBeLessThan((1.2 * before.bytes) / before.scripts);
  }
  // Stands by, in line for what is held by the same session as all the others.
  const standingBy = heir.node.strictRegister("few 0", undefined, { wait: true, timeoutMs: 60_000 });
  await eventually(async () => (await strict.inLine("few 0")).every((waiters) => waiters === 1));
  const killedMs = await cluster.kill(doomed);
  await standingBy;
  const tookOverMs = Date.now() - killedMs;
  const takenMs = await heir.node.strictRegisterMany("n", MANY);
  const figures = { anewMs, tookOverMs, afterMs: takenMs - killedMs, few, many };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  expect(tookOverMs).toBeLessThan(TTL_MS + TAKEOVER_MS);
  // On a machine so busy that 10,000 names which nobody ever held take more than half of that, these may take twice as long.
  const allowedMs = Math.max(TAKEOVER_MS, TAKEOVER_MS / 2 + 2 * anewMs);
  expect(takenMs - killedMs).toBeLessThan(TTL_MS + allowedMs);
  await cluster.checkBugs();
}, 120_000);

test("C4: 10,000 names are all given back when their node stops", async () => {
  const strict = await StrictCluster.start(2, TTL_MS);
  owned.push(strict);
  const [leaver, heir] = strict.cluster.workers;
  await leaver.node.strictRegisterMany("n", MANY);
  await strict.cluster.stopNode(leaver);
  // Much sooner than sessions that are not ended run out: each has this long alone.
  for (const name of ["n0", "n5000", "n9999"]) {
    await heir.node.strictRegister(name, undefined, { timeoutMs: TTL_MS / 3 });
  }
  await strict.cluster.checkBugs();
});
