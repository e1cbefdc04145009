import { expect } from "vitest";
import { SeededRandom } from "../../src/kernel/random.ts";
import { leaseTimes } from "../../src/lease/settings.ts";
import { eventually } from "./eventually.ts";
import { Storm } from "./storm.ts";
import type { StormStage } from "./storm-stage.ts";
import { Witness } from "./witness.ts";
import type { Worker } from "./worker-client.ts";

export interface StormPlan {
  readonly seed: string;
  readonly seconds: number;
  /** With fewer the run says nothing, and does not count. They are for as many seconds as it has by default. */
  readonly least: { readonly acquisitions: number; readonly takeovers: number };
}

/** Beyond a ttl, within which everything that somebody dead held is to be had. */
const GRANT_MS = 10_000;

/** What the environment says of `STORM_SEED` and `STORM_SECONDS`; else anything, and for so many seconds. */
export function planStorm(seconds: number, least: StormPlan["least"]): StormPlan {
  const given = Number(process.env["STORM_SECONDS"] ?? seconds);
  const part = given / seconds;
  return {
    seed: process.env["STORM_SEED"] ?? `${Date.now()}`,
    seconds: given,
    least: { acquisitions: least.acquisitions * part, takeovers: least.takeovers * part },
  };
}

/** Has the workers contend for names while the storm rages, and judges what they told. */
export async function judgeStorm(stage: StormStage, { least, seconds, seed }: StormPlan): Promise<void> {
  await using witness = await Witness.start();
  const { cluster, settings } = stage;
  const names = Array.from({ length: stage.names }, (_, index) => `name-${index}`);
  const { requestMs } = leaseTimes(settings);
  const begin = (worker: Worker): Promise<void> =>
    worker.node.beginStrictWork({ witness: witness.port, names, seed, sureMs: requestMs / 2 });
  const storm = new Storm(stage, { random: new SeededRandom(seed), onStarted: begin });
  await Promise.all(cluster.running.map(begin));
  await storm.rage(seconds * 1_000);
  await Promise.all(cluster.running.map((worker) => worker.node.endStrictWork()));
  await eventually(() => witness.isQuiet);
  const { acquisitions, takeovers } = witness.record;
  const figures = JSON.stringify({
    ...{ seed, seconds, acquisitions, takeovers, writes: witness.counts, faults: storm.faults },
  });
  process.stdout.write(`${figures}\n`);
  expect([...witness.record.violations()].slice(0, 10), figures).toEqual([]);
  expect(acquisitions, figures).toBeGreaterThanOrEqual(least.acquisitions);
  expect(takeovers, figures).toBeGreaterThanOrEqual(least.takeovers);
  await cluster.checkBugs();
  // All is well again: every name is to be had, from everywhere.
  const wait = { wait: true, timeoutMs: settings.ttlMs + GRANT_MS };
  for (const worker of cluster.running) {
    for (const name of names) {
      await worker.node.strictRegister(name, undefined, wait);
      await worker.node.strictRelease(name);
    }
  }
}
