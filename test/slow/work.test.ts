import { beforeAll, describe, expect, test } from "vitest";
import { countCollectionWork } from "../support/counted-collections.ts";
import { MachineCluster, type MachineNode } from "../support/machine-cluster.ts";

const FEW = 1_000;
const MANY = 200_000;
const MEASURED = 600;
const AT_ONCE = 2_000;

interface Work {
  readonly frames: number;
  readonly bytes: number;
  readonly steps: number;
  readonly collections: number;
}

/** Three nodes that register names, counting what it takes. */
class Registering {
  readonly cluster = new MachineCluster({ seed: "work" });
  readonly #nodes: readonly MachineNode[];
  readonly #pids;
  #steps = 0;
  #registered = 0;

  constructor() {
    this.#nodes = this.cluster.startMany(["a", "b", "c"]);
    this.#pids = this.#nodes.map((node) => node.spawn());
    for (const node of this.#nodes) {
      node.afterStep = () => {
        this.#steps += 1;
      };
    }
  }

  fillTo(names: number): void {
    while (this.#registered < names) this.#register(Math.min(AT_ONCE, names - this.#registered));
    this.cluster.run(1_000);
  }

  /** What one registration takes, on all nodes together, when there are this many names. */
  measure(): Work {
    const before = { frames: this.cluster.frames, bytes: this.cluster.bytes, steps: this.#steps };
    const collections = countCollectionWork(() => {
      for (let count = 0; count < MEASURED; count += 1) this.#register(1);
    });
    return {
      frames: (this.cluster.frames - before.frames) / MEASURED,
      bytes: (this.cluster.bytes - before.bytes) / MEASURED,
      steps: (this.#steps - before.steps) / MEASURED,
      collections: collections / MEASURED,
    };
  }

  namesOnEachNode(): number[] {
    return this.#nodes.map((node) => node.machine.names("default")?.count() ?? 0);
  }

  #register(count: number): void {
    const asked = Array.from({ length: count }, () => {
      const turn = this.#registered % this.#nodes.length;
      const [node, pid] = [this.#nodes[turn], this.#pids[turn]];
      if (node === undefined || pid === undefined) throw new Error("three nodes");
      this.#registered += 1;
      return { node, request: node.register(`name-${String(this.#registered).padStart(7, "0")}`, pid) };
    });
    this.cluster.runUntil(() => asked.every(({ node, request }) => node.answers.has(request)), 60_000);
    for (const { node, request } of asked) {
      expect(node.answers.get(request)?.kind).toBe("registration");
      node.answers.delete(request);
    }
  }
}

describe(`what a registration takes with ${MANY} names, next to ${FEW}`, () => {
  let few: Work;
  let many: Work;

  beforeAll(() => {
    const registering = new Registering();
    registering.fillTo(FEW);
    few = registering.measure();
    registering.fillTo(MANY);
    many = registering.measure();
    registering.cluster.run(1_000);
    expect(registering.namesOnEachNode()).toEqual([MANY + MEASURED, MANY + MEASURED, MANY + MEASURED]);
  }, 240_000);

  test.each(["frames", "steps", "collections"] as const)("no more %s", (kind) => {
    expect(few[kind]).toBeGreaterThan(1);
    expect(many[kind]).toBeLessThan(few[kind] * 1.05);
  });

  test("no more bytes, but for those by which the number of an operation gets longer", () => {
    expect(few.bytes).toBeGreaterThan(1);
    expect(many.bytes).toBeLessThan(few.bytes * 1.15);
  });
});
