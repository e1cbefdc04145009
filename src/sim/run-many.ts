import type { Clock } from "../kernel/clock.ts";
import type { AnyPlan } from "./any-plan.ts";
import { type Summary, Tally } from "./summary.ts";
import type { Tier } from "./tier.ts";

/** How often progress is told, and the event loop let in: for Ctrl-C, and for word from other OS processes. */
const BREATH_MS = 250;

export interface ManyOptions<P extends AnyPlan> {
  /** The number of the first seed. */
  readonly from: number;
  readonly seeds: number;
  /** Every so many-th seed only: the others are another process's share. */
  readonly stride?: number | undefined;
  readonly tier: Tier<P>;
  /** The real one, of whoever calls. */
  readonly clock: Clock;
  readonly onProgress?: ((summary: Summary) => void) | undefined;
  /** Ends it early: the summary is of what has been run. */
  readonly signal?: AbortSignal | undefined;
}

/** What the seed of this number is called. */
export function seedName(number: number): string {
  return `s${number}`;
}

/** Runs plan after plan. */
export async function runMany<P extends AnyPlan>(options: ManyOptions<P>): Promise<Summary> {
  const { from, seeds, stride = 1, tier, clock, onProgress, signal } = options;
  const { run, generate, expectedMarks } = tier;
  const tally = new Tally(expectedMarks);
  const begunMs = clock.now().monotonicMs;
  let breathMs = begunMs;
  for (let index = 0; index < seeds && signal?.aborted !== true; index += stride) {
    tally.add(await run(generate(seedName(from + index))));
    const nowMs = clock.now().monotonicMs;
    if (nowMs - breathMs < BREATH_MS) continue;
    breathMs = nowMs;
    onProgress?.(tally.summary(nowMs - begunMs));
    await new Promise<void>((resolve) => clock.endOfTurn(resolve));
  }
  return tally.summary(clock.now().monotonicMs - begunMs);
}
