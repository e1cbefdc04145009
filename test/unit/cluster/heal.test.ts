import { expect, test } from "vitest";
import { MachineCluster } from "../../support/machine-cluster.ts";

const NAMES = Array.from({ length: 20 }, (_, index) => `brief-${index}`);

test("a node that was cut off is told what stands now, and sees nothing of what came and went", () => {
  const cluster = new MachineCluster({ seed: "told what stands" });
  const [near, far, cutOff] = cluster.startMany(["a", "b", "c"]);
  if (near === undefined || far === undefined || cutOff === undefined) throw new Error("three nodes");
  const pid = near.spawn();
  near.register("lasting", pid);
  cluster.run(100);
  cluster.partition([near, far], [cutOff]);
  cluster.runUntil(() => cutOff.machine.nodes().length === 1 && near.machine.nodes().length === 2, 20_000);
  for (const name of NAMES) near.register(name, pid);
  cluster.run(100);
  for (const name of NAMES) near.unregister(name);
  cluster.run(100);

  cutOff.feed({ kind: "watching", scope: "default", names: true, groups: false });
  let ghosts = 0;
  cutOff.afterStep = () => {
    if (NAMES.some((name) => cutOff.holder(name) !== undefined)) ghosts += 1;
  };
  cluster.heal();
  cluster.runUntil(() => cutOff.holder("lasting") === pid, 20_000);
  cluster.run(1_000);
  expect(ghosts).toBe(0);
  expect(
    cutOff.nameEvents.map((event) => [event.kind, "registration" in event && event.registration.name]),
  ).toEqual([["registered", "lasting"]]);
});
