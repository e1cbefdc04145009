import type { Tell } from "../machine/telling.ts";
import type { Fault, Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import { Faults } from "./faults.ts";
import { Guard } from "./guard.ts";
import { Operations } from "./operations.ts";
import { Programs } from "./programs.ts";
import { RunRecord } from "./record.ts";
import { checkNothingLeft, checkRest } from "./rest.ts";

/** How long after the last fault everything has come to rest: a bus grace, a death, and repairs. */
export const SHELL_REST_MS = 25_000;
/** Until everybody has heard what was said last. */
const LAST_WORDS_MS = 500;
/** How long `stop()` takes at most, and until what was under way has arrived. */
const STOP_MS = 5_000;

export interface ShellResult {
  readonly events: number;
  /** The fingerprint of everything that programs could see, and of the chance that is left. */
  readonly hash: string;
  readonly marks: ReadonlySet<string>;
  readonly injected: ReadonlyMap<Fault["kind"], number>;
  /** How often each kind of fault found something to harm. */
  readonly effects: Readonly<Record<string, number>>;
  readonly violation?: Violation;
}

/** Runs a plan on real nodes, by their public interface. One at a time in one OS process: it takes real time's place. */
export async function runShellSeed(
  plan: Plan,
  options: { readonly tell?: Tell | undefined } = {},
): Promise<ShellResult> {
  const record = new RunRecord(plan, options.tell);
  const programs = new Programs(record);
  const guard = new Guard((problem, cause) =>
    record.fail(problem, cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)),
  );
  guard.install();
  try {
    await carryOut(record, programs);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    record.violation ??= error;
  } finally {
    guard.remove();
  }
  record.trace.add(programs.judge.unseed);
  const { events, network } = record.world;
  return {
    events,
    hash: record.trace.value,
    marks: record.marks,
    injected: record.injected,
    effects: { ...network.effects },
    ...(record.violation === undefined ? {} : { violation: record.violation }),
  };
}

async function carryOut(record: RunRecord, programs: Programs): Promise<void> {
  const { plan, world } = record;
  const operations = new Operations(record, programs);
  const faults = new Faults(record, programs);
  for (let place = 0; place < plan.nodes; place += 1) programs.start(place);
  for (const operation of plan.operations)
    world.clock.after(operation.atMs, () => operations.carryOut(operation));
  for (const fault of plan.faults) world.clock.after(fault.atMs, () => faults.inject(fault));
  await world.runFor(plan.restAtMs);
  faults.endAll();
  await world.runFor(SHELL_REST_MS);
  for (const program of programs.all) programs.topics.tellMissed(program);
  await world.runFor(LAST_WORDS_MS);
  checkRest(record, programs);
  programs.promises.atRest();
  programs.mail.atRest();
  programs.topics.atRest(programs.all);
  operations.atRest();
  record.look();
  for (const member of world.present) void programs.stop(member);
  await world.runFor(STOP_MS);
  checkNothingLeft(record);
  programs.promises.atRest();
  record.look();
}
