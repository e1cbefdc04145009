import { RESOLVERS } from "../plan.ts";

/*
 * What runs on whole nodes have to come by, as far as programs can see it or nodes count it. As in `../marks.ts`, a mark that
 * none reaches says that the plans have become too tame for some rule.
 */

/** In one run of ten, or more. */
const OFTEN = [
  "a call is answered",
  "a clash of 2",
  "a copy of a frame was dropped",
  "a dead node is given up: disconnected",
  "a dead node is given up: left",
  "a dead node is given up: replaced",
  "a living node is given up",
  "a loser is ended",
  "a message was lost, with cause",
  "a monitor fires: nodeDown",
  "a monitor fires: normal",
  "a name ends: nameClash",
  "a name ends: nodeDown, disconnected",
  "a name ends: nodeDown, silent",
  "a name ends: normal",
  "a name ends: released",
  "a name ends: shutdown",
  "a name ends: takenOver",
  "a node comes while names are asked for",
  "a node leaves while names are asked for",
  "a node was met again",
  "a process is told: nameClash",
  "a process is told: nameTakenOver",
  "a process joined a group more than once",
  "a publish to several",
  "a snapshot was taken",
  "a suspicion was refuted",
  "a verdict is told: keep one, exit",
  "a winner is pinned",
  "an arbiter refuses",
  "call fails: CALL_FAILED",
  "call fails: NODE_DOWN",
  "call fails: TIMEOUT",
  "done: register",
  "done: takeover",
  "done: transfer",
  "mended: tables.gaps",
  "mended: tables.repairs",
  "register fails: NAME_TAKEN",
  "register fails: NODE_DOWN",
  "register fails: NO_SUCH_PROCESS",
  "register for a process of another node",
  "takeover fails: NODE_DOWN",
  "takeover for a process of another node",
  "the bus goes while an answer is awaited",
  "transfer fails: NODE_DOWN",
  "transfer fails: NO_SUCH_NAME",
  "transfer for a process of another node",
  "update fails: NO_SUCH_NAME",
] as const;

/** In one run of a hundred, or more: what is rarer is not asked of so few runs. */
const SOMETIMES = [
  "a clash of 3",
  "a dead node is given up: silent",
  "a monitor fires: nameClash",
  "a monitor fires: noSuchProcess",
  "a monitor fires: shutdown",
  "a name ends: nodeDown, replaced",
  "a resolver failed",
  "a verdict is told: keep none",
  "a verdict is told: keep one, notify",
  "call fails: NO_SUCH_PROCESS",
  "mended: monitors.repairs",
  "register fails: BUS_CLOSED",
  "register fails: TIMEOUT",
  "takeover fails: NO_SUCH_PROCESS",
  "transfer fails: NAME_TAKEN",
  "transfer fails: NO_SUCH_PROCESS",
  "update fails: NODE_DOWN",
] as const;

export const EXPECTED_SHELL_MARKS: readonly string[] = [
  ...OFTEN,
  ...SOMETIMES,
  ...RESOLVERS.map((mood) => `clash shown to a resolver that is ${mood}`),
];
