import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pid } from "../../src/index.ts";
import { fraction, SeededRandom } from "../../src/kernel/random.ts";
import type { Handover, Race } from "../support/worker/races.ts";
import type { Readings } from "../support/worker/reader.ts";
import type { VisitsReport } from "../support/worker/visits.ts";
import type { Worker } from "../support/worker-client.ts";
import { WorkerCluster } from "../support/worker-cluster.ts";

const RACERS = 5;
const ROUNDS = 1_000;
/** Raced for at once. */
const NAMES = Array.from({ length: 10 }, (_, index) => `n${index}`);
const MOST_HANDOVERS = 2;
const CLUSTER = "races";

/** Who holds a name, and how its registration is called. */
interface Held {
  readonly worker: Worker;
  readonly pid: Pid;
  readonly revision: string;
}

/** The rounds of one run, and what came of them. */
class Rounds {
  readonly random = new SeededRandom("rounds over NATS");
  /** How each registration ended, by revision: the revision that took its place, or "released". */
  readonly ends = new Map<string, string>();
  readonly winners: number[] = [];
  readonly failures: unknown[] = [];
  handovers = 0;
  releases = 0;
  readonly #pids: ReadonlyMap<Worker, Pid>;

  constructor(pids: ReadonlyMap<Worker, Pid>) {
    this.#pids = pids;
  }

  /** One round for each name: a race, some handovers, and the release, whose end begins the next. */
  async run(): Promise<void> {
    const held = await this.#race();
    for (let turn = 0; turn < MOST_HANDOVERS; turn += 1) {
      await this.#handOn(
        held,
        NAMES.filter(() => fraction(this.random) < 0.5),
      );
    }
    await this.#release(held);
  }

  async #race(): Promise<Map<string, Held>> {
    const races = await Promise.all(
      [...this.#pids].map(async ([worker, pid]) => ({
        worker,
        pid,
        race: await worker.node.race(NAMES, pid),
      })),
    );
    const held = new Map<string, Held>();
    for (const name of NAMES) {
      const winners = races.filter(({ race }) => race.won[name] !== undefined);
      this.winners.push(winners.length);
      for (const { worker, pid, race } of winners)
        held.set(name, { worker, pid, revision: revisionIn(race, name) });
    }
    this.failures.push(...races.flatMap(({ race }) => race.failed));
    return held;
  }

  /** Asked of the holder's own node, or of that of the new holder. */
  async #handOn(held: Map<string, Held>, names: readonly string[]): Promise<void> {
    const tasks = new Map<Worker, Handover[]>();
    const targets = [...this.#pids];
    for (const name of names) {
      const from = held.get(name);
      const [worker, to] = targets[Math.floor(fraction(this.random) * RACERS)] ?? [];
      if (from === undefined || worker === undefined || to === undefined || to === from.pid) continue;
      const by = fraction(this.random) < 0.6 ? "transfer" : "reregister";
      const caller = by === "transfer" ? from.worker : worker;
      tasks.set(caller, [...(tasks.get(caller) ?? []), { name, to, by }]);
    }
    await Promise.all(
      [...tasks].map(async ([caller, handovers]) => {
        const revisions = await caller.node.handOn(handovers);
        for (const { name, to } of handovers) this.#moved(held, name, to, revisions[name] ?? "");
      }),
    );
  }

  #moved(held: Map<string, Held>, name: string, pid: Pid, revision: string): void {
    const [worker] = [...this.#pids].find(([, own]) => own === pid) ?? [];
    const from = held.get(name);
    if (from === undefined || worker === undefined) throw new Error(`nobody handed ${name} on`);
    this.ends.set(from.revision, revision);
    held.set(name, { worker, pid, revision });
    this.handovers += 1;
  }

  async #release(held: ReadonlyMap<string, Held>): Promise<void> {
    for (const { revision } of held.values()) this.ends.set(revision, "released");
    const freed = await Promise.all(
      [...this.#pids.keys()].map((worker) => {
        const own = [...held].filter(([, holder]) => holder.worker === worker);
        return worker.node.release(own.map(([name]) => name));
      }),
    );
    this.releases += freed.reduce((sum, count) => sum + count, 0);
  }

  /** Whether this registration, or one that it was handed on to, was released. */
  wasReleased(revision: string): boolean {
    let end = this.ends.get(revision);
    while (end !== undefined && end !== "released") end = this.ends.get(end);
    return end === "released";
  }
}

function revisionIn(race: Race, name: string): string {
  return race.won[name] ?? "";
}

describe(`${ROUNDS} races of five OS processes over NATS, while nodes of a sixth join and leave`, () => {
  let cluster: WorkerCluster<5>;
  let rounds: Rounds;
  let visits: VisitsReport | undefined;
  let readings: readonly Readings[] = [];

  beforeAll(async () => {
    cluster = await WorkerCluster.start(RACERS, { node: { cluster: CLUSTER, resolve: "keepOldest" } });
    const { workers } = cluster;
    const host = cluster.addWorker("host");
    await host.booted;
    const { url: servers } = cluster.server;
    const failureDetection = { discoveryMs: 30 };
    await host.node.beginVisits({
      servers,
      cluster: CLUSTER,
      failureDetection,
      atOnce: 3,
      stayMs: 60,
      names: NAMES,
    });
    const pids = new Map<Worker, Pid>();
    for (const worker of workers) pids.set(worker, await worker.node.spawn());
    await Promise.all(workers.map((worker) => worker.node.beginReading(NAMES)));
    rounds = new Rounds(pids);
    while (rounds.winners.length < ROUNDS) await rounds.run();
    visits = await host.node.endVisits();
    await Promise.all(workers.map((worker) => worker.node.settled()));
    readings = (await Promise.all(workers.map((worker) => worker.node.endReading()))).filter(
      (reading) => reading !== undefined,
    );
  }, 120_000);
  afterAll(() => cluster[Symbol.asyncDispose]());

  test("meanwhile nodes came and went, and names were handed on", () => {
    console.log(
      visits?.visits,
      rounds.handovers,
      readings.map((r) => r.looks),
    );
    expect(visits?.failures).toEqual([]);
    expect(visits?.visits).toBeGreaterThan(10);
    expect(rounds.handovers).toBeGreaterThan(ROUNDS / 2);
  });

  test("each round has exactly one winner, and the others are told that the name is taken", () => {
    expect(rounds.winners.length).toBe(ROUNDS);
    expect(rounds.winners.filter((winners) => winners !== 1)).toEqual([]);
    expect(rounds.failures).toEqual([]);
    expect(rounds.releases).toBe(ROUNDS);
  });

  test("no reader on any node finds nobody under a name before it is released", () => {
    const all = [...readings, ...(visits?.readings ?? [])];
    const vanished = all.flatMap((reading) => reading.vanished);
    expect(vanished.filter(({ by }) => by === "watch").length).toBeGreaterThan(ROUNDS);
    expect(vanished.filter(({ by }) => by === "whereis").length).toBeGreaterThan(ROUNDS);
    expect(vanished.filter(({ revision }) => !rounds.wasReleased(revision))).toEqual([]);
    expect(all.filter(({ resyncs }) => resyncs > 0)).toEqual([]);
    for (const { looks } of readings) expect(looks).toBeGreaterThan(ROUNDS);
  });

  test("nothing clashes, and nobody is ended", async () => {
    expect(visits?.clashes).toBe(0);
    for (const worker of cluster.workers) {
      const { cluster: counts } = await worker.node.stats();
      expect(counts["tables.clashes"]).toBe(0);
      expect(worker.seen("exited")).toEqual([]);
      expect(worker.seen("resolving")).toEqual([]);
    }
  });
});
