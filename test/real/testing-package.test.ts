import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Program, Programs } from "../support/program.ts";

/** A shop's own resolver, handler and workload, with what happened printed at the end. */
const SHOP = `
import { simulate } from "rollcall/testing";

const most = ({ contenders }) => {
  const [best] = [...contenders].sort((left, right) => right.meta - left.meta);
  return { keep: best.pid, losers: "notify" };
};
const seen = [];
const report = await simulate({
  seed: process.argv[2],
  options: { resolve: most },
  async workload(sim) {
    const [a, b, c] = sim.nodes;
    const counter = (node) => {
      let sum = 0;
      return async (amount) => {
        await sim.sleep(5);
        sum += amount;
        seen.push(node.name + " has " + sum + " at " + sim.nowMs);
        return sum;
      };
    };
    sim.partition([a], [b, c]);
    await sim.sleep(10_000);
    for (const node of [a, b]) await node.names.register("counter", node.spawn(counter(node)), { meta: sim.random() });
    sim.heal();
    await sim.settle();
    for (let call = 0; call < 5; call += 1)
      seen.push(await sim.pick(sim.nodes).call({ name: "counter" }, Math.floor(sim.random() * 10)));
  },
  check(sim) {
    const holders = new Set(sim.nodes.map((node) => node.names.whereis("counter")?.pid));
    if (holders.size !== 1) throw new Error(holders.size + " hold it");
    seen.push(...holders);
  },
});
console.log(JSON.stringify({ seen, report }));
console.log("done");
`;

const LEAK = `
import { setTimeout as delay } from "node:timers/promises";
import { SimulationFailedError, simulate } from "rollcall/testing";

const run = simulate({ workload: () => delay(1) });
const error = await run.catch((thrown) => thrown);
console.log(error instanceof SimulationFailedError, error.code, error.seed, error.cause.message);
await delay(1);
console.log("real again");
`;

describe("rollcall/testing, as a program imports it", () => {
  let programs: Programs;
  beforeEach(() => {
    programs = new Programs("testing");
  });
  afterEach(() => programs.end());

  const outputOf = async (program: Program, last: string): Promise<string> => {
    await program.says(`${last}\n`);
    await eventually(() => program.exitCode !== undefined, { withinMs: 30_000 });
    expect(program.exitCode).toBe(0);
    return program.output;
  };

  test("does the same for the same seed in two OS processes, and something else for another", async () => {
    const run = (name: string, seed: string) => outputOf(programs.run(name, SHOP, seed), "done");
    const [first, again, other] = await Promise.all([
      run("first", "5"),
      run("again", "5"),
      run("other", "6"),
    ]);
    const { seen, report } = JSON.parse(first.replace("done", "")) as { seen: unknown[]; report: unknown };
    expect(seen).toHaveLength(11);
    expect(report).toMatchObject({ seeds: 1, events: expect.any(Number), virtualMs: expect.any(Number) });
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test("refuses real time, and gives it back", async () => {
    const output = await outputOf(programs.run("leak", LEAK), "real again");
    expect(output).toBe(
      "true SIMULATION_FAILED 1 node:timers/promises setTimeout in a simulation: time and chance come from it alone\nreal again\n",
    );
  });
});
