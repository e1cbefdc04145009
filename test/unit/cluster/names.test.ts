import { describe, expect, test } from "vitest";
import { MachineCluster, type MachineNode } from "../../support/machine-cluster.ts";

describe("names on machines with delayed links", () => {
  test("nodes that start together see each other and become ready", () => {
    const cluster = new MachineCluster({ seed: "start" });
    const nodes = cluster.startMany(["a", "b", "c", "d", "e"]);
    for (const node of nodes) expect(node.machine.nodes().length).toBe(5);
  });

  test("a name registered on one node is found on all", () => {
    const cluster = new MachineCluster({ seed: "one" });
    const [a, b, c] = cluster.startMany(["a", "b", "c"]) as [MachineNode, MachineNode, MachineNode];
    const pid = a.spawn();
    const request = b.register("x", pid, { meta: { v: 1 } });
    cluster.runUntil(() => b.answers.has(request), 1_000);
    expect(b.answers.get(request)?.kind).toBe("registration");
    expect(b.holder("x")).toBe(pid);
    cluster.run(100);
    for (const node of [a, b, c]) expect(node.holder("x")).toBe(pid);
    const again = c.register("x", c.spawn());
    cluster.run(100);
    expect(c.answers.get(again)).toMatchObject({ kind: "error", error: { code: "NAME_TAKEN" } });
    a.exit(pid);
    cluster.run(100);
    for (const node of [a, b, c]) expect(node.holder("x")).toBe(undefined);
  });
});
