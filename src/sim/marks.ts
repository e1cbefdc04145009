/*
 * What runs together have to come by. A mark that none reaches says that the plans have become too tame for some rule, or that
 * the core has lost a way that it had: either way somebody must look.
 */

/** In one run of ten, or more. */
const OFTEN = [
  "a claim waits for another",
  "a clash of 2",
  "a dead node is given up: disconnected",
  "a dead node is given up: left",
  "a dead node is given up: replaced",
  "a living node is given up",
  "a loser is ended",
  "a monitor fires for a node out of reach",
  "a monitor fires: nodeDown",
  "a monitor fires: normal",
  "a name ends: nameClash",
  "a name ends: nodeDown, disconnected",
  "a name ends: nodeDown, left",
  "a name ends: normal",
  "a name ends: released",
  "a name ends: takenOver",
  "a node comes while names are asked for",
  "a node without a bus decides alone",
  "a process is told: nameTakenOver",
  "a process joined a group more than once",
  "a promise is asked for: promised",
  "a registration",
  "a snapshot was taken",
  "a suspected holder is asked",
  "a takeover",
  "a verdict is told: keep one, exit",
  "an arbiter refuses",
  "both sides of a cut register one name",
  "mended: tables.gaps",
  "mended: tables.repairs",
  "no responders, and it lives",
  "register fails: NAME_TAKEN",
  "register fails: NODE_DOWN",
  "register for a process of another node",
  "transfer fails: NODE_DOWN",
  "transfer fails: NO_SUCH_NAME",
  "transfer for a process of another node",
  "updateName for a process of another node",
] as const;

/** In one run of a hundred, or more. */
const SOMETIMES = [
  "a caller gives up",
  "a clash of 3",
  "a dead node is given up: silent",
  "a large group",
  "a monitor fires: nameClash",
  "a name ends: nodeDown, replaced",
  "a name ends: nodeDown, silent",
  "a node leaves while names are asked for",
  "a process is told: nameClash",
  "a promise is asked for: busy",
  "a promise is given back",
  "a request to another node is withdrawn",
  "a verdict is told: keep none",
  "a verdict is told: keep one, notify",
  "a winner is pinned",
  "an arbiter that stands still is passed over",
  "an update meets another",
  "clash shown to a resolver that is junk",
  "clash shown to a resolver that is moody",
  "clash shown to a resolver that is never",
  "clash shown to a resolver that is newest",
  "clash shown to a resolver that is none",
  "clash shown to a resolver that is notify",
  "clash shown to a resolver that is oldest",
  "clash shown to a resolver that is throws",
  "mended: monitors.repairs",
  "register fails: NO_SUCH_PROCESS",
  "the bus goes while an answer is awaited",
  "transfer fails: NAME_TAKEN",
  "updateName fails: NODE_DOWN",
  "updateName fails: NO_SUCH_NAME",
] as const;

/** Once in some hundreds of runs: the rarest in one of 750. */
const RARELY = [
  "a clash judged again, with cause",
  "a promise is asked for: gone",
  "a snapshot in several parts",
  "a winner cannot be pinned",
  "transfer fails: NO_SUCH_PROCESS",
] as const;

export const EXPECTED_MARKS: readonly string[] = [...OFTEN, ...SOMETIMES, ...RARELY];
