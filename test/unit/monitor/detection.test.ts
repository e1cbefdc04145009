import { describe, expect, test } from "vitest";
import type { NodeDownCause } from "../../../src/kernel/exit-reason.ts";
import { Cluster, type SimulatedNode } from "./cluster.ts";

/** A cluster whose members all see each other, with nothing noted so far. */
function settled(
  count: number,
  prepare?: (cluster: Cluster) => void,
): { cluster: Cluster; nodes: SimulatedNode[] } {
  const cluster = new Cluster();
  prepare?.(cluster);
  const nodes = cluster.startMany(count);
  cluster.run(1_000);
  expect(cluster.disagreements()).toEqual([]);
  cluster.happenings.length = 0;
  return { cluster, nodes };
}

function at(nodes: readonly SimulatedNode[], index: number): SimulatedNode {
  const node = nodes[index];
  if (node === undefined) throw new Error(`no node ${index}`);
  return node;
}

function downs(cluster: Cluster, of: SimulatedNode): { on: string; afterMs: number; cause: NodeDownCause }[] {
  return cluster
    .of("down")
    .filter((happening) => happening.effect.node === of.id)
    .map(({ on, atMs, effect }) => ({ on, afterMs: atMs - startMs, cause: effect.cause }));
}

let startMs = 0;
function mark(cluster: Cluster): void {
  startMs = cluster.nowMs;
}

describe("a connection that is gone", () => {
  test("a killed node is down everywhere within the grace and one probe, at nearly the same time", () => {
    const { cluster, nodes } = settled(5);
    mark(cluster);
    cluster.kill(at(nodes, 2));
    cluster.run(2_000);
    const seen = downs(cluster, at(nodes, 2));
    expect(seen.map(({ cause }) => cause)).toEqual(Array(4).fill("disconnected"));
    const times = seen.map(({ afterMs }) => afterMs);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(750);
    expect(Math.max(...times)).toBeLessThan(750 + 100 + 20);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(15);
    expect(cluster.disagreements()).toEqual([]);
  });

  test("the grace ends exactly when it is over", () => {
    const { cluster, nodes } = settled(2, (made) => {
      made.link = { delayMs: [1, 1], loss: 0 };
    });
    const [first, second] = [at(nodes, 0), at(nodes, 1)];
    cluster.kill(second);
    cluster.run(300);
    const confirmedAt = cluster.of("probe", first).map(({ atMs }) => atMs);
    cluster.run(1_000);
    const [down] = cluster.of("down", first);
    // The first probe that finds nobody, 1 ms later the second, 1 ms later the evidence.
    const firstRefused = confirmedAt.find((atMs) => confirmedAt.includes(atMs + 1));
    expect(down?.atMs).toBe((firstRefused ?? 0) + 2 + 750);
  });

  test("a node that reconnects within the grace is never down", () => {
    const { cluster, nodes } = settled(4);
    cluster.disconnect(at(nodes, 1));
    cluster.run(600);
    cluster.reconnect(at(nodes, 1));
    cluster.run(5_000);
    expect(cluster.of("down")).toEqual([]);
    expect(at(nodes, 0).membership.counts.evidence).toBe(1);
  });

  test("one answer that nobody is there means nothing", () => {
    const { cluster, nodes } = settled(3);
    cluster.feed(at(nodes, 0), { kind: "noResponders", node: at(nodes, 1).id });
    cluster.run(3_000);
    expect(cluster.of("down")).toEqual([]);
    expect(at(nodes, 0).membership.counts.evidence).toBe(0);
    expect(cluster.of("probe", at(nodes, 0))[0]?.effect.node).toBe(at(nodes, 1).id);
  });

  test("neighbours in the ring that die together are found together", () => {
    const { cluster, nodes } = settled(6);
    mark(cluster);
    for (const index of [2, 3, 4]) cluster.kill(at(nodes, index));
    cluster.run(3_000);
    for (const index of [2, 3, 4]) {
      const seen = downs(cluster, at(nodes, index));
      expect(seen.map(({ cause }) => cause)).toEqual(Array(3).fill("disconnected"));
      expect(Math.max(...seen.map(({ afterMs }) => afterMs))).toBeLessThan(1_200);
    }
  });

  test("the one who looks after a peer tells the others, and nobody else does", () => {
    const { cluster, nodes } = settled(10);
    cluster.kill(at(nodes, 4));
    cluster.run(2_000);
    const rumours = cluster.of("broadcast").filter(({ effect }) => effect.message.kind === "rumour");
    expect(new Set(rumours.map(({ on }) => on)).size).toBe(1);
    expect(rumours.length).toBeLessThanOrEqual(3);
  });

  test("a rumour about a live node ends with its heartbeat, and downs nobody", () => {
    const { cluster, nodes } = settled(4);
    const [liar, about] = [at(nodes, 0), at(nodes, 1)];
    const message = { kind: "rumour", about: about.id, silent: false } as const;
    for (const node of nodes.slice(1)) cluster.feed(node, { kind: "message", from: liar.id, message });
    cluster.run(110);
    expect(cluster.of("beat", about).length).toBeGreaterThanOrEqual(1);
    cluster.run(3_000);
    expect(cluster.of("down")).toEqual([]);
  });

  test("an advisory is evidence at once, and a reconnect clears it", () => {
    const { cluster, nodes } = settled(3);
    mark(cluster);
    cluster.kill(at(nodes, 2));
    for (const node of nodes.slice(0, 2)) cluster.feed(node, { kind: "advisory", node: at(nodes, 2).id });
    cluster.run(1_000);
    expect(downs(cluster, at(nodes, 2)).map(({ afterMs }) => afterMs)).toEqual([750, 750]);

    cluster.happenings.length = 0;
    cluster.feed(at(nodes, 0), { kind: "advisory", node: at(nodes, 1).id });
    cluster.run(3_000);
    expect(cluster.of("down")).toEqual([]);
  });

  test("a node whose subject answers again is not down, heard or not, until its silence says so", () => {
    const { cluster, nodes } = settled(2);
    const [first, second] = [at(nodes, 0), at(nodes, 1)];
    // It cannot be heard, but it can be probed.
    cluster.reaches = (from) => from !== second;
    for (let time = 0; time < 2; time += 1) cluster.feed(first, { kind: "noResponders", node: second.id });
    expect(first.membership.counts.evidence).toBe(1);
    cluster.run(5_000);
    expect(cluster.of("down", first)).toEqual([]);
    cluster.run(5_000);
    expect(cluster.of("down", first).map(({ effect }) => effect.cause)).toEqual(["silent"]);
  });
});

test("a grace that ends without a fresh answer that nobody is there downs nobody", () => {
  const { cluster, nodes } = settled(2);
  const [first, second] = [at(nodes, 0), at(nodes, 1)];
  cluster.tellsOfCuts = false;
  cluster.reaches = (from) => from !== second;
  for (const afterMs of [0, 1, 100, 200, 300, 400]) {
    cluster.clock.after(afterMs, () => cluster.feed(first, { kind: "noResponders", node: second.id }));
  }
  cluster.run(850);
  expect(first.membership.counts.evidence).toBe(1);
  expect(cluster.of("down")).toEqual([]);
  cluster.feed(first, { kind: "noResponders", node: second.id });
  expect(cluster.of("down").length).toBe(1);
});

test("an answer from before a stall is not fresh after it", () => {
  const cluster = new Cluster();
  const times = { probeEveryMs: 500, disconnectGraceMs: 1_500 };
  const [observer, gone] = [cluster.start("a", { times }), cluster.start("b", { times })];
  cluster.run(1_000);
  cluster.disconnect(gone);
  cluster.run(1_300);
  expect(observer.membership.counts.evidence).toBe(1);
  cluster.freeze(observer);
  cluster.run(20);
  cluster.reconnect(gone);
  cluster.run(60_000);
  observer.backlog = [];
  cluster.thaw(observer);
  cluster.reaches = (from) => from !== gone;
  cluster.tellsOfCuts = false;
  cluster.run(1_000);
  expect(cluster.of("down", observer)).toEqual([]);
});

describe("silence", () => {
  test("a suspect is asked, itself alone, and answers with a heartbeat to all", () => {
    const { cluster, nodes } = settled(3);
    const quiet = at(nodes, 1);
    // Its heartbeats get nowhere for a while; what the others ask gets through.
    cluster.reaches = (from) => from !== quiet;
    cluster.tellsOfCuts = false;
    cluster.run(4_200);
    const asked = cluster.of("send").filter(({ effect }) => effect.message.kind === "rumour");
    expect(new Set(asked.map(({ effect }) => effect.to))).toEqual(new Set([quiet.id]));
    cluster.reaches = () => true;
    // Asked once a second each, it need not wait for its own time to beat.
    cluster.happenings.length = 0;
    cluster.run(1_050);
    expect(cluster.of("beat", quiet).length).toBeGreaterThanOrEqual(2);
    expect(cluster.of("alive").length).toBe(2);
  });

  test("a frozen node is suspect after three seconds, down after eight, and comes back whole", () => {
    const { cluster, nodes } = settled(4);
    const frozen = at(nodes, 1);
    mark(cluster);
    cluster.freeze(frozen);
    cluster.run(4_200);
    expect(cluster.of("suspect").map(({ effect }) => effect.node)).toEqual(Array(3).fill(frozen.id));
    expect(at(nodes, 0).membership.peer(frozen.id)?.state).toBe("suspect");
    cluster.run(5_000);
    const seen = downs(cluster, frozen);
    expect(seen.map(({ cause }) => cause)).toEqual(Array(3).fill("silent"));
    for (const { afterMs } of seen) {
      expect(afterMs).toBeGreaterThan(8_000 - 1_150);
      expect(afterMs).toBeLessThanOrEqual(8_150);
    }
    cluster.run(10_000);
    cluster.happenings.length = 0;
    cluster.thaw(frozen);
    cluster.run(1_500);
    expect(cluster.disagreements()).toEqual([]);
    // To it nothing had happened: it is told that the others begin anew with it, and loses nobody.
    expect(cluster.of("down")).toEqual([]);
    expect(new Set(cluster.of("rejoined", frozen).map(({ effect }) => effect.node)).size).toBe(3);
  });

  test("a stall shorter than the time to suspicion changes nothing", () => {
    const { cluster, nodes } = settled(4);
    for (let time = 0; time < 5; time += 1) {
      cluster.freeze(at(nodes, 1));
      cluster.run(1_700);
      cluster.thaw(at(nodes, 1));
      cluster.run(1_300);
    }
    expect(cluster.of("suspect")).toEqual([]);
    expect(cluster.of("down")).toEqual([]);
  });

  test("a suspect that answers is refuted, not purged", () => {
    const { cluster, nodes } = settled(3);
    cluster.freeze(at(nodes, 2));
    cluster.run(5_000);
    cluster.thaw(at(nodes, 2));
    cluster.run(1_000);
    expect(cluster.of("down")).toEqual([]);
    expect(cluster.of("suspect").length).toBe(2);
    expect(cluster.of("alive").length).toBe(2);
    expect(cluster.disagreements()).toEqual([]);
  });

  test("a node that was stopped itself finds its peers as fresh as it left them", () => {
    const { cluster, nodes } = settled(3);
    const stopped = at(nodes, 0);
    cluster.freeze(stopped);
    cluster.run(60_000);
    cluster.happenings.length = 0;
    // Nothing of the minute is left in its socket: it must not judge by its own absence.
    stopped.backlog = [];
    cluster.thaw(stopped);
    cluster.run(3_000);
    expect(cluster.of("suspect", stopped)).toEqual([]);
    expect(cluster.of("down", stopped)).toEqual([]);
    expect(cluster.disagreements()).toEqual([]);
  });

  test("evidence from before a stall needs proof from after it", () => {
    const { cluster, nodes } = settled(3);
    const [observer, gone] = [at(nodes, 0), at(nodes, 1)];
    cluster.disconnect(gone);
    cluster.run(700);
    expect(observer.membership.counts.evidence).toBe(1);
    cluster.freeze(observer);
    cluster.run(20);
    cluster.reconnect(gone);
    cluster.run(5_000);
    observer.backlog = [];
    cluster.thaw(observer);
    cluster.run(200);
    expect(cluster.of("down", observer)).toEqual([]);
  });

  test("a node that stalls all the time still finds a dead peer in the end", () => {
    const { cluster, nodes } = settled(3);
    const [slow, alive, dead] = [at(nodes, 0), at(nodes, 1), at(nodes, 2)];
    cluster.freeze(dead);
    for (let time = 0; time < 60; time += 1) {
      cluster.freeze(slow);
      cluster.run(300);
      cluster.thaw(slow);
    }
    expect(slow.up).toEqual([alive.id]);
  });

  test("heartbeats of many nodes are rare, and silence is measured accordingly", () => {
    const { cluster, nodes } = settled(120);
    cluster.run(3_000);
    cluster.happenings.length = 0;
    cluster.run(12_000);
    const beats = cluster.of("beat").length;
    expect(beats).toBeGreaterThan(120 * 8);
    expect(beats).toBeLessThan(120 * 12);
    expect(cluster.of("suspect")).toEqual([]);
    mark(cluster);
    const frozen = at(nodes, 60);
    cluster.freeze(frozen);
    cluster.run(8_000);
    expect(cluster.of("down")).toEqual([]);
    cluster.run(2_000);
    expect(downs(cluster, frozen).length).toBe(119);
  }, 30_000);

  test("a peer that beats more seldom than we do is given its time", () => {
    const cluster = new Cluster();
    const quick = cluster.start("quick", {
      times: { heartbeatMs: 200, suspectAfterMs: 600, deadAfterMs: 1_600 },
    });
    cluster.start("slow", { times: { heartbeatMs: 1_000 } });
    cluster.run(20_000);
    expect(cluster.of("suspect", quick)).toEqual([]);
    expect(cluster.disagreements()).toEqual([]);
  });

  test("what a node says about its own rhythm is believed up to a minute only", () => {
    const cluster = new Cluster();
    const honest = cluster.start("honest");
    const liar = cluster.start("liar", { times: { heartbeatMs: 1_000_000_000 } });
    cluster.run(1_000);
    cluster.freeze(liar);
    cluster.run(479_000);
    expect(honest.up).toEqual([liar.id]);
    cluster.run(2_000);
    expect(honest.up).toEqual([]);
  });
});

describe("the bus", () => {
  test("peers outlive a drop of our own connection for the bus grace, and go down when it is over", () => {
    const { cluster, nodes } = settled(3);
    const cut = at(nodes, 0);
    mark(cluster);
    cluster.disconnect(cut);
    cluster.run(9_900);
    expect(cluster.of("down", cut)).toEqual([]);
    expect(cluster.of("suspect", cut)).toEqual([]);
    cluster.run(200);
    expect(cluster.of("down", cut).map(({ atMs }) => atMs - startMs)).toEqual([10_000, 10_000]);
    cluster.reconnect(cut);
    cluster.run(1_500);
    expect(cluster.disagreements()).toEqual([]);
  });

  test("a restart of the bus is not a mass death", () => {
    const { cluster, nodes } = settled(8);
    for (const node of nodes) cluster.disconnect(node);
    cluster.run(4_000);
    for (const node of nodes) {
      cluster.reconnect(node);
      // Until the others are back too, every probe finds nobody.
      cluster.run(400);
    }
    cluster.run(5_000);
    expect(cluster.of("down")).toEqual([]);
    expect(at(nodes, 0).membership.counts.refusalsIgnored).toBeGreaterThan(2);
    expect(cluster.disagreements()).toEqual([]);
  });

  test("a peer that does not come back after a restart of the bus is down when the bus grace is over", () => {
    const { cluster, nodes } = settled(4);
    for (const node of nodes) cluster.disconnect(node);
    cluster.run(1_000);
    mark(cluster);
    for (const node of nodes.slice(1)) cluster.reconnect(node);
    cluster.run(9_500);
    expect(cluster.of("down").filter(({ on }) => on !== at(nodes, 0).id)).toEqual([]);
    cluster.run(1_000);
    expect(downs(cluster, at(nodes, 0)).map(({ afterMs }) => afterMs)).toEqual(Array(3).fill(10_000));
  });

  test("a peer that the bus names as gone, after it came back itself, is not waited for", () => {
    const { cluster, nodes } = settled(4);
    for (const node of nodes) cluster.disconnect(node);
    cluster.run(50);
    const rest = nodes.slice(1);
    for (const node of rest) cluster.reconnect(node);
    mark(cluster);
    for (const node of rest) cluster.feed(node, { kind: "advisory", node: at(nodes, 0).id });
    cluster.run(1_200);
    expect(downs(cluster, at(nodes, 0)).map(({ afterMs, cause }) => [afterMs, cause])).toEqual(
      Array(3).fill([750, "disconnected"]),
    );
  });

  test("several that vanish at once from another server are waited for; one alone is not", () => {
    const cluster = new Cluster();
    const here = [1, 2, 3].map((index) => cluster.start(`here${index}`, { server: "s1" }));
    const there = [1, 2, 3].map((index) => cluster.start(`there${index}`, { server: "s2" }));
    cluster.run(1_000);
    cluster.happenings.length = 0;
    mark(cluster);
    for (const node of there) cluster.kill(node);
    cluster.run(9_000);
    expect(cluster.of("down")).toEqual([]);
    cluster.run(3_500);
    for (const node of there) {
      expect(downs(cluster, node).length).toBe(3);
      for (const { afterMs, cause } of downs(cluster, node)) {
        expect(cause).toBe("disconnected");
        expect(afterMs).toBeGreaterThanOrEqual(10_000);
        expect(afterMs).toBeLessThan(10_300);
      }
    }
    const alone = cluster.start("alone", { server: "s2" });
    cluster.run(1_000);
    mark(cluster);
    cluster.kill(alone);
    cluster.run(1_000);
    expect(downs(cluster, alone).length).toBe(here.length);
  });

  test("those on our own server are not waited for, nor those that the bus names", () => {
    const cluster = new Cluster();
    const observer = cluster.start("a-observer", { server: "s1" });
    const near = ["b", "c"].map((name) => cluster.start(name, { server: "s1" }));
    const far = ["d", "e", "f"].map((name) => cluster.start(name, { server: "s2" }));
    cluster.run(1_000);
    for (const node of [...near, ...far]) cluster.kill(node);
    cluster.feed(observer, { kind: "advisory", node: at(far, 0).id });
    cluster.run(2_000);
    expect(observer.up).toEqual([at(far, 1).id, at(far, 2).id]);
  });

  test("one from another server is not excused by one from our own that vanished with it", () => {
    const cluster = new Cluster();
    const observer = cluster.start("a-observer", { server: "s1" });
    const [near, far] = [cluster.start("b", { server: "s1" }), cluster.start("c", { server: "s2" })];
    cluster.run(1_000);
    cluster.kill(near);
    cluster.kill(far);
    cluster.run(1_500);
    expect(observer.up).toEqual([]);
  });

  test("which server a peer is on follows its reconnects", () => {
    const cluster = new Cluster();
    const observer = cluster.start("a-observer", { server: "s1" });
    const moved = ["b", "c"].map((name) => cluster.start(name, { server: "s1" }));
    cluster.run(1_000);
    for (const node of moved) cluster.disconnect(node);
    cluster.run(100);
    for (const node of moved) cluster.reconnect(node, "s2");
    cluster.run(500);
    for (const node of moved) cluster.kill(node);
    cluster.run(5_000);
    expect(observer.up.length).toBe(2);
    cluster.run(6_000);
    expect(observer.up).toEqual([]);
  });

  test("after its own reconnect a node believes nobody's absence before it has heard them", () => {
    const { cluster, nodes } = settled(3);
    const [back, other] = [at(nodes, 0), at(nodes, 1)];
    cluster.disconnect(back);
    cluster.run(200);
    cluster.kill(other);
    cluster.reconnect(back);
    cluster.run(5_000);
    expect(back.up).toContain(other.id);
    expect(at(nodes, 2).up).not.toContain(other.id);
    cluster.run(6_000);
    expect(back.up).not.toContain(other.id);
  });

  test("nothing is sent while the bus is away", () => {
    const { cluster, nodes } = settled(3);
    cluster.disconnect(at(nodes, 0));
    cluster.happenings.length = 0;
    cluster.feed(at(nodes, 0), { kind: "scopes", scopes: ["default", "other"] });
    cluster.run(5_000);
    const sent = ["send", "broadcast", "probe", "beat"] as const;
    expect(sent.flatMap((kind) => cluster.of(kind, at(nodes, 0)))).toEqual([]);
  });
});

test("a goodbye is known in one hop, and nothing of that incarnation is heard afterwards", () => {
  const { cluster, nodes } = settled(3);
  const leaver = at(nodes, 1);
  mark(cluster);
  cluster.feed(leaver, { kind: "goodbye" });
  cluster.run(10);
  expect(downs(cluster, leaver).map(({ cause }) => cause)).toEqual(["left", "left"]);
  cluster.happenings.length = 0;
  cluster.feed(at(nodes, 0), { kind: "heard", from: leaver.id });
  cluster.run(2_000);
  expect(cluster.of("send").filter(({ effect }) => effect.to === leaver.id)).toEqual([]);
  expect(leaver.membership.deadlineMs).toBeUndefined();
});
