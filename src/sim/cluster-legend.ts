import type { Legend } from "./diagram.ts";
import { ClusterLanes } from "./lanes.ts";
import type { Plan } from "./plan.ts";

const LIFE = ["fault", "ended", "nodeEvent"];
const LIFE_INPUTS = ["start", "busDisconnected", "busConnected"];
/** What is said and heard all the time while somebody is away. */
const PROBES = ["noResponders", "rumour"];

/** A lane for each node. */
export const CLUSTER_LEGEND: Legend<Plan> = {
  headOf: (place) => `n${place}`,
  lanesOf: (lines, plan) => new ClusterLanes(lines, plan),
  isLife: ({ kind, text }) =>
    LIFE.includes(kind) || (kind === "input" && LIFE_INPUTS.some((input) => text.startsWith(input))),
  isNoise: ({ text }) => PROBES.some((probe) => text.startsWith(probe)),
};
