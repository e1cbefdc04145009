import { afterEach, expect, test } from "vitest";
import { SeededRandom } from "../../src/kernel/random.ts";
import { leaseTimes } from "../../src/lease/settings.ts";
import { redisLeases } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import { Storm } from "../support/storm.ts";
import { StrictCluster } from "../support/strict-cluster.ts";
import { Witness } from "../support/witness.ts";
import type { Worker } from "../support/worker-client.ts";

/** Short, so that much is lost and taken over. */
const TTL_MS = 1_000;
const NAMES = Array.from({ length: 8 }, (_, index) => `name-${index}`);
const SECONDS = Number(process.env["STORM_SECONDS"] ?? 60);
const SEED = process.env["STORM_SEED"] ?? `${Date.now()}`;
/** Fewer say nothing. They are for a minute. */
const LEAST = { acquisitions: 200, takeovers: 20 } as const;

const owned: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of owned.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

function own<T extends AsyncDisposable>(each: T): T {
  owned.push(each);
  return each;
}

test(
  `C1, C2, C3: nobody overlaps, tokens go up, and the history has an order, while servers and nodes are killed and stopped (STORM_SEED=${SEED})`,
  async () => {
    const witness = own(await Witness.start());
    const strict = own(await StrictCluster.start(3, TTL_MS));
    const { requestMs } = leaseTimes(redisLeases("redis://any", { ttlMs: TTL_MS }).settings);
    const begin = (worker: Worker): Promise<void> =>
      worker.node.beginStrictWork({
        ...{ witness: witness.port, names: NAMES, seed: SEED, sureMs: requestMs / 2 },
      });
    const random = new SeededRandom(SEED);
    const storm = own(new Storm(strict, { ttlMs: TTL_MS, random, onStarted: begin }));
    await Promise.all(strict.cluster.running.map(begin));
    await storm.rage(SECONDS * 1_000);
    await Promise.all(strict.cluster.running.map((worker) => worker.node.endStrictWork()));
    await eventually(() => witness.isQuiet);
    const { acquisitions, takeovers } = witness.record;
    const figures = JSON.stringify({
      ...{ seed: SEED, seconds: SECONDS, acquisitions, takeovers, writes: witness.counts, ...storm.faults },
    });
    process.stdout.write(`${figures}\n`);
    expect([...witness.record.violations()].slice(0, 10), figures).toEqual([]);
    expect(acquisitions, figures).toBeGreaterThanOrEqual((LEAST.acquisitions * SECONDS) / 60);
    expect(takeovers, figures).toBeGreaterThanOrEqual((LEAST.takeovers * SECONDS) / 60);
    await strict.cluster.checkBugs();
    // All is well again: every name is to be had, from everywhere.
    for (const worker of strict.cluster.running) {
      for (const name of NAMES) {
        await worker.node.strictRegister(name, undefined, { wait: true, timeoutMs: 10_000 });
        await worker.node.strictRelease(name);
      }
    }
  },
  SECONDS * 1_000 + 120_000,
);
