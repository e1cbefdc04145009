/*
 * What runs together have to come by. A mark that none reaches says that the plans have become too tame for some rule, or that
 * the machine has lost a way that it had: either way somebody must look.
 */

/** In one run of ten, or more. */
const OFTEN = [
  "a floor is given",
  "answer: noSession",
  "ask",
  "attach",
  "first use",
  "found",
  "granted",
  "lost",
  "passOn",
  "refused: noQuorum",
  "refused: taken",
  "refused: timeout",
  "released",
  "servers forget: kept",
  "servers forget: lost",
  "servers forget: older",
  "servers forget: wiped",
  "warning",
] as const;

/** In one run of a hundred, or more. */
const SOMETIMES = ["answer: stale", "confirm", "refused: indeterminate", "two hold a name"] as const;

export const EXPECTED_LEASE_MARKS: readonly string[] = [...OFTEN, ...SOMETIMES];
