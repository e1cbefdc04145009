import { InvalidArgumentError, type LeaseStore } from "../index.ts";
import { type Environment, type LeaseKind, wrong } from "./environment.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { replicasOf } from "./nats-servers.ts";

/** Where leases are kept, for somebody who needs strict names; undefined: nowhere. */
export function leaseKindOf(environment: Environment): LeaseKind | undefined {
  const { leases, nats, redis } = environment;
  if (leases !== undefined) return leases;
  if (redis !== undefined) return "redis";
  return nats === undefined ? undefined : "jetstream";
}

/**
 * The store of leases that the environment names.
 *
 * @param need `true`: without one the command makes no sense. `undefined`: if one was set up. Then NATS alone is not enough, for
 *   nobody has said that JetStream is to be used
 */
export async function openLeases(
  environment: Environment,
  need: boolean | undefined,
): Promise<LeaseStore | undefined> {
  const isSetUp = environment.leases !== undefined || environment.redis !== undefined;
  if (need === false || (need === undefined && !isSetUp)) return undefined;
  const kind = leaseKindOf(environment);
  if (kind === undefined) {
    throw new CommandError(
      EXIT.misused,
      "strict names need lease servers: set REDIS_URLS, or NATS_URL to servers that have JetStream enabled",
    );
  }
  try {
    return kind === "redis" ? await onRedis(environment) : await onJetstream(environment);
  } catch (error) {
    throw explain(error, environment, kind);
  }
}

async function onRedis({ leaseNamespace, leaseTtlMs, redis }: Environment): Promise<LeaseStore> {
  // Only here and only now: its package is installed by those who use it, and by nobody else.
  const { redisLeases } = await import("../redis.ts");
  return redisLeases(redis ?? [], { ttlMs: leaseTtlMs, namespace: leaseNamespace });
}

async function onJetstream(environment: Environment): Promise<LeaseStore> {
  const { jetstreamLeases } = await import("../jetstream.ts");
  return jetstreamLeases({
    servers: environment.nats,
    credentialsFile: environment.natsCredentials,
    ttlMs: environment.leaseTtlMs,
    bucket: environment.leaseNamespace,
    replicas: await replicasOf(environment),
  });
}

const OPTIONS = [
  [/\.namespace$|\.bucket$/, "ROLLCALL_LEASE_NAMESPACE"],
  [/^redisLeases\.servers/, "REDIS_URLS"],
  [/\.credentialsFile$/, "NATS_CREDS"],
  [/ttlMs$|serverStepMs$/, "ROLLCALL_LEASE_TTL_MS"],
] as const;

/** What the library says of its options, in the words of whoever set variables. */
function explain(error: unknown, environment: Environment, kind: LeaseKind): unknown {
  if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND" && kind === "redis") {
    return new CommandError(EXIT.misused, "leases on Redis need package ioredis: npm install ioredis", {
      cause: error,
    });
  }
  if (!(error instanceof InvalidArgumentError)) return error;
  const variable = OPTIONS.find(([path]) => path.test(error.path))?.[1];
  if (variable === undefined) return error;
  const value = variable === "ROLLCALL_LEASE_TTL_MS" ? environment.leaseTtlMs : error.value;
  return wrong(variable, value, false, error.expected);
}

/** As the stores have them, where the environment says nothing else. */
const DEFAULT_TTL_MS: Readonly<Record<LeaseKind, number>> = { redis: 10_000, jetstream: 30_000 };

/** For how long a strict name is held if its holder is not heard of any more. */
export function leaseTtlOf(environment: Environment): number {
  return environment.leaseTtlMs ?? DEFAULT_TTL_MS[leaseKindOf(environment) ?? "redis"];
}
