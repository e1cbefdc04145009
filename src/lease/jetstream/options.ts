import { z } from "zod";
import { checkNatsOptions, type NatsBusOptions, type NatsSettings } from "../../bus/nats/options.ts";
import { checkBusOptions } from "../../bus/options.ts";
import { DEFAULT_LEASE_SETTINGS, type LeaseSettings, leaseTimes } from "../settings.ts";

/** How to reach NATS, as for `natsBus`; and what all nodes that share a bucket must give alike: whoever differs is refused. */
export interface JetstreamLeasesOptions
  extends Pick<
    NatsBusOptions,
    | "servers"
    | "credentials"
    | "credentialsFile"
    | "nkeySeed"
    | "token"
    | "user"
    | "pass"
    | "authenticator"
    | "tls"
    | "inboxPrefix"
    | "dialTimeoutMs"
  > {
  /** On how many NATS servers the log of leases is kept: 1, 3 or 5. Default 3, which survives the loss of one. */
  readonly replicas?: 1 | 3 | 5 | undefined;
  /**
   * How long a session that is not renewed is kept: a whole number of milliseconds, 50 to 600,000. Default 30,000, because a
   * cluster of NATS servers may take 10 s to elect the next leader of a stream, and nothing is renewed meanwhile.
   */
  readonly ttlMs?: number | undefined;
  /** By how much the rates of two machines' clocks may differ: 0.01 is one percent. 0 to 0.2. Default 0.01. */
  readonly clockRateBound?: number | undefined;
  /**
   * The stream is `rollcall-lease-<bucket>`, and its subjects are `rollcall-lease.<bucket>.>`. Clusters that share NATS servers need
   * one each. 1 to 64 letters, digits, dashes and underscores. Default `default`.
   */
  readonly bucket?: string | undefined;
}

export interface JetstreamLeasesSettings {
  readonly nats: NatsSettings;
  readonly lease: LeaseSettings;
  readonly replicas: number;
  readonly bucket: string;
}

const OWNER = "jetstreamLeases";
const DEFAULT_BUCKET = "default";
const DEFAULT_REPLICAS = 3;
const DEFAULT_TTL_MS = 30_000;

const TAKES = {
  servers: 'a server such as "nats://127.0.0.1:4222", or a non-empty array of them',
  credentials: "the content of a .creds file, as a string or bytes",
  credentialsFile: "the path of a readable .creds file",
  nkeySeed: 'an NKey seed: a string that starts with "SU"',
  token: "a non-empty string",
  user: "a non-empty string",
  pass: "a string, with `user`",
  authenticator: "an authenticator of package `nats`",
  tls: "the TLS options of package `nats`: an object",
  inboxPrefix: "a subject of tokens joined by dots, without wildcards or spaces",
  dialTimeoutMs: "a whole number from 50 to 60000",
  replicas: "1, 3 or 5",
  ttlMs: "a whole number of milliseconds from 50 to 600000",
  clockRateBound: "a number from 0 to 0.2",
  bucket: "1 to 64 letters, digits, dashes and underscores",
};
const SECRET = new Set(["credentials", "nkeySeed", "token", "pass"]);

/** Those of the connection are looked at as the bus does it. */
const own = z.looseObject({
  replicas: z.union([z.literal(1), z.literal(3), z.literal(5)]).optional(),
  ttlMs: z.int().optional(),
  clockRateBound: z.number().optional(),
  bucket: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .optional(),
});
/** What the bus takes too, and makes no sense here. */
const FOREIGN: ReadonlySet<string> = new Set(["connection", "advisories"]);

/** @throws InvalidArgumentError for the first option that is wrong */
export function checkJetstreamLeases(input: unknown): JetstreamLeasesSettings {
  const { bucket, clockRateBound, replicas, ttlMs, ...rest } = checkBusOptions(
    OWNER,
    own,
    input,
    TAKES,
    SECRET,
  );
  const foreign = Object.keys(rest).find((name) => FOREIGN.has(name) || !(name in TAKES));
  if (foreign !== undefined) checkBusOptions(OWNER, z.strictObject({}), { [foreign]: rest[foreign] }, TAKES);
  const lease = {
    ttlMs: ttlMs ?? DEFAULT_TTL_MS,
    clockRateBound: clockRateBound ?? DEFAULT_LEASE_SETTINGS.clockRateBound,
    // No server's calendar counts.
    serverStepMs: 0,
  };
  leaseTimes(lease);
  return {
    nats: checkNatsOptions(rest, OWNER),
    lease,
    replicas: replicas ?? DEFAULT_REPLICAS,
    bucket: bucket ?? DEFAULT_BUCKET,
  };
}
