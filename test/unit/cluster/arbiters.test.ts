import { describe, expect, test } from "vitest";
import { MachineCluster, type MachineNode } from "../../support/machine-cluster.ts";

const NAMES = Array.from({ length: 30 }, (_, index) => `n${index}`);

function three(seed: string): { cluster: MachineCluster; nodes: MachineNode[] } {
  const cluster = new MachineCluster({ seed });
  return { cluster, nodes: cluster.startMany(["a", "b", "c"]) };
}

function answered(node: MachineNode, requests: readonly number[]): boolean {
  return requests.every((request) => node.answers.get(request)?.kind === "registration");
}

describe("an arbiter that cannot be asked", () => {
  test("delays a registration by no more than arbiterTimeoutMs when it hangs", () => {
    const { cluster, nodes } = three("hangs");
    const [a, , c] = nodes as [MachineNode, MachineNode, MachineNode];
    const pid = a.spawn();
    cluster.silent = true;
    cluster.partition([nodes[0] as MachineNode, nodes[1] as MachineNode], [c]);
    const requests = NAMES.map((name) => a.register(name, pid));
    cluster.run(2_800);
    expect(answered(a, requests)).toBe(false);
    cluster.run(500);
    expect(answered(a, requests)).toBe(true);
  });

  test("is not asked any more once it is down", () => {
    const { cluster, nodes } = three("down");
    const [a, , c] = nodes as [MachineNode, MachineNode, MachineNode];
    const pid = a.spawn();
    c.kill();
    cluster.runUntil(() => a.machine.nodes().length === 2, 20_000);
    const requests = NAMES.map((name) => a.register(name, pid));
    cluster.run(200);
    expect(answered(a, requests)).toBe(true);
  });

  test("is done without by a node that has no bus, after arbiterTimeoutMs and not before", () => {
    const { cluster, nodes } = three("no-bus");
    const [a, b, c] = nodes as [MachineNode, MachineNode, MachineNode];
    const pid = a.spawn();
    cluster.partition([a], [b, c]);
    a.feed({ kind: "busDisconnected" });
    const requests = NAMES.map((name) => a.register(name, pid));
    cluster.run(2_800);
    expect(answered(a, requests)).toBe(false);
    cluster.run(500);
    expect(answered(a, requests)).toBe(true);
  });
});

describe("a registration", () => {
  test("of a process that dies meanwhile leaves nothing behind", () => {
    const { cluster, nodes } = three("dies");
    const [a, b] = nodes as [MachineNode, MachineNode];
    for (const name of NAMES) {
      const pid = a.spawn();
      const request = b.register(name, pid);
      cluster.run(1);
      a.exit(pid);
      cluster.run(1_000);
      expect(b.answers.get(request)).toBeDefined();
      for (const node of nodes) expect(node.holder(name)).toBe(undefined);
    }
    for (const node of nodes) expect(node.machine.counters()["tables.dockets"]).toBe(0);
  });

  test("that nobody waits for any more is given back, however late the grant comes", () => {
    const { cluster, nodes } = three("abandoned");
    const [a, b] = nodes as [MachineNode, MachineNode];
    const pid = a.spawn();
    NAMES.forEach((name, index) => {
      const request = b.register(name, pid);
      cluster.run(index / 2);
      const late = b.answers.has(request);
      b.feed({ kind: "abandon", request });
      cluster.run(1_000);
      if (!late) expect(b.answers.has(request)).toBe(false);
      for (const node of nodes) expect(node.holder(name)).toBe(late ? pid : undefined);
    });
  });
});
