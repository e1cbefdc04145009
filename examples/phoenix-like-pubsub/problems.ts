import {
  BusClosedError,
  DuplicateNodeError,
  InvalidArgumentError,
  type NodeClosed,
  RollcallError,
} from "rollcall";

/** What a node was to start with. */
export interface Plan {
  readonly name: string;
  readonly cluster: string;
  readonly host: string;
  readonly port: number;
  readonly busPort: number;
  /** NATS, from the environment. Undefined: the embedded bus. */
  readonly natsUrl: string | undefined;
}

/** One line for what a user can mend, with the remedy. Undefined: it is none of that, and somebody has to look into it. */
export function problemOf(error: unknown, plan: Plan): string | undefined {
  if (error instanceof RollcallError) return problemOfCluster(error, plan);
  const { host, port } = plan;
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return `port ${port} is taken: give others with --port`;
    case "EACCES":
      return `port ${port} is not for everybody: give others with --port, above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${host} is not this machine: --host takes an address or a name that it has`;
    default:
      return undefined;
  }
}

/** One line for a node that was closed while it ran. */
export function lossOf({ error }: NodeClosed, { cluster, name }: Plan): string {
  if (error instanceof DuplicateNodeError)
    return `${name} ends: another ${name} is in the cluster ${cluster}`;
  return `${name} ends: ${error?.message ?? "it was stopped"}`;
}

function problemOfCluster(error: RollcallError, { busPort, cluster, name, natsUrl }: Plan): string {
  if (error instanceof DuplicateNodeError)
    return `${name} is in the cluster ${cluster} already: end it, or take a cluster of your own with --cluster`;
  if (natsUrl !== undefined && error instanceof InvalidArgumentError) return `NATS_URL: ${error.message}`;
  if (!(error instanceof BusClosedError)) return `${name} could not start: ${error.message}`;
  if (natsUrl !== undefined) return `${error.message}. NATS_URL says where; without it no server is needed`;
  // It advises those who write programs, behind the last semicolon.
  const [what] = error.message.split("; embeddedBus(", 1);
  return `${what ?? `the bus's port ${busPort} is taken`}: give another with --bus-port`;
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
