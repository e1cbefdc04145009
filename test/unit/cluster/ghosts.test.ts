import { beforeAll, describe, expect, test } from "vitest";
import type { NameEntry } from "../../../src/global/name-entry.ts";
import { NameTable } from "../../../src/global/name-table.ts";
import { fraction } from "../../../src/kernel/random.ts";
import { MachineCluster, type MachineNode } from "../../support/machine-cluster.ts";

const NODES = ["a", "b", "c", "d", "e"];
const NAMES = ["n0", "n1", "n2", "n3"];
const SEEDS = Array.from({ length: 12 }, (_, index) => `ghosts-${index}`);
const STEPS = 200;
/** Well below what makes an arbiter be passed over: then there may be clashes, whose end does not go by age. */
const SLOWEST_MS = 150;

/** Every moment in which this reader went back from a registration to one that it must have known to be over. */
function watch(node: MachineNode, ghosts: string[]): void {
  const latest = new Map<string, NameEntry>();
  const table = node.machine.names("default");
  if (!(table instanceof NameTable)) throw new Error(`${node.id} has no names`);
  node.afterStep = () => {
    for (const name of NAMES) {
      const holder = table.holder(name);
      const before = latest.get(name);
      if (holder === undefined) continue;
      // Without a clash each registration follows from the end of the one before, and has a later stamp.
      if (before !== undefined && holder.stamp < before.stamp) {
        ghosts.push(`${node.id} shows ${holder.owner}:${holder.id} after ${before.owner}:${before.id}`);
      }
      latest.set(name, holder);
    }
  };
}

/** Registrations, takeovers, transfers, releases and exits, while some links are slower than others. */
function churn(seed: string): { readonly ghosts: readonly string[]; readonly cluster: MachineCluster } {
  const cluster = new MachineCluster({ seed, delayMs: [0.1, 40] });
  const nodes = cluster.startMany(NODES);
  const processes = nodes.map((node) => ({ node, pid: node.spawn() }));
  const random = cluster.random.fork("churn");
  const pick = <T>(list: readonly T[]): T => list[Math.floor(fraction(random) * list.length)] as T;
  const ghosts: string[] = [];
  for (const node of nodes) watch(node, ghosts);
  for (let step = 0; step < STEPS; step += 1) {
    const [node, name, target, draw] = [pick(nodes), pick(NAMES), pick(processes), fraction(random)];
    if (draw < 0.35) node.register(name, target.pid);
    else if (draw < 0.5) node.register(name, target.pid, { takeover: true });
    else if (draw < 0.65) node.transfer(name, target.pid);
    else if (draw < 0.9) node.unregister(name);
    else {
      target.node.exit(target.pid);
      target.pid = target.node.spawn();
    }
    const [from, to] = [pick(nodes), pick(nodes)];
    if (fraction(random) < 0.1 && from !== to) {
      cluster.slow(from, to, fraction(random) < 0.5 ? 0 : SLOWEST_MS * fraction(random));
    }
    cluster.run(fraction(random) * 4);
  }
  cluster.run(3_000);
  return { ghosts, cluster };
}

describe("while some links are slow, and names change hands", () => {
  let runs: ReturnType<typeof churn>[] = [];

  beforeAll(() => {
    runs = SEEDS.map(churn);
  });

  test("no reader ever goes back to an earlier registration", () => {
    expect(runs.length).toBe(SEEDS.length);
    expect(runs.flatMap(({ ghosts }) => ghosts)).toEqual([]);
  });

  test("nothing is left to remember in the end, and there was no clash", () => {
    for (const { cluster } of runs) {
      expect(cluster.clashes).toEqual([]);
      expect(cluster.wrongAtRest).toBeUndefined();
    }
  });
});

test("a registration after a release shows it once and for all, though news of the released one comes later", () => {
  const cluster = new MachineCluster({ seed: "release" });
  const [a, b, c] = cluster.startMany(["a", "b", "c"]);
  if (a === undefined || b === undefined || c === undefined) throw new Error("three nodes");
  const [former, next] = [a.spawn(), b.spawn()];
  const seen: (string | undefined)[] = [];
  c.afterStep = () => {
    const holder = c.holder("x");
    if (holder !== seen.at(-1)) seen.push(holder);
  };
  cluster.slow(a, c, 150);
  a.register("x", former);
  cluster.run(20);
  a.unregister("x");
  cluster.run(20);
  b.register("x", next);
  cluster.run(1_000);
  expect(seen).toEqual([next]);
});
