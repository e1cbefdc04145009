import { type DestinationStream, destination, pino, stdSerializers } from "pino";
import {
  type Bus,
  type ClusterNode,
  embeddedBus,
  InvalidArgumentError,
  type Logger,
  natsBus,
  startNode,
} from "../index.ts";
import { type Environment, type LogLevel, wrong } from "./environment.ts";
import { openLeases } from "./leases.ts";

export interface OpenNodeOptions {
  /** In place of the environment's. */
  readonly name?: string | undefined;
  /** `true`: strict names will be used. `false`: they will not. Left out: if lease servers are set up. */
  readonly needsLeases?: boolean | undefined;
  /** If the environment names none. Default: `warn`. */
  readonly logLevel?: LogLevel | undefined;
  /** Aborting it gives up the start, or stops the node. */
  readonly signal?: AbortSignal | undefined;
}

/** Joins the cluster that the environment names. */
export async function openNode(
  environment: Environment,
  options: OpenNodeOptions = {},
): Promise<ClusterNode> {
  const { secrets } = environment;
  return startNode({
    cluster: environment.cluster,
    name: options.name ?? environment.node,
    bus: busOf(environment),
    leases: await openLeases(environment, options.needsLeases),
    secret: secrets.length === 0 ? undefined : secrets,
    logger: loggerOf(environment, options.logLevel),
    signal: options.signal,
  });
}

/**
 * One line of JSON for each thing told, on standard error: standard output belongs to what a command is asked for. Written at
 * once, so that the last words of a program that ends are not lost.
 */
export function loggerOf(
  environment: Environment,
  level: LogLevel = "warn",
  stream: DestinationStream = destination({ fd: 2, sync: true }),
): Logger {
  // The library says `error`, and pino knows `err`: of an error that it does not know JSON has nothing.
  const serializers = { error: stdSerializers.err };
  return pino({ level: environment.logLevel ?? level, serializers }, stream);
}

export function busOf({ busPort, nats, natsCredentials }: Environment): Bus {
  if (nats === undefined) return embeddedBus({ port: busPort });
  try {
    return natsBus({ servers: nats, credentialsFile: natsCredentials });
  } catch (error) {
    if (!(error instanceof InvalidArgumentError) || !error.path.endsWith("credentialsFile")) throw error;
    throw wrong("NATS_CREDS", natsCredentials, false, error.expected);
  }
}
