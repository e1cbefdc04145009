import type { ClusterNode } from "../../node/types.ts";
import type { Member } from "../shell/world.ts";

/** What keeps a cluster from being at rest, in words. */
export function differences(present: readonly Member[]): string | undefined {
  const nodes: ClusterNode[] = [];
  for (const { name, node, state, clock } of present) {
    if (node === undefined || state !== "running" || clock.isPaused)
      return `${name} is ${clock.isPaused ? "paused" : state}`;
    nodes.push(node);
  }
  const ids = nodes.map(({ id }) => `${id} up`).sort();
  const [first] = nodes;
  if (first === undefined) return undefined;
  const [names, groups] = [namesOf(first), groupsOf(first)];
  for (const node of nodes) {
    const seen = node.nodes().map(({ id, state }) => `${id} ${state}`);
    if (seen.sort().join() !== ids.join())
      return `${node.name} sees ${seen.join(", ")}, of ${ids.join(", ")}`;
    const { pendingCalls, pendingRequests, mailboxes } = node.stats();
    if (pendingCalls + pendingRequests + mailboxes > 0)
      return `${node.name} has not done all it was asked for`;
    if (namesOf(node) !== names)
      return `${first.name} has the names ${names}; ${node.name} has ${namesOf(node)}`;
    if (groupsOf(node) !== groups)
      return `${first.name} has the groups ${groups}; ${node.name} has ${groupsOf(node)}`;
  }
  return undefined;
}

function namesOf(node: ClusterNode): string {
  const entries = [...node.names.list()].map(({ name, pid, revision }) => `${name}: ${pid} (${revision})`);
  return entries.sort().join(", ");
}

function groupsOf(node: ClusterNode): string {
  const entries = node.groups
    .list()
    .flatMap((group) => node.groups.members(group).map(({ pid, joins }) => `${group}: ${pid} × ${joins}`));
  return entries.sort().join(", ");
}
