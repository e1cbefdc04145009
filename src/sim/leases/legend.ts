import type { Legend } from "../diagram.ts";
import type { LaneState, Lanes } from "../lanes.ts";
import type { TraceLine } from "../machine/telling.ts";
import type { LeasePlan } from "./plan.ts";
import { headOf } from "./telling.ts";

const LIFE = ["fault", "start", "standstill", "warning"];
/** Of the first use of the servers nobody wants to read. */
const LIFE_AFTER_FIRST_USE = ["connection", "server"];

/** Lanes as the lines tell of them. */
class ToldLanes implements Lanes {
  readonly #turns: readonly { readonly place: number; readonly atMs: number; readonly state: LaneState }[];

  constructor(lines: readonly TraceLine[]) {
    this.#turns = lines.flatMap(({ place, atMs, lane }) =>
      lane === undefined ? [] : [{ place, atMs, state: lane }],
    );
  }

  stateAt(place: number, atMs: number): LaneState {
    return this.#turns.findLast((turn) => turn.place === place && turn.atMs <= atMs)?.state ?? "absent";
  }
}

/** A lane for each node and for each lease server: of `┊` while a server keeps out. */
export const LEASE_LEGEND: Legend<LeasePlan> = {
  headOf,
  lanesOf: (lines) => new ToldLanes(lines),
  isLife: ({ kind, text, atMs }) =>
    LIFE.includes(kind) ||
    (atMs >= 0 && LIFE_AFTER_FIRST_USE.includes(kind)) ||
    (atMs >= 0 && text.startsWith("recover")) ||
    text === "stale" ||
    text.endsWith("of an earlier connection"),
  isNoise: ({ about }) => about.length === 0,
};
