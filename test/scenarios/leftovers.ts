import type { MachineNode } from "../support/machine-cluster.ts";

const SIZES_AT_REST = [
  "tables.claims",
  "tables.dockets",
  "tables.decisions",
  "tables.requests",
  "tables.endedAhead",
];

/** What a node at rest should not have open, and a repair that only a fault of ours makes necessary. */
export function leftovers(node: MachineNode): string[] {
  const counters = node.machine.counters();
  return [...SIZES_AT_REST, "tables.digestMismatches"]
    .filter((counter) => counters[counter] !== 0)
    .map((counter) => `${counter} is ${counters[counter]} on ${node.id}`);
}
