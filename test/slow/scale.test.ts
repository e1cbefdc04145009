import { afterEach, describe, expect, test } from "vitest";
import { MemoryNetwork } from "../../src/bus/memory.ts";
import { type ClusterNode, startNode } from "../../src/index.ts";
import { SeededRandom } from "../../src/kernel/random.ts";
import { MachineCluster } from "../support/machine-cluster.ts";
import { RealClock } from "../support/real-clock.ts";

const NODES = 100;
const NAMES_EACH = 100;
const WITHIN_MS = 240_000;

const nodeNames = Array.from({ length: NODES }, (_, index) => `n${index}`);
const nameOf = (node: number, index: number) => `name-${node}-${index}`;
const allNames = nodeNames.flatMap((_, node) =>
  Array.from({ length: NAMES_EACH }, (_, index) => nameOf(node, index)),
);

describe(`${NODES} nodes with ${NAMES_EACH} names each`, () => {
  const running: ClusterNode[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((node) => node.stop()));
  }, WITHIN_MS);

  test(
    "agree on every name (machines on virtual time)",
    () => {
      const cluster = new MachineCluster({ seed: "a hundred nodes" });
      const nodes = cluster.startMany(nodeNames);
      const pids = nodes.map((node) => node.spawn());
      const asked = nodes.flatMap((node, index) => {
        const pid = pids[index] as (typeof pids)[number];
        return Array.from({ length: NAMES_EACH }, (_, name) => ({
          node,
          request: node.register(nameOf(index, name), pid),
        }));
      });
      cluster.runUntil(() => asked.every(({ node, request }) => node.answers.has(request)), 60_000);
      cluster.run(1_000);
      expect(new Set(asked.map(({ node, request }) => node.answers.get(request)?.kind))).toEqual(
        new Set(["registration"]),
      );
      for (const node of nodes) {
        expect(node.machine.names("default")?.count()).toBe(NODES * NAMES_EACH);
        const strangers = allNames.filter((name) => node.holder(name) !== nodes[0]?.holder(name));
        expect(strangers).toEqual([]);
      }
      expect(cluster.clashes).toEqual([]);
    },
    WITHIN_MS,
  );

  test(
    "agree on every name (real shells on a bus in memory)",
    async () => {
      const network = new MemoryNetwork({ clock: new RealClock(), random: new SeededRandom("shells") });
      // A hundred nodes share one thread here: what takes a moment on machines of their own may take a while.
      const limits = { startMs: WITHIN_MS, registerMs: WITHIN_MS };
      const starting = nodeNames.map((name) =>
        startNode({ cluster: "scale", name, bus: network.bus(name), limits }),
      );
      for (const node of await Promise.all(starting)) running.push(node);
      const pids = running.map((node) => node.spawn().pid);
      const registered = running.flatMap((node, index) =>
        Array.from({ length: NAMES_EACH }, (_, name) =>
          node.names.register(nameOf(index, name), pids[index] as (typeof pids)[number]),
        ),
      );
      await Promise.all(registered);
      await Promise.all(running.map((node) => node.settled()));
      for (const node of running) {
        expect(node.names.count()).toBe(NODES * NAMES_EACH);
        const strangers = allNames.filter(
          (name, index) => node.names.whereis(name)?.pid !== pids[Math.floor(index / NAMES_EACH)],
        );
        expect(strangers).toEqual([]);
        expect(node.nodes().length).toBe(NODES);
        expect(node.stats().cluster).toMatchObject({ "tables.clashes": 0, "tables.digestMismatches": 0 });
      }
    },
    WITHIN_MS,
  );
});
