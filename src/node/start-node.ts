import { hostname } from "node:os";
import { embeddedBus } from "../bus/embedded/bus.ts";
import { launch } from "./launch.ts";
import { type NodeOptions, parseOptions } from "./options.ts";
import { realClock } from "./real-clock.ts";
import { SystemRandom } from "./system-random.ts";
import type { ClusterNode } from "./types.ts";

/**
 * Starts a node, and joins it to its cluster: when it resolves, the node knows everyone's names and groups, and everyone knows
 * it. A node that hears nobody waits `failureDetection.discoveryMs` first.
 *
 * @throws InvalidArgumentError naming the option that is wrong
 * @throws DuplicateNodeError when a live node of this name is in the cluster
 * @throws IncompatibleVersionError when the others speak no protocol version that this one speaks
 * @throws UnauthorizedError when the bus refuses the credentials, BusClosedError when it cannot be reached
 * @throws TimeoutError after `limits.startMs`, and the signal's reason when it aborts first. Nothing is left open then.
 */
export async function startNode(options: NodeOptions): Promise<ClusterNode> {
  const settings = parseOptions(options);
  return launch(settings, {
    clock: realClock,
    random: new SystemRandom(),
    host: hostname(),
    bus: settings.bus ?? embeddedBus(),
  });
}
