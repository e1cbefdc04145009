import type { Clock } from "../../kernel/clock.ts";
import { generateLeases } from "../../sim/leases/plan.ts";
import { type LeaseResult, runLeases } from "../../sim/leases/run.ts";
import type { Fault } from "../../sim/plan.ts";
import type { RunResult } from "../../sim/run.ts";
import { seedName } from "../../sim/run-many.ts";
import { type Summary, Tally } from "../../sim/summary.ts";

export interface LeaseSeeds {
  readonly from: number;
  readonly seeds: number;
  readonly clock: Clock;
  readonly onProgress: (summary: Summary) => void;
  readonly signal: AbortSignal;
}

/** How often progress is told, and the event loop let in. */
const BREATH_MS = 250;

/** What enough runs have to come by, or they prove less than they claim. */
const EXPECTED = [
  "a floor is given",
  "ask",
  "attach",
  "confirm",
  "first use",
  "lost",
  "passOn",
  "refused: indeterminate",
  "refused: noQuorum",
  "refused: taken",
  "refused: timeout",
  "two hold a name",
];

export async function runLeaseSeeds({
  clock,
  from,
  onProgress,
  seeds,
  signal,
}: LeaseSeeds): Promise<Summary> {
  const tally = new Tally(EXPECTED);
  const begunMs = clock.now().monotonicMs;
  let breathMs = begunMs;
  for (let index = 0; index < seeds && !signal.aborted; index += 1) {
    tally.add(toRun(runLeases(seedName(from + index))));
    const nowMs = clock.now().monotonicMs;
    if (nowMs - breathMs < BREATH_MS) continue;
    breathMs = nowMs;
    onProgress(tally.summary(nowMs - begunMs));
    await new Promise<void>((resolve) => clock.endOfTurn(resolve));
  }
  return tally.summary(clock.now().monotonicMs - begunMs);
}

/** One seed, and its plan if a rule was broken. */
export function tellLeases(seed: string): { readonly isBad: boolean; readonly text: string } {
  const { events, hash, violation } = runLeases(seed);
  if (violation === undefined) {
    return { isBad: false, text: `Plan ${seed}: no rule was broken in ${events} events (${hash})` };
  }
  const { invariant, seen, atMs } = violation;
  const plan = JSON.stringify(generateLeases(seed), null, 2);
  return { isBad: true, text: `${invariant}: ${seen}, at ${atMs.toFixed(3)} ms\n${plan}` };
}

/** Faults of leases are told by names of their own. */
function toRun(result: LeaseResult): RunResult {
  const injected = result.injected as ReadonlyMap<Fault["kind"], number>;
  return { ...result, injected, effective: new Set(injected.keys()) };
}
