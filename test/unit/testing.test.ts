import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as nodesTimeout } from "node:timers";
import { setTimeout as delay } from "node:timers/promises";
import { runInThisContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { keepTheNewest, mergeCarts } from "../../examples/resolver-under-test/carts.ts";
import { shopThroughPartitions } from "../../examples/resolver-under-test/simulation.ts";
import type { ClusterNode } from "../../src/index.ts";
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
    // Who stood against whom, and what the resolver made of it: without that nobody sees where it went wrong.
    const asked = failure.log.find(({ what }) => what.startsWith("asks the resolver about"));
    expect(asked?.what).toMatch(/items/);
    expect(failure.log.some(({ what }) => /^the verdict on .*"losers"/.test(what))).toBe(true);
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

  test.each<[path: string, options: object]>([
    ["seeds", { seeds: 0 }],
    ["nodes", { nodes: 0 }],
    ["nodes", { nodes: 1.5 }],
    ["nodes", { nodes: 101 }],
    ["seed", { seed: "" }],
    ["seed", { seed: 17 }],
    ["withinMs", { withinMs: 0 }],
    ["withinMs", { withinMs: Number.NaN }],
    ["delayMs[0]", { delayMs: [-1, 5] }],
    ["delayMs[1]", { delayMs: [5, 1] }],
    ["workload", { workload: undefined }],
    ["node", { node: 5 }],
    ["resolve", { options: { resolve: "mine" } }],
    ["limits.mail", { options: { limits: { mail: 5 } } }],
  ])("refuses a wrong %s before anything runs: %j", async (path, options) => {
    let began = 0;
    const begin = (): void => {
      began += 1;
    };
    await expect(simulate({ workload: begin, ...options })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      path,
    });
    expect(began).toBe(0);
  });

  test.each<[path: string, run: (simulation: Simulation) => unknown]>([
    ["ms", (simulation) => simulation.sleep(Number.NaN)],
    ["ms", (simulation) => simulation.sleep(-1)],
    ["list", (simulation) => simulation.pick([])],
    ["withinMs", (simulation) => simulation.eventually(() => true, { withinMs: Number.NaN })],
    ["withinMs", (simulation) => simulation.settle({ withinMs: -1 })],
    ["byMs", (simulation) => simulation.clog("n1", "n2", Number.POSITIVE_INFINITY)],
    ["noticeAfterMs", (simulation) => simulation.disconnect("n1", { noticeAfterMs: -5 })],
    ["node", (simulation) => simulation.clog("n1", "n7", 5)],
    ["node", (simulation) => simulation.deafen("n7", "n1")],
    ["node", (simulation) => simulation.disconnect("n7")],
    ["node", (simulation) => simulation.reconnect("n7")],
    ["node", (simulation) => simulation.pause("n7")],
    ["node", (simulation) => simulation.resume("n7")],
    ["node", (simulation) => simulation.kill("n7")],
    ["node", (simulation) => simulation.stop("n7")],
    ["name", (simulation) => simulation.start("n2")],
  ])("a workload is told of a wrong %s (%s)", async (path, run) => {
    await simulate({
      seeds: 1,
      async workload(simulation) {
        await expect((async () => run(simulation))()).rejects.toMatchObject({
          code: "INVALID_ARGUMENT",
          path,
        });
        expect(simulation.nodes).toHaveLength(3);
      },
    });
  });

  test("a node that starts behind a partition is on the side that names it, or with those that no side names", async () => {
    await simulate({
      seed: "newcomers",
      async workload(simulation) {
        simulation.partition(["n1", "late"], ["n2"]);
        const [late, other] = await Promise.all([simulation.start("late"), simulation.start("other")]);
        await simulation.sleep(12_000);
        const seenBy = (node: ClusterNode) => node.nodes().map(({ name }) => name);
        expect(seenBy(late)).toEqual(["late", "n1"]);
        expect(seenBy(other)).toEqual(["n3", "other"]);
        simulation.heal();
        await simulation.settle();
        expect(seenBy(late)).toEqual(["late", "n1", "n2", "n3", "other"]);
      },
    });
  });
});

describe("in a simulation real time and chance throw, and fail the seed", () => {
  test.each<[shown: string, leak: () => unknown]>([
    ["Date.now", () => Date.now()],
    ["new Date()", () => new Date()],
    ["new Date()", () => Date()],
    ["Math.random", () => Reflect.apply(Reflect.get(Math, "random"), Math, [])],
    ["Math.random", () => [1].forEach(Reflect.get(Math, "random"))],
    ["performance.now", () => performance.now()],
    ["process.hrtime", () => process.hrtime()],
    ["process.hrtime.bigint", () => process.hrtime.bigint()],
    ["process.uptime", () => process.uptime()],
    ["setTimeout", () => setTimeout(() => {}, 1)],
    ["setInterval", () => setInterval(() => {}, 1)],
    ["setImmediate", () => setImmediate(() => {})],
    ["node:timers setTimeout", () => nodesTimeout(() => {}, 1)],
    ["node:timers/promises setTimeout", () => delay(1)],
    ["AbortSignal.timeout", () => AbortSignal.timeout(1)],
    ["crypto.randomUUID", () => crypto.randomUUID()],
    ["crypto.getRandomValues", () => crypto.getRandomValues(new Uint8Array(1))],
    ["node:crypto randomUUID", () => randomUUID()],
    ["node:crypto randomBytes", () => randomBytes(1)],
    ["fetch", () => fetch("http://127.0.0.1:1")],
  ])("%s", async (shown, leak) => {
    // Whoever catches what it throws is found out all the same.
    const caught: unknown[] = [];
    const failure = await failureOf(
      simulate({
        seeds: 1,
        nodes: 1,
        async workload(simulation) {
          try {
            await leak();
          } catch (error) {
            caught.push(error);
          }
          await simulation.sleep(1);
        },
      }),
    );
    expect(caught).toEqual([failure.cause]);
    expect(failure.cause).toMatchObject({
      message: `${shown} in a simulation: time and chance come from it alone`,
    });
  });

  test("what does not give time or chance away is as ever, and so is all of it afterwards", async () => {
    const before = [Date, Date.now, setTimeout, delay, randomUUID, crypto.randomUUID, process.hrtime];
    await simulate({
      seeds: 1,
      nodes: 1,
      async workload() {
        const date = new Date(86_400_000);
        expect(date).toBeInstanceOf(Date);
        expect(date.toISOString()).toBe("1970-01-02T00:00:00.000Z");
        expect(Date.UTC(1970, 0, 2)).toBe(86_400_000);
        expect(structuredClone({ date })).toEqual({ date });
        await Promise.resolve();
        await new Promise<void>((resolve) => queueMicrotask(resolve));
        await new Promise<void>((resolve) => process.nextTick(resolve));
      },
    });
    expect([Date, Date.now, setTimeout, delay, randomUUID, crypto.randomUUID, process.hrtime]).toEqual(
      before,
    );
    expect(new Date()).toBeInstanceOf(Date);
    await delay(1);
  });

  test("but for installed packages, wherever the program itself lies", async () => {
    const callers = [
      ["/app/node_modules/runner/index.js", true],
      ["/native-apps/node/test.js", false],
      ["C:\\work\\node_modules\\runner\\index.js", true],
      ["file:///app/test.js", false],
    ] as const;
    for (const [filename, isLetThrough] of callers) {
      const now = runInThisContext("() => Date.now()", { filename }) as () => number;
      const run = simulate({ seeds: 1, nodes: 1, workload: () => void now() });
      if (isLetThrough) await expect(run, filename).resolves.toMatchObject({ seeds: 1 });
      else await expect(run, filename).rejects.toThrow("Date.now in a simulation");
    }
  });
});
