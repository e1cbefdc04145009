import { afterAll, beforeAll, expect, test } from "vitest";
import type { Pid } from "../../src/index.ts";
import { fraction, SeededRandom } from "../../src/kernel/random.ts";
import { eventually, pause } from "../support/eventually.ts";
import type { Refusal, Worker } from "../support/worker-client.ts";
import { agree, WorkerCluster } from "../support/worker-cluster.ts";

/** Short, so that many splits, deaths and returns fit in. That somebody is taken for dead who is not does no harm here. */
const HASTY = {
  heartbeatMs: 200,
  suspectAfterMs: 700,
  deadAfterMs: 1_500,
  arbiterTimeoutMs: 700,
  busGraceMs: 1_500,
  disconnectGraceMs: 400,
} as const;

const STEPS = 500;
const STEP_MS = 25;
const NAMES = 15;
const GROUPS = ["g0", "g1", "g2", "g3", "g4"] as const;

/** What a write may be refused with while nodes come, go, and lose sight of each other. */
const MAY_BE_REFUSED = new Set([
  "NAME_TAKEN",
  "NO_SUCH_NAME",
  "NO_SUCH_PROCESS",
  "NODE_DOWN",
  "TIMEOUT",
  "BUS_CLOSED",
]);

let cluster: WorkerCluster<3>;
beforeAll(async () => {
  cluster = await WorkerCluster.startSplittable(3, { node: { failureDetection: HASTY } });
});
afterAll(() => cluster[Symbol.asyncDispose]());

test("A5, G1: however writes, exits, restarts, splits and heals interleave, all nodes end with the same tables, and with nothing dead in them", {
  timeout: 180_000,
}, async () => {
  const storm = new Storm(cluster, "storm 1");
  for (let step = 0; step < STEPS; step += 1) {
    storm.step();
    await pause(STEP_MS);
  }
  cluster.heal();
  await storm.calm();
  await cluster.allUp(cluster.running, 40_000);
  // A storm may leave nothing, and tables that are empty agree too easily.
  for (const worker of cluster.running) {
    const pid = await worker.node.spawn();
    storm.pids.add(pid);
    await worker.node.register(`after the storm, ${cluster.id(worker)}`, pid);
  }
  await expectSameTables(cluster.running);
  await cluster.checkBugs();

  // Everything goes with its process: what is left now would be a ghost.
  for (const pid of storm.pids.values()) for (const worker of cluster.running) await worker.node.exit(pid);
  await agree(cluster.running, (worker) => worker.node.names(), {});
  await agree(cluster.running, (worker) => worker.node.groups(), []);
});

/** Waits until no table differs from another, or from the truth. */
async function expectSameTables(workers: readonly Worker[]): Promise<void> {
  let flaws: readonly string[] = [];
  await eventually(
    async () => {
      flaws = [...(await flawsOfNames(workers)), ...(await flawsOfGroups(workers))];
      return flaws.length === 0;
    },
    { withinMs: 30_000, what: () => flaws.join("\n") },
  );
  expect(await workers[0]?.node.count(), "empty tables agree too easily").toBeGreaterThan(2);
}

async function flawsOfNames(workers: readonly Worker[]): Promise<readonly string[]> {
  const flaws: string[] = [];
  const tables = await Promise.all(workers.map((worker) => worker.node.list()));
  const sorted = tables.map((table) => JSON.stringify(table.map((entry) => JSON.stringify(entry)).sort()));
  if (new Set(sorted).size > 1) flaws.push(`different names: ${sorted.join("\n")}`);
  for (const { name, pid, node } of tables.flat()) {
    const owner = workers.find((worker) => cluster.id(worker) === node);
    if (owner === undefined) flaws.push(`${name} belongs to a node that is not there: ${pid}`);
    else if (!(await owner.node.isAlive(pid))) flaws.push(`${name} belongs to a dead process: ${pid}`);
  }
  return flaws;
}

/** What each node says of its own processes is the truth, and all know the union of it. */
async function flawsOfGroups(workers: readonly Worker[]): Promise<readonly string[]> {
  const flaws: string[] = [];
  for (const group of GROUPS) {
    const own = await Promise.all(workers.map((worker) => worker.node.localMembers(group)));
    const truth = own.flat().sort((left, right) => (left.pid < right.pid ? -1 : 1));
    for (const worker of workers) {
      const seen = JSON.stringify(await worker.node.members(group));
      if (seen !== JSON.stringify(truth))
        flaws.push(`${group} on ${worker.name}: ${seen}, not ${JSON.stringify(truth)}`);
      for (const { pid } of await worker.node.localMembers(group)) {
        if (!(await worker.node.isAlive(pid))) flaws.push(`${group} has a dead member: ${pid}`);
      }
    }
  }
  return flaws;
}

/** Does everything at random, without waiting for any of it. */
class Storm {
  readonly pids = new Set<Pid>();
  readonly #cluster: WorkerCluster<3>;
  readonly #random: SeededRandom;
  readonly #underWay = new Set<Promise<void>>();
  readonly #away = new Set<Worker>();
  #unexpected: unknown[] = [];

  constructor(of: WorkerCluster<3>, seed: string) {
    this.#cluster = of;
    this.#random = new SeededRandom(seed);
  }

  step(): void {
    const workers = this.#cluster.running.filter((worker) => !this.#away.has(worker));
    const worker = this.#pick(workers);
    if (worker === undefined) return;
    const chance = fraction(this.#random);
    const pid = this.#pick(this.#alive());
    if (chance < 0.015) this.#try(this.#restart(worker));
    else if (chance < 0.025) this.#try(this.#freeze(worker));
    else if (chance < 0.045) this.#split();
    else if (chance < 0.07) this.#cluster.heal();
    else if (chance < 0.2 || pid === undefined) this.#try(this.#spawn(worker));
    else this.#write(worker, pid);
  }

  /** Waits for all that is under way. */
  async calm(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    expect(this.#unexpected).toStrictEqual([]);
  }

  #write(worker: Worker, pid: Pid): void {
    const { node } = worker;
    const name = `n${this.#below(NAMES)}`;
    const group = this.#pick(GROUPS) ?? "g0";
    const short = { timeoutMs: 4_000 };
    const writes = [
      () => node.register(name, pid, { meta: this.#below(100), ...short }),
      () => node.register(name, pid, { meta: this.#below(100), ...short }),
      () => node.reregister(name, pid, short),
      () => node.transfer(name, pid, short),
      () => node.update(name, { add: 1 }, short),
      () => node.unregister(name, short),
      () => this.#ofOwner(pid)?.node.join(group, pid, { meta: this.#below(100) }),
      () => this.#ofOwner(pid)?.node.join(group, pid),
      () => this.#ofOwner(pid)?.node.leave(group, pid),
      () => (fraction(this.#random) < 0.3 ? this.#ofOwner(pid)?.node.exit(pid) : undefined),
    ];
    this.#try(this.#pick(writes)?.());
  }

  #ofOwner(pid: Pid): Worker | undefined {
    return this.#cluster.running.find((worker) => pid.startsWith(`${this.#cluster.id(worker)}/`));
  }

  async #spawn(worker: Worker): Promise<void> {
    this.pids.add(await worker.node.spawn());
  }

  #alive(): readonly Pid[] {
    const ended = new Set(
      this.#cluster.workers.flatMap((worker) => worker.seen("exited").map(({ pid }) => pid)),
    );
    return [...this.pids].filter((pid) => !ended.has(pid) && this.#ofOwner(pid) !== undefined);
  }

  /** For a moment, or so long that the others give it up. */
  async #freeze(worker: Worker): Promise<void> {
    this.#away.add(worker);
    worker.signal("SIGSTOP");
    await pause(this.#below(2 * HASTY.deadAfterMs));
    worker.signal("SIGCONT");
    this.#away.delete(worker);
  }

  async #restart(worker: Worker): Promise<void> {
    this.#away.add(worker);
    try {
      await this.#cluster.stopNode(worker);
      await pause(this.#below(300));
      await this.#cluster.startNode(worker);
    } finally {
      this.#away.delete(worker);
    }
  }

  #split(): void {
    const [first, second, third] = this.#cluster.workers;
    const sides = [
      [[first], [second, third]],
      [[second], [first, third]],
      [[first], [second], [third]],
    ];
    this.#cluster.split(...(this.#pick(sides) ?? []));
  }

  #try(work: Promise<unknown> | undefined): void {
    const done = Promise.resolve(work).then(
      () => {},
      (error: Refusal & { readonly code?: string }) => {
        if (!MAY_BE_REFUSED.has(error.code ?? "")) this.#unexpected.push(error);
      },
    );
    this.#underWay.add(done);
    void done.then(() => this.#underWay.delete(done));
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }

  #below(limit: number): number {
    return Math.floor(fraction(this.#random) * limit);
  }
}
