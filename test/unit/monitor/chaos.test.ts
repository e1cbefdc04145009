import { expect, test } from "vitest";
import { nameOfNode } from "../../../src/kernel/ids.ts";
import { fraction, type Random, SeededRandom } from "../../../src/kernel/random.ts";
import { Cluster, type SimulatedNode } from "./cluster.ts";

/** Longer than any time a judgement takes. */
const QUIET_MS = 25_000;

function pick<T>(random: Random, items: readonly T[]): T | undefined {
  return items[Math.floor(fraction(random) * items.length)];
}

function running(cluster: Cluster): SimulatedNode[] {
  return [...cluster.nodes.values()].filter((node) => node.alive && node.membership.deadlineMs !== undefined);
}

/** One fault, on nodes other than the healthy ones, or between them. */
function breakSomething(cluster: Cluster, random: Random, healthy: readonly SimulatedNode[]): void {
  const node = pick(
    random,
    running(cluster).filter((candidate) => !healthy.includes(candidate)),
  );
  if (node === undefined) return;
  switch (random.u32() % 9) {
    case 0:
      if (!node.frozen) cluster.freeze(node);
      break;
    case 1:
    case 2:
      if (node.frozen) cluster.thaw(node);
      break;
    case 3:
      if (!node.frozen) cluster.disconnect(node);
      break;
    case 4:
      if (!node.frozen) cluster.reconnect(node, pick(random, ["s1", "s2"]));
      break;
    case 5: {
      const side = new Set(running(cluster).filter(() => fraction(random) < 0.5));
      for (const member of healthy) side.add(member);
      cluster.tellsOfCuts = fraction(random) < 0.5;
      const oneWay = fraction(random) < 0.3;
      cluster.reaches = (from, to) => side.has(from) === side.has(to) || (oneWay && side.has(from));
      break;
    }
    case 6:
      cluster.reaches = () => true;
      break;
    case 7:
      cluster.kill(node);
      cluster.start(nameOfNode(node.id), { replaces: true, server: node.server });
      break;
    case 8:
      // A successor is started beside one that hangs, or lives on elsewhere.
      cluster.start(nameOfNode(node.id), { replaces: fraction(random) < 0.7 });
      break;
  }
}

function heal(cluster: Cluster): void {
  cluster.reaches = () => true;
  cluster.tellsOfCuts = true;
  cluster.link = { ...cluster.link, loss: 0 };
  for (const node of cluster.nodes.values()) {
    if (!node.alive) continue;
    if (node.frozen) cluster.thaw(node);
    cluster.reconnect(node);
  }
}

test("whatever happened, when it stops all agree on who is there, hand over to each other, and one of a name is left", () => {
  const reached = { down: 0, rejoined: 0, duplicate: 0, replaced: 0, alive: 0 };
  for (let seed = 0; seed < 150; seed += 1) {
    const random = new SeededRandom(`chaos ${seed}`);
    const cluster = new Cluster(`chaos ${seed}`);
    cluster.link = { delayMs: [1, seed % 3 === 0 ? 120 : 10], loss: seed % 2 === 0 ? 0.3 : 0 };
    const healthy = cluster.startMany(3);
    for (const name of ["a", "m", "x", "z"]) cluster.start(name, { server: seed % 4 === 0 ? "s2" : "s1" });
    cluster.run(3_000);
    for (let fault = 0; fault < 25; fault += 1) {
      breakSomething(cluster, random, healthy);
      cluster.run(fraction(random) * (fault % 3 === 0 ? 6_000 : 900));
    }
    heal(cluster);
    cluster.run(QUIET_MS);
    expect({ seed, wrong: cluster.disagreements() }).toEqual({ seed, wrong: [] });
    const names = running(cluster).map((node) => nameOfNode(node.id));
    expect({ seed, names: names.length }).toEqual({ seed, names: new Set(names).size });
    // Nothing that befell the others told the healthy ones anything about each other.
    const ids = new Set(healthy.map((node) => node.id));
    const wrongDowns = cluster.of("down").filter(({ on, effect }) => ids.has(on) && ids.has(effect.node));
    expect({ seed, wrongDowns }).toEqual({ seed, wrongDowns: [] });
    for (const kind of ["down", "rejoined", "duplicate", "alive"] as const)
      reached[kind] += cluster.of(kind).length;
    reached.replaced += cluster.of("down").filter(({ effect }) => effect.cause === "replaced").length;
  }
  // It means nothing unless all of this happened.
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(50);
}, 120_000);

test("faults shorter than the times that are given for them down nobody", () => {
  for (let seed = 0; seed < 60; seed += 1) {
    const random = new SeededRandom(`short ${seed}`);
    const cluster = new Cluster(`short ${seed}`);
    cluster.link = { delayMs: [1, 30], loss: 0.2 };
    const nodes = cluster.startMany(6);
    cluster.run(5_000);
    cluster.happenings.length = 0;
    for (let fault = 0; fault < 20; fault += 1) {
      const node = pick(random, nodes);
      if (node === undefined) break;
      const kind = random.u32() % 3;
      if (kind === 0) cluster.freeze(node);
      if (kind === 1) cluster.disconnect(node);
      if (kind === 2) cluster.reaches = (from, to) => from !== node || to === node;
      cluster.tellsOfCuts = kind !== 2;
      cluster.run(fraction(random) * (kind === 1 ? 600 : 1_500));
      if (kind === 0) cluster.thaw(node);
      cluster.reconnect(node);
      cluster.reaches = () => true;
      cluster.run(fraction(random) * 2_000 + 200);
    }
    expect({ seed, downs: cluster.of("down") }).toEqual({ seed, downs: [] });
  }
}, 60_000);

test("the same inputs lead to the same effects", () => {
  const traces = [0, 1].map(() => {
    const cluster = new Cluster("again");
    const random = new SeededRandom("again");
    cluster.link = { delayMs: [1, 30], loss: 0.2 };
    const healthy = cluster.startMany(3);
    cluster.startMany(3);
    for (let fault = 0; fault < 20; fault += 1) {
      breakSomething(cluster, random, healthy);
      cluster.run(1_000);
    }
    return JSON.stringify(cluster.happenings);
  });
  expect(traces[0]).toBe(traces[1]);
  expect(traces[0]?.length).toBeGreaterThan(10_000);
}, 30_000);
