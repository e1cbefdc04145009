import type { Claim, ModelRun } from "./spin.ts";

function holds(name: string, ...define: readonly string[]): ModelRun {
  return { name, define, expected: "holds" };
}

function breaks(expected: Claim, name: string, ...define: readonly string[]): ModelRun {
  return { name, define, expected };
}

/** Both ways to come to hold a name: see the page on the model. */
const ROUNDS: readonly { readonly name: string; readonly define: readonly string[] }[] = [
  { name: "one round", define: [] },
  { name: "always confirmed", define: ["ALWAYS_CONFIRM"] },
];

/** As long as clocks keep their bound: one holder at most, and each has a higher token than all before it. */
const SOUND = ROUNDS.flatMap(({ name, define }) => [
  holds(`${name}, two nodes`, ...define, "ACQUISITIONS=2", "CRASHES=2"),
  holds(`${name}, two nodes, more attempts`, ...define, "ACQUISITIONS=3", "CRASHES=1"),
  holds(`${name}, one node`, ...define, "ACQUISITIONS=3", "CRASHES=2", "RIVALS=0"),
  // Not as it is, and close to what is broken below.
  holds(`${name}, late lower votes are confirmed`, ...define, "CONFIRM_LOWER", "ACQUISITIONS=2", "CRASHES=2"),
]);

/** A server may end a session at any time: there can be two holders. What of the order of tokens is left then? */
const EARLY = ["BROKEN_CLOCKS", "ACQUISITIONS=2"];
const BROKEN_CLOCKS = [
  ...ROUNDS.flatMap(({ name, define }) => [
    breaks("isOnlyHolder", `clocks, ${name}: one holder`, ...define, ...EARLY),
    breaks("tokensRise", `clocks, ${name}: order of holding`, ...define, ...EARLY, "MAY_OVERLAP"),
    holds(
      `clocks, ${name}: order of asking`,
      ...[...define, ...EARLY, "MAY_OVERLAP", "ORDER=BY_START", "CRASHES=2"],
    ),
    // A guard that ends too early is what a floor that is copied too early is.
    breaks(
      "tokensRise",
      `clocks and guards, ${name}: order of asking`,
      ...[...define, "BROKEN_CLOCKS", "BROKEN_GUARDS", "MAY_OVERLAP", "ORDER=BY_START"],
      ...["ACQUISITIONS=3", "CRASHES=1", "RIVALS=0"],
    ),
  ]),
  breaks("tokensRise", "clocks, one round: order of choosing", ...EARLY, "MAY_OVERLAP", "ORDER=BY_CHOICE"),
  holds(
    "clocks, always confirmed: order of choosing",
    ...[...EARLY, "ALWAYS_CONFIRM", "MAY_OVERLAP", "ORDER=BY_CHOICE", "CRASHES=2"],
  ),
];

/** Protocols that look sound. A model that does not see what is wrong with them would see nothing. */
const BROKEN = ROUNDS.flatMap(({ name, define }) => [
  breaks(
    "isOnlyHolder",
    `broken, ${name}: different majorities`,
    ...define,
    "NAIVE_SESSION",
    "ACQUISITIONS=2",
  ),
  breaks("isOnlyHolder", `broken, ${name}: no incarnation`, ...define, "NO_INCARNATION", "ACQUISITIONS=2"),
  breaks("isOnlyHolder", `broken, ${name}: no guard`, ...define, "NO_GUARD", "ACQUISITIONS=2", "CRASHES=1"),
  breaks(
    "tokensRise",
    `broken, ${name}: late votes are confirmed`,
    ...define,
    "CONFIRM_LATE",
    "ACQUISITIONS=2",
  ),
  breaks("tokensRise", `broken, ${name}: no floor`, ...define, "NO_FLOOR", "ACQUISITIONS=2", "CRASHES=1"),
  breaks(
    "tokensRise",
    `broken, ${name}: early floor`,
    ...[...define, "EARLY_FLOOR", "ACQUISITIONS=3", "CRASHES=1", "RIVALS=0"],
  ),
]);

export const MODEL_RUNS: readonly ModelRun[] = [
  ...SOUND,
  ...BROKEN_CLOCKS,
  ...BROKEN,
  breaks("tokensRise", "broken: no confirm", "NO_CONFIRM", "ACQUISITIONS=2"),
];
