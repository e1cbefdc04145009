import { CALM } from "./generate.ts";
import type { Plan } from "./plan.ts";

/** Whether nothing in the plan parts nodes, stops them or loses what they say: then names never clash. */
export function isCalm(plan: Plan): boolean {
  const hasNewcomers = plan.faults.some(({ kind }) => kind === "restart");
  return plan.faults.every((fault, index) => {
    // No copy passes the gate.
    if (fault.kind === "repeat") return true;
    if (!CALM.includes(fault.kind)) return false;
    // A newcomer that hears nobody for `discoveryMs` begins alone, as one on the other side of a cut does.
    if (fault.kind === "clog") return fault.byMs <= (hasNewcomers ? 90 : 500);
    // A newcomer is calm; one that takes the place of a node that may still run is not.
    return fault.kind !== "restart" || isFree(fault.node, index, plan);
  });
}

/** As long as who leaves in good order may take, and a little. */
const LEAVING_MS = 1_100;

/** Whether nobody has the place any more when the fault of this index comes. */
function isFree(place: number, index: number, { faults, nodes }: Plan): boolean {
  for (let earlier = index - 1; earlier >= 0; earlier -= 1) {
    const fault = faults[earlier];
    if ((fault?.kind !== "restart" && fault?.kind !== "depart") || fault.node !== place) continue;
    return fault.kind === "depart" && fault.atMs + LEAVING_MS <= (faults[index]?.atMs ?? 0);
  }
  return place >= nodes;
}
