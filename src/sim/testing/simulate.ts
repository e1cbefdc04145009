import { InvalidArgumentError } from "../../kernel/errors.ts";
import { parseOptions } from "../../node/options.ts";
import { Guard } from "../shell/guard.ts";
import { ShellWorld } from "../shell/world.ts";
import { checkCount, checkKeys, checkMs } from "./arguments.ts";
import { SimulationFailedError, type SimulationLine } from "./failure.ts";
import { type SimulatedNodeOptions, Simulation } from "./simulation.ts";

export interface SimulateOptions {
  /** How many seeds to run: 1, 2, 3 and so on. Default: 100. */
  readonly seeds?: number;
  /** Runs this seed alone, whatever `seeds` says: that of a failure, or any text. */
  readonly seed?: string;
  /** How many nodes there are when the workload begins, 100 at most. They are called `n1`, `n2` and so on. Default: 3. */
  readonly nodes?: number;
  /** For every node: its resolver, limits, times, secret. Their log lines go into the log of the simulation. */
  readonly options?: SimulatedNodeOptions;
  /** How long a frame is under way, in milliseconds, from and to; each draws its own. Default: 0.2 to 10. */
  readonly delayMs?: readonly [number, number];
  /** How much virtual time a run may take, in milliseconds. Default: an hour. */
  readonly withinMs?: number;
  /** What programs do, and what goes wrong meanwhile. A throw fails the seed. */
  workload(simulation: Simulation): void | Promise<void>;
  /** Looks at how things are when the workload is done. A throw fails the seed. */
  check?(simulation: Simulation): void | Promise<void>;
}

export interface SimulationReport {
  readonly seeds: number;
  /** How many things happened, over all seeds. */
  readonly events: number;
  /** How much virtual time passed, over all seeds, in milliseconds. */
  readonly virtualMs: number;
}

const DEFAULT_SEEDS = 100;
const DEFAULT_NODES = 3;
const MOST_NODES = 100;
const DEFAULT_DELAY_MS = [0.2, 10] as const;
const HOUR_MS = 3_600_000;
/** For nodes to join, and to stop. */
const PATIENCE_MS = 120_000;

/** Their names. */
export const SIMULATE_OPTIONS = {
  seeds: true,
  seed: true,
  nodes: true,
  options: true,
  delayMs: true,
  withinMs: true,
  workload: true,
  check: true,
} as const satisfies Record<keyof SimulateOptions, true>;

/** Those who wait for their turn: while a simulation runs it takes the place of real time in this OS process. */
let line: Promise<unknown> = Promise.resolve();

/**
 * Runs a workload on simulated clusters, once for each seed. Each is a different one: who hears what first, how long frames take,
 * and whatever the workload leaves to `simulation.random()`. Stops at the first seed that fails. Simulations of one OS process
 * run one after another, for each takes the place of real time in all of it.
 *
 * ```ts
 * await simulate({
 *   options: { resolve: mine },
 *   async workload(sim) {
 *     const [a, b] = sim.nodes;
 *     sim.partition([a], [b]);
 *     await sim.sleep(10_000);
 *     sim.heal();
 *     await sim.settle();
 *   },
 *   check(sim) { ... },
 * });
 * ```
 *
 * @throws SimulationFailedError with the seed, the cause and what happened
 * @throws InvalidArgumentError
 */
export function simulate(options: SimulateOptions): Promise<SimulationReport> {
  const run = line.then(() => runAll(options));
  line = run.catch(() => {});
  return run;
}

async function runAll(options: SimulateOptions): Promise<SimulationReport> {
  check(options);
  const { seed, seeds = DEFAULT_SEEDS, nodes = DEFAULT_NODES } = options;
  const all = seed === undefined ? Array.from({ length: seeds }, (_, index) => String(index + 1)) : [seed];
  let events = 0;
  let virtualMs = 0;
  for (const each of all) {
    const world = await runOne(each, nodes, options);
    events += world.events;
    virtualMs += world.nowMs;
  }
  return { seeds: all.length, events, virtualMs };
}

function check(options: SimulateOptions): void {
  checkKeys(options, SIMULATE_OPTIONS);
  const { seed, seeds = DEFAULT_SEEDS, nodes = DEFAULT_NODES, delayMs, withinMs, workload } = options;
  if (seed !== undefined && (typeof seed !== "string" || seed === ""))
    throw new InvalidArgumentError("seed", seed, "a text, such as that of a failure");
  checkCount("seeds", seeds, Number.MAX_SAFE_INTEGER);
  checkCount("nodes", nodes, MOST_NODES);
  if (withinMs !== undefined) checkMs("withinMs", withinMs, 1);
  if (delayMs !== undefined) checkMs("delayMs[1]", delayMs[1], checkMs("delayMs[0]", delayMs[0]));
  if (typeof workload !== "function")
    throw new InvalidArgumentError("workload", workload, "a function of the simulation");
  parseOptions({ ...options.options, cluster: "simulated", name: "n1" });
}

async function runOne(seed: string, nodes: number, options: SimulateOptions): Promise<ShellWorld> {
  const log: SimulationLine[] = [];
  let failure: { readonly cause: unknown } | undefined;
  const fail = (cause: unknown): void => {
    failure ??= { cause };
  };
  const world = new ShellWorld({
    seed,
    delayMs: options.delayMs ?? DEFAULT_DELAY_MS,
    turnMs: [0, 0],
    tell: (who, what) => log.push({ atMs: world.nowMs, who, what }),
    look: () => {
      if (failure !== undefined) throw failure.cause;
    },
  });
  const simulation = new Simulation(seed, world, options.options ?? {});
  const guard = new Guard((problem, cause) => {
    log.push({ atMs: world.nowMs, who: "simulation", what: problem });
    fail(cause);
  });
  guard.install();
  try {
    await settled(world, PATIENCE_MS, joined(simulation, nodes));
    await settled(world, options.withinMs ?? HOUR_MS, carryOut(simulation, options));
    await settled(world, PATIENCE_MS, stopped(simulation));
  } catch (cause) {
    throw new SimulationFailedError(seed, log, cause);
  } finally {
    for (const { name } of world.present) world.kill(name);
    guard.remove();
  }
  return world;
}

async function joined(simulation: Simulation, nodes: number): Promise<void> {
  await Promise.all(Array.from({ length: nodes }, (_, index) => simulation.start(`n${index + 1}`)));
}

async function carryOut(simulation: Simulation, { workload, check }: SimulateOptions): Promise<void> {
  await workload(simulation);
  await check?.(simulation);
}

async function stopped(simulation: Simulation): Promise<void> {
  simulation.heal();
  await Promise.all(simulation.nodes.map((node) => simulation.stop(node)));
}

/** Lets time pass until it is. */
async function settled(world: ShellWorld, withinMs: number, promise: Promise<void>): Promise<void> {
  // A failure of another kind may end the run before anybody waits for this one.
  promise.catch(() => {});
  if (await world.runUntilSettled(promise, withinMs)) return promise;
  throw new Error(
    `not done after ${withinMs} ms of virtual time: does it wait for a node that was killed, for real time, or for a simulation of its own?`,
  );
}
