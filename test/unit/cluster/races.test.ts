import { describe, expect, test } from "vitest";
import { fraction } from "../../../src/kernel/random.ts";
import type { Pid } from "../../../src/kernel/ids.ts";
import { MachineCluster, type MachineNode } from "../../support/machine-cluster.ts";

/** Races of five nodes for one name, while two more come and go. */
class Race {
  readonly cluster: MachineCluster;
  readonly racers: MachineNode[];
  readonly pids: Pid[];
  readonly random;
  extra: MachineNode | undefined;
  retiring: number | undefined;
  churns = 0;

  constructor(seed: string) {
    this.cluster = new MachineCluster({ seed, delayMs: [0.1, 4] });
    this.racers = this.cluster.startMany(["a", "b", "c", "d", "e"]);
    this.pids = this.racers.map((node) => node.spawn());
    this.random = this.cluster.random.fork("race");
  }

  /** A node that joins, or begins to leave, or has handed over and says goodbye. */
  churn(): void {
    if (this.extra === undefined) {
      this.churns += 1;
      this.extra = this.cluster.start(`x${this.churns}`);
    } else if (this.retiring === undefined) {
      if (this.extra.ready) this.retiring = this.extra.request((request) => ({ kind: "retire", request }));
    } else if (this.extra.answers.has(this.retiring)) {
      this.extra.feed({ kind: "goodbye" });
      this.extra.kill();
      this.extra = undefined;
      this.retiring = undefined;
    }
  }

  healthy(): void {
    expect(this.cluster.clashes).toEqual([]);
    for (const node of this.racers) {
      expect(node.exits).toEqual([]);
      expect(node.fatal).toBe(undefined);
      expect(node.nodeEvents.filter((event) => event.kind === "down" && event.reason.kind === "nodeDown" && event.reason.cause !== "left")).toEqual([]);
    }
  }

  /** Everyone registers at about the same time; returns who won. */
  round(name: string): number {
    const { cluster, racers, pids } = this;
    const requests: number[] = racers.map(() => 0);
    racers.forEach((node, index) => {
      cluster.clock.after(fraction(this.random) * 3, () => {
        requests[index] = node.register(name, pids[index] as Pid);
      });
    });
    cluster.runUntil(() => racers.every((node, index) => requests[index] !== 0 && node.answers.has(requests[index] as number)), 60_000);
    const winners = racers.flatMap((node, index) => (node.answers.get(requests[index] as number)?.kind === "registration" ? [index] : []));
    for (const node of racers) node.answers.clear();
    expect(winners.length).toBe(1);
    return winners[0] as number;
  }
}

describe("without partition or crash", () => {
  test.each(Array.from({ length: 20 }, (_, index) => `race-${index}`))(
    "one of five racing registers wins, through joins and graceful leaves (%s)",
    (seed) => {
      const race = new Race(seed);
      for (let round = 0; round < 50; round += 1) {
        const name = `n${round % 7}`;
        const winner = race.round(name);
        race.churn();
        const node = race.racers[winner] as MachineNode;
        const request = node.unregister(name);
        race.cluster.runUntil(() => node.answers.has(request), 10_000);
        expect(node.answers.get(request)).toEqual({ kind: "flag", value: true });
      }
      race.healthy();
    },
  );
});
