import { expect } from "vitest";
import type { NodeStats } from "../../src/index.ts";
import type { Worker } from "./worker-client.ts";
import { agree, holderOf, pidsIn } from "./worker-cluster.ts";

let rounds = 0;

/** A name, a group, a call and a monitor work between these nodes, and everything is gone again afterwards. */
export async function expectServes(workers: readonly [Worker, Worker, Worker]): Promise<void> {
  const [first, owner, watcher] = workers;
  rounds += 1;
  const name = `serves ${rounds}`;
  const pid = await owner.node.spawn("echo");
  await first.node.register(name, pid);
  await owner.node.join(name, pid);
  await agree(workers, (worker) => holderOf(worker, name), pid);
  await agree(workers, (worker) => pidsIn(worker, name), [pid]);
  expect(await watcher.node.call({ name }, rounds)).toBe(rounds);
  const monitor = await watcher.node.monitor(pid);
  await owner.node.exit(pid);
  await watcher.saw("down", (seen) => seen.monitor === monitor);
  await agree(workers, (worker) => holderOf(worker, name), undefined);
}

type Dropped = NodeStats["frames"]["dropped"];

/** Frames that these nodes did not let in, by cause, summed over them. */
export async function droppedBy(workers: readonly Worker[]): Promise<Dropped> {
  const all = await Promise.all(workers.map(async (worker) => (await worker.node.stats()).frames.dropped));
  const causes = Object.keys(all[0] ?? {}) as (keyof Dropped)[];
  return Object.fromEntries(
    causes.map((cause) => [cause, all.reduce((sum, dropped) => sum + dropped[cause], 0)]),
  ) as Dropped;
}

export function totalOf(dropped: Dropped): number {
  return Object.values(dropped).reduce((sum, count) => sum + count, 0);
}
