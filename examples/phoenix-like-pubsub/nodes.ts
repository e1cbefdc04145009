import type { ClusterNode } from "rollcall";
import { type Channel, ok, type PhoenixSocket } from "./channels/index.ts";

/** The topic in which the nodes are present, and its channel, by which pages follow that. */
export const NODES = "nodes";

/** Which nodes there are is presence, too. Visitors only look on. */
export const nodesChannel: Channel<object> = {
  presence: true,
  join: () => ok(),
};

/** Makes the node present, until it stops or is lost. */
export function announce(node: ClusterNode, { presence }: PhoenixSocket): void {
  presence.track(node.spawn(), NODES, node.name);
}
