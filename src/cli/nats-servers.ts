import { parseAddress, type ServerAddress } from "../bus/nats/address.ts";
import { readGreeting } from "../bus/nats/greeting.ts";
import { realClock } from "../node/real-clock.ts";
import type { Environment } from "./environment.ts";

/** How long a server may take to answer. */
export const ANSWER_MS = 3_000;
/** As the library has it. */
const USUAL_REPLICAS = 3;

/** What a NATS server says of itself, or why it says nothing. */
export async function greet({
  host,
  port,
}: ServerAddress): Promise<Readonly<Record<string, unknown>> | string> {
  const { signal } = new AbortController();
  const greeting = await readGreeting({ host, port, timeoutMs: ANSWER_MS, clock: realClock, signal });
  return greeting.kind === "greeted" ? greeting.info : greeting.error.message;
}

export function natsAddresses({ nats = [] }: Environment): readonly ServerAddress[] {
  return nats.map(parseAddress).filter((address) => address !== undefined);
}

/**
 * How many servers are to keep the log of leases: as the environment says, else three, and one where there is no more than one. All
 * nodes ask the same servers, and come to the same.
 */
export async function replicasOf(environment: Environment): Promise<1 | 3 | 5> {
  if (environment.leaseReplicas !== undefined) return environment.leaseReplicas;
  for (const address of natsAddresses(environment)) {
    const info = await greet(address);
    // Only servers of a NATS cluster have its name in their greeting.
    if (typeof info !== "string") return info["cluster"] === undefined ? 1 : USUAL_REPLICAS;
  }
  return USUAL_REPLICAS;
}
