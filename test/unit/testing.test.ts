import { describe, expect, test } from "vitest";
import { keepTheNewest, mergeCarts } from "../../examples/resolver-under-test/carts.ts";
import { shopThroughPartitions } from "../../examples/resolver-under-test/simulation.ts";
import { InvalidArgumentError } from "../../src/index.ts";
import { type Simulation, SimulationFailedError, simulate } from "../../src/testing.ts";

/** The failure of a simulation that must fail. */
async function failureOf(run: Promise<unknown>): Promise<SimulationFailedError> {
  const error: unknown = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SimulationFailedError)) throw new Error(`it did not fail so: ${String(error)}`);
  return error;
}

describe("the example: a resolver under test", () => {
  test("the simulator finds that the newest cart drops what was in the other", async () => {
    const failure = await failureOf(shopThroughPartitions(keepTheNewest, 20));
    expect(failure.message).toMatch(/got lost: n\d has/);
    expect(failure.message).toContain(`{ seed: "${failure.seed}" }`);
    expect(failure.log.some(({ what }) => what.startsWith("partition"))).toBe(true);
  });

  test("its mend stands", async () => {
    await expect(shopThroughPartitions(mergeCarts, 30)).resolves.toMatchObject({ seeds: 30 });
  });
});

describe("simulate", () => {
  test("the same seed does the same, another one something else", async () => {
    const run = async (seed: string): Promise<string> => {
      const seen: string[] = [];
      await simulate({
        seed,
        workload: async (simulation) => {
          const [a, b] = simulation.nodes;
          if (a === undefined || b === undefined) throw new Error("there are three");
          const process = b.spawn(() => seen.push(`heard at ${simulation.nowMs}`));
          a.send(process.pid, "hello");
          await simulation.sleep(100);
          seen.push(a.id, String(simulation.random()));
        },
      });
      return seen.join();
    };
    const first = await run("a");
    expect(first).toContain("heard at");
    expect(await run("a")).toBe(first);
    expect(await run("b")).not.toBe(first);
  });

  test("nodes are killed, come back, join and leave", async () => {
    await simulate({
      seeds: 5,
      async workload(simulation) {
        const [a, b] = simulation.nodes;
        if (a === undefined || b === undefined) throw new Error("there are three");
        const process = b.spawn();
        await a.names.register("x", process);
        const { down } = a.monitor(process);
        simulation.kill(b);
        expect((await down).reason).toMatchObject({ kind: "nodeDown" });
        const again = await simulation.restart("n2");
        expect(again.id).not.toBe(b.id);
        await simulation.start("n4");
        await simulation.stop("n3");
        await simulation.settle();
        expect(simulation.nodes.map(({ name }) => name)).toEqual(["n1", "n2", "n4"]);
        expect(a.names.whereis("x")).toBe(undefined);
      },
    });
  });

  test.each<[string, (simulation: Simulation) => void]>([
    ["a pause", (simulation) => simulation.pause("n2")],
    ["a drop nobody noticed", (simulation) => simulation.disconnect("n2", { noticeAfterMs: 500 })],
    ["deafness", (simulation) => simulation.deafen("n2", "n1")],
    ["a clog", (simulation) => simulation.clog("n2", "n1", 12_000)],
  ])("%s is felt, and over after the heal", async (_what, bringAbout) => {
    await simulate({
      seeds: 3,
      async workload(simulation) {
        const [first] = simulation.nodes;
        bringAbout(simulation);
        await simulation.eventually(
          () => first?.nodes().every(({ name, state }) => name !== "n2" || state !== "up") === true,
        );
        simulation.heal();
        await simulation.settle();
        expect(first?.nodes()).toHaveLength(3);
      },
    });
  });

  test.each<[string, RegExp, (simulation: Simulation) => unknown]>([
    [
      "a throw",
      /by the workload/,
      () => {
        throw new Error("by the workload");
      },
    ],
    ["real time", /setTimeout in a simulation/, () => new Promise((resolve) => setTimeout(resolve, 1))],
    [
      "a rejection that nobody handles",
      /nobody looks/,
      (simulation) => {
        void Promise.reject(new Error("nobody looks"));
        return simulation.sleep(10);
      },
    ],
    [
      "waiting for the dead",
      /does it wait for a node that was killed/,
      async (simulation) => {
        const [a, b] = simulation.nodes;
        const process = a?.spawn();
        simulation.kill("n2");
        if (process !== undefined) await b?.names.register("x", process);
      },
    ],
    [
      "never settling",
      /has not settled within 5000 ms: n2 is paused/,
      (simulation) => {
        simulation.pause("n2");
        return simulation.settle({ withinMs: 5_000 });
      },
    ],
  ])("%s fails the seed", async (_what, message, run) => {
    const failure = await failureOf(
      simulate({ seeds: 2, withinMs: 60_000, workload: async (simulation) => void (await run(simulation)) }),
    );
    expect(failure.message).toMatch(message);
    expect(failure.seed).toBe("1");
  });

  test("after a failure time is real again", async () => {
    await failureOf(
      simulate({
        seeds: 1,
        workload: () => {
          throw new Error("over");
        },
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(Date.now()).toBeGreaterThan(0);
  });

  test.each([{ seeds: 0 }, { nodes: 0 }, { nodes: 1.5 }])("refuses %j", async (options) => {
    await expect(simulate({ ...options, workload: () => {} })).rejects.toThrow(InvalidArgumentError);
  });
});
