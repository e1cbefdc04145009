import { describe, expect, test } from "vitest";
import type { Pid } from "../../../src/kernel/ids.ts";
import { type ClusterOptions, MachineCluster, type MachineNode } from "../../support/machine-cluster.ts";

type Choice = NonNullable<ClusterOptions["resolver"]>;

/** Two sides that each register x while cut off from each other; then they meet. */
function meet(seed: string, resolver?: Choice, names: readonly string[] = ["a", "b", "c", "d"]) {
  const cluster = new MachineCluster({ seed, ...(resolver === undefined ? {} : { resolver }) });
  const nodes = cluster.startMany(names);
  const [first, second] = [nodes[0] as MachineNode, nodes[2] as MachineNode];
  cluster.partition(nodes.slice(0, 2), nodes.slice(2));
  cluster.runUntil(() => nodes.every((node) => node.machine.nodes().length === 2), 20_000);
  for (const node of nodes) node.feed({ kind: "watching", scope: "default", names: true, groups: false });
  const older = first.spawn();
  const newer = second.spawn();
  first.register("x", older, { meta: "older" });
  cluster.run(500);
  second.register("x", newer, { meta: "newer" });
  cluster.run(500);
  cluster.heal();
  return { cluster, nodes, first, second, older, newer };
}

function agree(cluster: MachineCluster, nodes: readonly MachineNode[], holder: Pid | undefined): void {
  cluster.runUntil(
    () => cluster.clashes.length > 0 && nodes.every((node) => node.holder("x") === holder),
    20_000,
  );
  cluster.run(3_000);
  for (const node of nodes) expect(node.holder("x")).toBe(holder);
  // A node that was still being told what stands got the outcome with it, and no event.
  const told = nodes.map((node) => node.nameEvents.filter((event) => event.kind === "clash").length);
  expect(told[0]).toBe(1);
  expect(Math.max(...told)).toBe(1);
  expect(cluster.clashes.length).toBe(1);
}

describe("a clash, when two sides meet", () => {
  test("is shown to the resolver once, oldest contender first, on the node of the oldest", () => {
    const { cluster, nodes, older, newer } = meet("once");
    agree(cluster, nodes, older);
    expect(cluster.clashes[0]?.contenders.map(({ pid, meta }) => [pid, meta])).toEqual([
      [older, "older"],
      [newer, "newer"],
    ]);
    expect(nodes.map((node) => node.machine.counters()["tables.resolverRuns"])).toEqual([1, 0, 0, 0]);
  });

  test("ends the loser with the reason, and only the loser", () => {
    const { cluster, nodes, second, older, newer } = meet("ends");
    agree(cluster, nodes, older);
    const reason = { kind: "nameClash", name: "x", winner: older };
    expect(second.exits).toEqual([{ kind: "exit", pid: newer, reason }]);
    expect(nodes.flatMap((node) => node.exits).length).toBe(1);
  });

  test("is what watchers are told, wherever an older contender comes to show", () => {
    const { cluster, nodes, older, newer } = meet("watched");
    agree(cluster, nodes, older);
    const ends = nodes.flatMap((node) => node.nameEvents.filter((event) => event.kind === "unregistered"));
    expect(ends.map(({ registration, reason }) => [registration.pid, reason])).toEqual([
      [newer, { kind: "nameClash", name: "x", winner: older }],
      [newer, { kind: "nameClash", name: "x", winner: older }],
    ]);
  });

  // 1. a registers x; c, cut off, registers it too. 2. b takes it over from a, which does not hear of it for a while. 3. They
  // meet, and c's registration is kept. Did it not supersede what b's did, a would have a clash of its own with it decided.
  test("is over with its verdict, for those too that a loser had taken the name from", () => {
    const cluster = new MachineCluster({ seed: "inherits" });
    const [a, b, c] = cluster.startMany(["a", "b", "c"]);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three nodes");
    const [first, loser, winner] = [a.spawn(), b.spawn(), c.spawn()];
    a.register("x", first);
    cluster.run(100);
    cluster.partition([a, b], [c]);
    cluster.runUntil(() => c.machine.nodes().length === 1, 20_000);
    c.register("x", winner);
    cluster.run(100);
    cluster.slow(b, a, 2_500);
    b.register("x", loser, { takeover: true });
    cluster.run(10);
    cluster.heal();
    cluster.run(20_000);
    expect(cluster.clashes.map(({ contenders }) => contenders.map(({ pid }) => pid))).toEqual([
      [winner, loser],
    ]);
    for (const node of [a, b, c]) expect(node.holder("x")).toBe(winner);
    expect(a.exits).toEqual([]);
  });

  test("leaves the loser alive and told, when the verdict says so", () => {
    const { cluster, nodes, first, older, newer } = meet("told", ({ contenders }) => ({
      winner: contenders[1]?.pid ?? "none",
      losers: "notify",
    }));
    agree(cluster, nodes, newer);
    const notice = { kind: "nameClash", name: "x", scope: "default", winner: newer };
    expect(first.notices).toEqual([{ kind: "notify", pid: older, notice }]);
    expect(nodes.flatMap((node) => node.exits)).toEqual([]);
  });

  test("frees the name and tells both, when the verdict keeps none", () => {
    const { cluster, nodes, older, newer } = meet("none", () => ({ winner: "none", losers: "notify" }));
    agree(cluster, nodes, undefined);
    const told = nodes.flatMap((node) => node.notices.map((notice) => notice.pid));
    expect(new Set(told)).toEqual(new Set([older, newer]));
    expect(nodes.flatMap((node) => node.exits)).toEqual([]);
    cluster.run(3_000);
    for (const node of nodes) expect(node.machine.counters()["tables.decisions"]).toBe(0);
  });

  test("falls to the default verdict when the resolver names somebody else", () => {
    const { cluster, nodes, first, older } = meet("junk", () => ({
      winner: "nobody@0/1" as Pid,
      losers: "notify",
    }));
    agree(cluster, nodes, older);
    expect(first.machine.counters()["tables.resolverFailures"]).toBe(1);
  });

  test("is no clash when both sides know the same process under the name", () => {
    const cluster = new MachineCluster({ seed: "same" });
    const nodes = cluster.startMany(["a", "b", "c", "d"]);
    const holder = (nodes[0] as MachineNode).spawn();
    (nodes[0] as MachineNode).register("x", holder);
    cluster.run(500);
    cluster.partition(nodes.slice(0, 2), nodes.slice(2));
    cluster.run(1_000);
    cluster.heal();
    cluster.run(15_000);
    expect(cluster.clashes).toEqual([]);
    for (const node of nodes) expect(node.holder("x")).toBe(holder);
  });

  test("is decided by another node when its decider dies in the middle", () => {
    const { cluster, nodes, first, newer } = meet("dies");
    cluster.runUntil(() => cluster.clashes.length > 0, 20_000);
    first.kill();
    const rest = nodes.filter((node) => node !== first);
    cluster.runUntil(() => rest.every((node) => node.machine.nodes().length === 3), 20_000);
    cluster.run(3_000);
    for (const node of rest) expect([undefined, newer]).toContain(node.holder("x"));
    expect(new Set(rest.map((node) => node.holder("x"))).size).toBe(1);
  });
});

describe("three sides", () => {
  test("end with one holder, each contender heard, and no set of contenders judged twice", () => {
    for (let round = 0; round < 10; round += 1) {
      const cluster = new MachineCluster({ seed: `three-${round}`, delayMs: [0.1, 40] });
      const nodes = cluster.startMany(["a", "b", "c"]);
      cluster.partition(...nodes.map((node) => [node]));
      cluster.runUntil(() => nodes.every((node) => node.machine.nodes().length === 1), 20_000);
      const pids = nodes.map((node) => node.spawn());
      nodes.forEach((node, index) => {
        node.register("x", pids[index] as Pid);
      });
      cluster.run(500);
      cluster.heal();
      const agreed = () => new Set(nodes.map((node) => node.holder("x"))).size === 1;
      cluster.runUntil(() => cluster.clashes.length > 0 && agreed(), 30_000);
      cluster.run(5_000);
      expect(agreed()).toBe(true);
      expect(pids).toContain(nodes[0]?.holder("x"));
      expect(new Set(cluster.clashes.flatMap(({ contenders }) => contenders.map(({ pid }) => pid)))).toEqual(
        new Set(pids),
      );
      const sets = cluster.clashes.map(({ contenders }) => contenders.map(({ pid }) => pid).join());
      expect(new Set(sets).size).toBe(sets.length);
      expect(nodes.flatMap((node) => node.exits).length).toBe(2);
    }
  });
});

describe("a plain register while two sides meet", () => {
  test("takes no name from a live holder: every holder keeps it or is told", () => {
    for (let round = 0; round < 40; round += 1) {
      const { cluster, nodes, older, newer } = meet(`standby-${round}`, ({ contenders }) => ({
        winner: contenders.at(-1)?.pid ?? "none",
        losers: "exit",
      }));
      const holders = new Set<Pid>([older, newer]);
      const standbys = nodes.map((node) => node.spawn());
      for (let step = 0; step < 150; step += 1) {
        cluster.run(10);
        const index = step % nodes.length;
        nodes[index]?.register("x", standbys[index] as Pid);
      }
      cluster.run(15_000);
      for (const node of nodes) {
        for (const answer of node.answers.values()) {
          if (answer.kind === "registration") holders.add(answer.registration.pid);
        }
        expect(node.holder("x")).toBe(nodes[0]?.holder("x"));
      }
      const ended = new Set(nodes.flatMap((node) => node.exits.map(({ pid }) => pid)));
      for (const holder of holders) expect(ended.has(holder) || nodes[0]?.holder("x") === holder).toBe(true);
    }
  });
});
