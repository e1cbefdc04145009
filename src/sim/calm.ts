import { CALM } from "./generate.ts";
import type { Plan } from "./plan.ts";

/** Whether nothing in the plan parts nodes, stops them or loses what they say: then names never clash. */
export function isCalm(plan: Plan): boolean {
  const hasNewcomers = plan.faults.some(({ kind }) => kind === "restart");
  return plan.faults.every((fault) => {
    // No copy passes the gate.
    if (fault.kind === "repeat") return true;
    if (!CALM.includes(fault.kind)) return false;
    // A newcomer that hears nobody for `discoveryMs` begins alone, as one on the other side of a cut does.
    if (fault.kind === "clog") return fault.byMs <= (hasNewcomers ? 90 : 500);
    // A newcomer is calm; one that takes the place of a node that may still run is not.
    if (fault.kind === "restart")
      return (
        fault.node >= plan.nodes ||
        plan.faults.some(
          (other) => other.kind === "depart" && other.node === fault.node && other.atMs + 1_100 <= fault.atMs,
        )
      );
    return true;
  });
}
