import type { AnyPlan } from "./any-plan.ts";
import type { Legend } from "./diagram.ts";
import type { Tell } from "./machine/telling.ts";
import type { RunResult } from "./run.ts";
import type { Simpler } from "./shrink.ts";

/**
 * Carries a plan out.
 *
 * @param tell for a reader: a line for each thing that happens
 */
export type Run<P extends AnyPlan> = (plan: P, tell?: Tell) => RunResult | Promise<RunResult>;

/** What a tier is called, and what is asked of many runs on it. */
export interface Terms {
  readonly name: string;
  /** What `npm run sim` is told so that it runs plans there. */
  readonly options: readonly string[];
  /** What every large enough number of runs has to come by. */
  readonly expectedMarks: readonly string[];
  /** How many are enough: the rarest mark is expected ten times. */
  readonly seedsForAllMarks: number;
}

/** One depth of the product, or one part of it, with plans of a kind that suits it. */
export interface Tier<P extends AnyPlan> extends Terms {
  readonly run: Run<P>;
  /** Draws a plan that is worth carrying out here. */
  readonly generate: (seed: string) => P;
  /** @throws Error saying what is wrong where when it is no such plan */
  readonly parse: (text: string) => P;
  /** How a failing plan may be made smaller, besides by leaving things out. */
  readonly simpler: Simpler<P>;
  /** How a run is drawn. */
  readonly legend: Legend<P>;
}
