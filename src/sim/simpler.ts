import { movedDown, withoutAbsent } from "./places.ts";
import type { Fault, Operation, Plan } from "./plan.ts";
import { type Change, lastOf, restAt, type Simpler, shorter } from "./shrink.ts";

/** Nodes are taken from the end: the places of the others stay what they are. */
const CHANGES: readonly Change<Plan>[] = [
  (plan) => (plan.nodes > 1 ? withNodes(plan, Math.ceil(plan.nodes / 2)) : undefined),
  (plan) => (plan.nodes > 1 ? withNodes(plan, plan.nodes - 1) : undefined),
  withoutAbsent,
  (plan) => (plan.processes > 1 ? { ...plan, processes: 1 } : undefined),
  (plan) => (plan.processes > 1 ? { ...plan, processes: plan.processes - 1 } : undefined),
  (plan) => (plan.turnMs[1] > 0 ? { ...plan, turnMs: [0, 0] } : undefined),
  (plan) => (plan.resolverMs[1] > 0 ? { ...plan, resolverMs: [0, 0] } : undefined),
  (plan) => (plan.resolver === "oldest" ? undefined : { ...plan, resolver: "oldest" }),
  (plan) => (plan.delayMs[1] > 1 ? { ...plan, delayMs: [1, 1] } : undefined),
  (plan) => (plan.delayMs[1] > 10 ? { ...plan, delayMs: [plan.delayMs[0], 10] } : undefined),
  (plan) => restAt(plan, lastOf(plan)),
  (plan) => restAt(plan, Math.ceil((lastOf(plan) + plan.restAtMs) / 2)),
];

function withNodes(plan: Plan, nodes: number): Plan {
  const isThere = (each: object): boolean =>
    ["node", "owner", "watched", "from", "to"].every((role) => {
      const place: unknown = (each as Readonly<Record<string, unknown>>)[role];
      return typeof place !== "number" || place < nodes || place >= plan.nodes;
    });
  return {
    ...plan,
    nodes,
    operations: plan.operations.filter(isThere),
    faults: plan.faults.filter(isThere).map((fault) => {
      if (fault.kind !== "cut") return fault;
      const sides = fault.sides.map((side) => side.filter((place) => place < nodes || place >= plan.nodes));
      return { ...fault, sides: sides.filter((side) => side.length > 0) };
    }),
  };
}

function simplerFault(fault: Fault): Fault[] {
  const simpler = [...shorter(fault)];
  if (fault.kind === "disconnect" && fault.noticeMs > 0) simpler.push({ ...fault, noticeMs: 0 });
  if (fault.kind === "busRestart" && fault.spreadMs > 0) simpler.push({ ...fault, spreadMs: 0 });
  if (fault.kind === "cut" && fault.blackHole) simpler.push({ ...fault, blackHole: false });
  return simpler;
}

function simplerOperation(operation: Operation): Operation[] {
  const simpler: Operation[] = [];
  if ("process" in operation && operation.process > 0) simpler.push({ ...operation, process: 0 });
  if (operation.kind === "monitor" && operation.forMs > 0) simpler.push({ ...operation, forMs: 0 });
  if ("times" in operation && operation.times > 1) {
    simpler.push({ ...operation, times: 1 });
    simpler.push({ ...operation, times: Math.ceil(operation.times / 2) });
  }
  if (operation.kind === "crowd" && operation.groups > 1)
    simpler.push({ ...operation, groups: Math.floor(operation.groups / 2) });
  if (operation.kind === "register" && operation.owner !== operation.node)
    simpler.push({ ...operation, owner: operation.node });
  return simpler;
}

/** What may be tried on a plan for the cluster, on either tier. */
export const SIMPLER: Simpler<Plan> = {
  changes: CHANGES,
  movedDown,
  faults: simplerFault,
  operations: simplerOperation,
};
