import { type Change, lastOf, restAt, type Simpler, shorter } from "../shrink.ts";
import type { LeaseFault, LeaseOperation, LeasePlan } from "./plan.ts";

/** Nodes and servers are taken from the end: the places of the others stay what they are. */
const CHANGES: readonly Change<LeasePlan>[] = [
  (plan) => (plan.nodes > 2 ? withNodes(plan, 2) : undefined),
  (plan) => (plan.nodes > 1 ? withNodes(plan, plan.nodes - 1) : undefined),
  (plan) => (plan.servers > 3 ? withServers(plan, 3) : undefined),
  (plan) => (plan.delayMs[0] < plan.delayMs[1] ? { ...plan, delayMs: [1, 1] } : undefined),
  (plan) => (plan.delayMs[1] > 10 ? { ...plan, delayMs: [plan.delayMs[0], 10] } : undefined),
  (plan) =>
    plan.areClocksSound || plan.faults.some(({ kind }) => kind === "drift")
      ? undefined
      : { ...plan, areClocksSound: true },
  (plan) => restAt(plan, lastOf(plan)),
  (plan) => restAt(plan, Math.ceil((lastOf(plan) + plan.restAtMs) / 2)),
];

function withNodes(plan: LeasePlan, nodes: number): LeasePlan {
  const isThere = (place: number): boolean => place < nodes;
  return {
    ...plan,
    nodes,
    operations: plan.operations.filter(({ node }) => isThere(node)),
    faults: plan.faults.filter((fault) => nodesOf(fault).every(isThere)),
  };
}

function withServers(plan: LeasePlan, servers: number): LeasePlan {
  const faults = plan.faults.filter((fault) => !("server" in fault) || fault.server < servers);
  return { ...plan, servers, faults };
}

function nodesOf(fault: LeaseFault): readonly number[] {
  return [...("node" in fault ? [fault.node] : []), ...("other" in fault ? [fault.other] : [])];
}

/** The last node that anything is done with changes places with one before it that is not needed. */
function movedDown(plan: LeasePlan): readonly LeasePlan[] {
  const named = new Set([...plan.operations.map(({ node }) => node), ...plan.faults.flatMap(nodesOf)]);
  const last = Math.max(0, ...named);
  const free = Array.from({ length: last }, (_, place) => place).filter((place) => !named.has(place));
  return free.map((place) => withPlaces(plan, (node) => (node === last ? place : node)));
}

function withPlaces(plan: LeasePlan, move: (place: number) => number): LeasePlan {
  return {
    ...plan,
    operations: plan.operations.map((each) => ({ ...each, node: move(each.node) })),
    faults: plan.faults.map((each) => ({
      ...each,
      ...("node" in each ? { node: move(each.node) } : {}),
      ...("other" in each ? { other: move(each.other) } : {}),
    })),
  };
}

function simplerFault(fault: LeaseFault): LeaseFault[] {
  const simpler = [...shorter(fault)];
  if (fault.kind === "restart" && fault.data !== "lost") simpler.push({ ...fault, data: "lost" });
  if (fault.kind === "crash" && fault.forMs > 0) simpler.push({ ...fault, forMs: 0 });
  return simpler;
}

function simplerOperation(operation: LeaseOperation): LeaseOperation[] {
  const simpler: LeaseOperation[] = [];
  if (operation.name !== "x") simpler.push({ ...operation, name: "x" });
  if (operation.kind === "lookup") return simpler;
  if (operation.wait) simpler.push({ ...operation, wait: false });
  if (operation.holdMs > 1) simpler.push({ ...operation, holdMs: Math.floor(operation.holdMs / 4) });
  return simpler;
}

/** What may be tried on a plan of leases. */
export const SIMPLER_LEASES: Simpler<LeasePlan> = {
  changes: CHANGES,
  movedDown,
  faults: simplerFault,
  operations: simplerOperation,
};
