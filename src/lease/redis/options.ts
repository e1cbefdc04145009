import type { ConnectionOptions } from "node:tls";
import { z } from "zod";
import { isRecord } from "../../bus/loose.ts";
import { checkBusOptions } from "../../bus/options.ts";
import { InvalidArgumentError } from "../../kernel/errors.ts";
import { MAX_SERVERS } from "../limits.ts";
import { DEFAULT_LEASE_SETTINGS, type LeaseSettings, leaseTimes } from "../settings.ts";
import { parseRedisAddress, type RedisAddress } from "./address.ts";

/** All nodes that share the servers must give the same, but for `tls`: whoever differs is refused. */
export interface RedisLeasesOptions {
  /** How long a server keeps a session that is not renewed: a whole number of milliseconds, 50 to 600,000. Default 10,000. */
  readonly ttlMs?: number | undefined;
  /** By how much the rates of two machines' clocks may differ: 0.01 is one percent. 0 to 0.2. Default 0.01. */
  readonly clockRateBound?: number | undefined;
  /**
   * How far the calendar of a server may step ahead unnoticed during a `ttlMs`: a whole number of milliseconds, less than about
   * half of it. Redis ends sessions by its calendar. Default 250.
   */
  readonly serverStepMs?: number | undefined;
  /**
   * The keys are `rollcall:{<namespace>}:…`. Clusters that share servers need one each. 1 to 64 letters, digits, dots, dashes
   * and underscores. Default `default`.
   */
  readonly namespace?: string | undefined;
  /** Passed to `tls.connect`, for servers given as `rediss://`: a certificate authority of your own, a client certificate. */
  readonly tls?: ConnectionOptions | undefined;
}

export interface RedisLeasesSettings {
  readonly addresses: readonly RedisAddress[];
  readonly lease: LeaseSettings;
  readonly namespace: string;
  readonly tls: ConnectionOptions | undefined;
}

const OWNER = "redisLeases";
const DEFAULT_NAMESPACE = "default";
const NAMESPACE = /^[A-Za-z0-9._-]{1,64}$/;
const TAKES_SERVERS = `an odd number of servers, 1 to ${MAX_SERVERS}, such as "redis://127.0.0.1:6379"`;

const TAKES = {
  ttlMs: "a whole number of milliseconds from 50 to 600000",
  clockRateBound: "a number from 0 to 0.2",
  serverStepMs: "a whole number of milliseconds from 0",
  namespace: "1 to 64 letters, digits, dots, dashes and underscores",
  tls: "the options of node:tls: an object",
};

const schema: z.ZodType<RedisLeasesOptions> = z.strictObject({
  ttlMs: z.int().optional(),
  clockRateBound: z.number().optional(),
  serverStepMs: z.int().optional(),
  namespace: z.string().regex(NAMESPACE).optional(),
  tls: z.custom<ConnectionOptions>(isRecord).optional(),
});

/** @throws InvalidArgumentError for the first server or option that is wrong */
export function checkRedisLeases(servers: unknown, input: unknown): RedisLeasesSettings {
  const addresses = checkServers(servers);
  const { tls, namespace = DEFAULT_NAMESPACE, ...given } = checkBusOptions(OWNER, schema, input, TAKES);
  const lease = {
    ttlMs: given.ttlMs ?? DEFAULT_LEASE_SETTINGS.ttlMs,
    clockRateBound: given.clockRateBound ?? DEFAULT_LEASE_SETTINGS.clockRateBound,
    serverStepMs: given.serverStepMs ?? DEFAULT_LEASE_SETTINGS.serverStepMs,
  };
  leaseTimes(lease);
  if (tls !== undefined && !addresses.some((address) => address.tls)) {
    throw new InvalidArgumentError(`${OWNER}.tls`, "(given)", "nothing: no server is given as rediss://");
  }
  return { addresses, lease, namespace, tls };
}

function checkServers(input: unknown): readonly RedisAddress[] {
  const texts: unknown = typeof input === "string" ? [input] : input;
  const path = `${OWNER}.servers`;
  if (!Array.isArray(texts)) throw new InvalidArgumentError(path, `(a ${typeof input})`, TAKES_SERVERS);
  const addresses = texts.map((text: unknown, index) => {
    const address = typeof text === "string" ? parseRedisAddress(text) : undefined;
    if (address !== undefined) return address;
    // What is wrong with it may be a character in the password.
    const shown = typeof text === "string" && !text.includes("@") ? text : "(hidden)";
    const expected = 'a server such as "redis://:password@host:6379", with special characters %-encoded';
    throw new InvalidArgumentError(`${path}[${index}]`, shown, expected);
  });
  const shown = addresses.map(({ text }) => text);
  const twice = shown.find((text, index) => shown.indexOf(text) !== index);
  if (twice !== undefined)
    throw new InvalidArgumentError(path, shown, `each server once: ${twice} is there twice`);
  if (addresses.length % 2 === 0 || addresses.length > MAX_SERVERS)
    throw new InvalidArgumentError(path, shown, TAKES_SERVERS);
  return addresses;
}
