import { expect } from "vitest";
import { eventually } from "./eventually.ts";
import type { LoadReport } from "./worker/load.ts";
import type { Worker } from "./worker-client.ts";
import { agree } from "./worker-cluster.ts";

const NOTHING_LOST = "the same names";

export async function beginLoads(workers: readonly Worker[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.node.beginLoad(worker.name)));
}

/** Ends the loads, when all that they wrote is everywhere. */
export async function endLoads(workers: readonly Worker[]): Promise<LoadReport[]> {
  const reports = await Promise.all(workers.map((worker) => worker.node.endLoad()));
  await Promise.all(workers.map((worker) => worker.node.settled()));
  return reports.filter((report) => report !== undefined);
}

/** Waits until each has registered so many names more. */
export async function progress(workers: readonly Worker[], names: number): Promise<void> {
  const count = (worker: Worker): Promise<number> => worker.node.loadProgress();
  const before = await Promise.all(workers.map(count));
  const hasGoneOn = async (): Promise<boolean> => {
    const now = await Promise.all(workers.map(count));
    return now.every((each, index) => each >= (before[index] ?? 0) + names);
  };
  await eventually(hasGoneOn, { withinMs: 30_000 });
}

/** Every registration was successful, and stands on all nodes, beside those of `others`. */
export async function expectAllNames(
  workers: readonly Worker[],
  reports: readonly LoadReport[],
  others: Readonly<Record<string, string>> = {},
): Promise<void> {
  expect(reports.map(({ refused }) => refused)).toEqual(workers.map(() => ({})));
  const wanted: Record<string, string> = Object.assign(
    {},
    others,
    ...reports.map((report) => report.registered),
  );
  expect(Object.keys(wanted).length).toBeGreaterThan(0);
  await agree(workers, async (worker) => difference(wanted, await worker.node.names()), NOTHING_LOST);
}

/** Every group is on all nodes what its members' own nodes say, no more and no less. */
export async function expectUnions(
  workers: readonly Worker[],
  reports: readonly LoadReport[],
): Promise<void> {
  const groups = Object.keys(reports[0]?.joined ?? {}).sort();
  expect(groups.length).toBeGreaterThan(2);
  for (const group of groups) {
    const union = reports.flatMap(({ joined }) => joined[group] ?? []).sort();
    expect(union.length).toBeGreaterThan(workers.length);
    const pids = async (worker: Worker) => (await worker.node.members(group)).map(({ pid }) => pid);
    await agree(workers, pids, union);
  }
}

/** Short, because it is compared again and again. */
function difference(
  wanted: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): string {
  const lost = Object.keys(wanted).filter((name) => found[name] !== wanted[name]);
  const extra = Object.keys(found).filter((name) => wanted[name] === undefined);
  if (lost.length === 0 && extra.length === 0) return NOTHING_LOST;
  return `${lost.length} names lost, such as ${lost[0]}; ${extra.length} too many, such as ${extra[0]}`;
}
