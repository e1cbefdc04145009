import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clash, Pid } from "../../src/index.ts";
import type { LoadReport } from "../support/worker/load.ts";
import type { Worker } from "../support/worker-client.ts";
import { agree, type NodeSetup, QUICK, WorkerCluster } from "../support/worker-cluster.ts";
import { beginLoads, endLoads, expectAllNames, expectUnions, progress } from "../support/worker-load.ts";

/** Names that every side registers. */
const CLASHES = 40;
/** Names of its own that each node registers before the cut, during it and after it. */
const BUSY = 40;
const names = Array.from({ length: CLASHES }, (_, index) => `clash-${index}`);

interface Story {
  readonly cluster: WorkerCluster<3>;
  readonly reports: readonly LoadReport[];
  /** Name → those who registered it, in the order in which they did. */
  readonly contenders: ReadonlyMap<string, readonly Pid[]>;
  /** Name → each run of a resolver anywhere, as it was shown the clash. */
  readonly runs: ReadonlyMap<string, readonly Clash[]>;
}

/**
 * Three nodes on three servers go on with names and groups of their own, while the routes between the sides are cut for longer
 * than it takes to give each other up. One node of each side registers the same names. Then it heals.
 */
async function cutAndHeal(setup: NodeSetup, divide: (workers: WorkerCluster<3>["workers"]) => Worker[][]) {
  const cluster = await WorkerCluster.startSplittable(3, { node: { ...setup, resolve: "keepOldest" } });
  try {
    const { workers } = cluster;
    const sides = divide(workers);
    await beginLoads(workers);
    await progress(workers, BUSY);
    cluster.split(...sides);
    await Promise.all(sides.map((side) => cluster.sees(side, side)));
    const contenders = new Map<string, Pid[]>(names.map((name) => [name, []]));
    for (const [worker] of sides) {
      const pids = (await worker?.node.spawnMany(CLASHES)) ?? [];
      await worker?.node.registerEach("clash-", pids);
      for (const [index, name] of names.entries()) contenders.get(name)?.push(pids[index] as Pid);
    }
    await progress(workers, BUSY);
    cluster.heal();
    await cluster.allUp();
    await progress(workers, BUSY);
    const reports = await endLoads(workers);
    await agree(workers, holders, await holders(workers[0]));
    await oneHolderEach(workers, contenders);
    const clashes = workers.flatMap((worker) => worker.seen("resolving").map(({ clash }) => clash));
    const runs = new Map(names.map((name) => [name, clashes.filter((clash) => clash.name === name)]));
    return { cluster, reports, contenders, runs };
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

async function holders(worker: Worker): Promise<readonly (Pid | undefined)[]> {
  const all = await worker.node.names();
  return names.map((name) => all[name]);
}

/** Until every loser has gone: the last of the clashes is decided then. */
async function oneHolderEach(
  workers: readonly Worker[],
  contenders: ReadonlyMap<string, readonly Pid[]>,
): Promise<void> {
  const alive = async (worker: Worker): Promise<readonly boolean[]> =>
    Promise.all([...contenders.values()].flat().map((pid) => worker.node.isAlive(pid)));
  await agree(
    [workers[0] as Worker],
    async () => {
      const lives = await Promise.all(workers.map(alive));
      return lives.flat().filter((lives) => lives).length;
    },
    names.length,
  );
}

function whatHoldsAfterwards(story: () => Story): void {
  test("all nodes have all names of all sides", async () => {
    const { cluster, reports } = story();
    const clashed = Object.fromEntries(
      (await holders(cluster.workers[0])).map((pid, index) => [names[index], pid]),
    );
    await expectAllNames(cluster.workers, reports, clashed as Record<string, string>);
  });

  test("every group is the exact union of its members", async () => {
    const { cluster, reports } = story();
    await expectUnions(cluster.workers, reports);
  });

  test("exactly one contender of each clash is left, which holds the name; the others were told why they ended", async () => {
    const { cluster, contenders } = story();
    const winners = await holders(cluster.workers[1]);
    const exits = cluster.workers.flatMap((worker) => worker.seen("exited"));
    const ended = new Map(exits.map(({ pid, reason }) => [pid, reason]));
    for (const [index, name] of names.entries()) {
      const winner = winners[index];
      const pids = contenders.get(name) ?? [];
      expect(pids).toContain(winner);
      const losers = pids.filter((pid) => pid !== winner);
      expect(losers.map((pid) => ended.get(pid))).toEqual(
        losers.map(() => expect.objectContaining({ kind: "nameClash", name })),
      );
      expect(ended.get(winner as Pid)).toBe(undefined);
    }
  });
}

describe.each<[string, NodeSetup]>([
  ["with shortened times", { failureDetection: QUICK }],
  ["with the default times", {}],
])("two sides of three nodes are cut off from each other, and healed (%s)", (_times, setup) => {
  let story: Story;

  beforeAll(async () => {
    story = await cutAndHeal(setup, ([a, b, c]) => [[a, b], [c]]);
  }, 120_000);
  afterAll(() => story?.cluster[Symbol.asyncDispose]());

  test("the resolver ran once per clash in the whole cluster, and was shown both contenders, the older first", () => {
    for (const [name, runs] of story.runs) {
      expect(runs.map(({ contenders }) => contenders.map(({ pid }) => pid))).toEqual([
        story.contenders.get(name),
      ]);
    }
  });

  whatHoldsAfterwards(() => story);
});

describe("three sides of one node each are cut off from each other, and healed", () => {
  let story: Story;

  beforeAll(async () => {
    story = await cutAndHeal({ failureDetection: QUICK }, ([a, b, c]) => [[a], [b], [c]]);
  }, 120_000);
  afterAll(() => story?.cluster[Symbol.asyncDispose]());

  test("every contender was shown to some resolver, and no set of contenders to two", () => {
    for (const [name, runs] of story.runs) {
      const shown = runs.map(({ contenders }) => contenders.map(({ pid }) => pid));
      expect(new Set(shown.flat())).toEqual(new Set(story.contenders.get(name)));
      const sets = shown.map((pids) => [...pids].sort().join());
      expect(new Set(sets).size).toBe(sets.length);
      expect(sets.length).toBeLessThan(3);
    }
  });

  whatHoldsAfterwards(() => story);
});
