import { LINEARIZABLE, ONE_HOLDER, TOKENS_RISE } from "../../../src/sim/leases/invariants.ts";
import type { Mutant } from "./mutant.ts";

const QUORUM = "src/lease/quorum";

/** Votes that are missing on a server stay so. They are made up for so soon else that a server without one is rare. */
const NO_REPAIR = [
  {
    file: `${QUORUM}/held-names.ts`,
    find: "if (missing === undefined || missing.size === 0 || session === undefined) return;",
    replace: "if (missing === undefined || missing.size >= 0 || session === undefined) return;",
  },
];

/** No guess at a token that is high enough for all: each server gives its own next one, and they differ. */
const NO_PROPOSALS = [
  {
    file: `${QUORUM}/core.ts`,
    find: "return Math.min(MAX_TOKEN, Math.max(",
    replace: "return Math.min(1, Math.max(",
  },
];

const NEITHER = [...NO_REPAIR, ...NO_PROPOSALS];

/** Of the leases. The first six are protocols that look sound, and that a model checker has found broken. */
export const LEASES: readonly Mutant[] = [
  {
    name: "leases: votes and renewals may come from different majorities",
    workload: "leases",
    given: NO_REPAIR,
    edits: [
      {
        file: `${QUORUM}/held-names.ts`,
        find: "this.#links.filter(({ bit }) => (mask & bit) !== 0).map(",
        replace: "this.#links.map(",
      },
    ],
    by: [ONE_HOLDER],
    seeds: 1_000,
  },
  {
    name: "leases: a session that is opened again keeps its votes",
    workload: "leases",
    given: NO_REPAIR,
    edits: [
      { file: `${QUORUM}/held-names.ts`, find: "this.#setMask(entry, mask & ~link.bit);", replace: "" },
    ],
    by: [ONE_HOLDER],
    seeds: 1_000,
  },
  {
    name: "leases: a server that was restarted votes at once",
    workload: "leases",
    given: NO_REPAIR,
    edits: [
      {
        file: "src/lease/memory/server.ts",
        find: "data.guardUntilMs = nowMs + this.#times.guardMs;",
        replace: "data.guardUntilMs = nowMs;",
      },
    ],
    by: [ONE_HOLDER],
    seeds: 1_000,
  },
  {
    name: "leases: a token counts that a majority has not stored",
    workload: "leases",
    given: NO_PROPOSALS,
    edits: [
      {
        file: `${QUORUM}/ballot.ts`,
        find: "if (same.length >= core.needed) this.#win(same);",
        replace: "if (same.length >= 0) this.#win(granted);",
      },
    ],
    by: [TOKENS_RISE, LINEARIZABLE],
    seeds: 3_000,
  },
  {
    name: "leases: a server that has lost its data starts its tokens anew",
    workload: "leases",
    given: NEITHER,
    edits: [
      {
        file: `${QUORUM}/recovery.ts`,
        find: "this.#recover(link, guard, Math.max(...tokens), false);",
        replace: "this.#recover(link, guard, 1, false);",
      },
    ],
    by: [TOKENS_RISE],
    seeds: 3_000,
  },
  {
    name: "leases: a holder counts from the answer",
    workload: "leases",
    edits: [
      {
        file: `${QUORUM}/server-link.ts`,
        find: "sent.elapsedMs + lifeMs",
        replace: "this.#core.elapsedMs + lifeMs",
      },
    ],
    by: [ONE_HOLDER],
    seeds: 1_720,
  },
  {
    name: "leases: a holder does not count the time that its machine slept",
    workload: "leases",
    edits: [
      {
        file: `${QUORUM}/core.ts`,
        find: "this.#elapsedMs += Math.max(0, aheadMs - this.#wallAheadMs);",
        replace: "",
      },
    ],
    by: [ONE_HOLDER],
    seeds: 1_000,
  },
  {
    name: "leases: half of the servers are enough",
    workload: "leases",
    edits: [
      {
        file: "src/lease/settings.ts",
        find: "return Math.floor(servers / 2) + 1;",
        replace: "return Math.floor(servers / 2);",
      },
    ],
    by: [ONE_HOLDER, TOKENS_RISE],
    seeds: 100,
  },
  {
    name: "leases: a floor is copied when the server comes back, not after its wait",
    workload: "leases",
    edits: [
      {
        file: `${QUORUM}/recovery.ts`,
        find: "else if (isOver) this.#findFloor",
        replace: "else this.#findFloor",
      },
      {
        file: `${QUORUM}/recovery.ts`,
        find: "const tokens: number[] = [];",
        replace:
          "const tokens = this.#early.get(link.index + guard) ?? []; this.#early.set(link.index + guard, tokens);",
      },
      {
        file: `${QUORUM}/recovery.ts`,
        find: 'if (reply?.kind === "ready") tokens.push(reply.maxToken);',
        replace: 'if (reply?.kind === "ready" && tokens.length < enough) tokens.push(reply.maxToken);',
      },
      {
        file: `${QUORUM}/recovery.ts`,
        find: "#hasWarned = false;",
        replace: "#hasWarned = false;\n  readonly #early = new Map<string, number[]>();",
      },
    ],
    plan: "leases/a-token-under-way-while-a-floor-is-sought.json",
    by: [TOKENS_RISE],
    seeds: 1_000,
  },
  {
    name: "leases: what comes late on an earlier connection is carried out",
    workload: "leases",
    edits: [
      {
        file: "src/lease/memory/server.ts",
        find: 'if (connection < session.connection) return { kind: "stale" };',
        replace: "",
      },
    ],
    plan: "leases/a-release-of-an-earlier-connection.json",
    by: [ONE_HOLDER, TOKENS_RISE, LINEARIZABLE],
    seeds: 320,
  },
];
