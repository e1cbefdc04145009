import type { Plan } from "./plan.ts";
import { type RunResult, runSeed } from "./run.ts";

/** Carries a plan out, at one depth of the product. */
export type Tier = (plan: Plan) => RunResult | Promise<RunResult>;

/** `machine`: the rules alone, without a promise. */
export const TIERS = { machine: (plan) => runSeed(plan) } as const satisfies Record<string, Tier>;

export type TierName = keyof typeof TIERS;

export function isTier(name: string): name is TierName {
  return Object.hasOwn(TIERS, name);
}
