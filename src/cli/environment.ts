import { z } from "zod";
import { parseAddress } from "../bus/nats/address.ts";
import { checkNodeName } from "../kernel/ids.ts";
import { quote } from "../kernel/quote.ts";
import { isText, NAME_BYTES } from "../kernel/text.ts";
import { MAX_SERVERS } from "../lease/limits.ts";
import { parseRedisAddress } from "../lease/redis/address.ts";
import { CommandError, EXIT } from "./exit-codes.ts";

/** What the command line and the service are told by environment variables, once it was found to be right. */
export interface Environment {
  readonly cluster: string;
  readonly node: string | undefined;
  /** The present secret, then earlier ones that are still accepted. Empty: frames are not signed. */
  readonly secrets: readonly string[];
  /** As it stands there: it is for the service to say what it takes. */
  readonly token: string | undefined;
  /** Undefined: the embedded bus. */
  readonly nats: readonly string[] | undefined;
  readonly natsCredentials: string | undefined;
  /** Of the embedded bus; undefined: its default. */
  readonly busPort: number | undefined;
  readonly redis: readonly string[] | undefined;
  /** Where leases are kept, if somebody said so. */
  readonly leases: LeaseKind | undefined;
  readonly leaseTtlMs: number | undefined;
  readonly leaseNamespace: string | undefined;
  readonly leaseReplicas: 1 | 3 | 5 | undefined;
  readonly logLevel: LogLevel | undefined;
}

export type LeaseKind = "redis" | "jetstream";
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Flags that say something else than the environment. */
export interface EnvironmentFlags {
  readonly cluster?: string | undefined;
  readonly node?: string | undefined;
  readonly nats?: string | undefined;
}

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
/** As `startNode` has it. */
const LEAST_SECRET_CHARS = 8;
const LONGEST_TTL_MS = 600_000;

/** What each variable takes, as the message about a wrong one says it. */
const TAKES = {
  ROLLCALL_CLUSTER: `a text of at most ${NAME_BYTES} bytes of well-formed Unicode`,
  ROLLCALL_NODE: "1 to 128 letters, digits, dots, dashes and underscores",
  ROLLCALL_SECRET: `secrets of at least ${LEAST_SECRET_CHARS} characters, separated by commas: the present one, then earlier ones`,
  ROLLCALL_TOKEN: "any text",
  ROLLCALL_BUS_PORT: "a TCP port from 1 to 65535",
  NATS_URL: "servers such as nats://127.0.0.1:4222, separated by commas",
  NATS_CREDS: "the path of a .creds file",
  REDIS_URLS: `an odd number of servers, 1 to ${MAX_SERVERS}, such as redis://:password@host:6379, separated by commas, each of them once`,
  ROLLCALL_LEASES: "redis (with REDIS_URLS) or jetstream (with NATS_URL)",
  ROLLCALL_LEASE_TTL_MS: `a whole number of milliseconds from 50 to ${LONGEST_TTL_MS}`,
  ROLLCALL_LEASE_NAMESPACE: "1 to 64 letters, digits, dashes and underscores (with redis also dots)",
  ROLLCALL_LEASE_REPLICAS: "1, 3 or 5",
  LOG_LEVEL: LOG_LEVELS.join(", "),
} as const;

export type Variable = keyof typeof TAKES;
/** Never shown, whatever is wrong with them. */
const SECRETS: ReadonlySet<string> = new Set<Variable>(["ROLLCALL_SECRET", "ROLLCALL_TOKEN"]);
/** May hold passwords. */
const ADDRESSES: ReadonlySet<string> = new Set<Variable>(["NATS_URL", "REDIS_URLS"]);

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/)
    .transform(Number)
    .refine((value) => value >= least && value <= most);
const list = (isRight: (text: string) => boolean) =>
  z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .refine((parts) => parts.every(isRight));

const schema = z.object({
  ROLLCALL_CLUSTER: z
    .string()
    .refine((text) => isText(text))
    .default("default"),
  ROLLCALL_NODE: z.string().refine(isNodeName).optional(),
  ROLLCALL_SECRET: list((text) => text.length >= LEAST_SECRET_CHARS && text.isWellFormed()).optional(),
  ROLLCALL_TOKEN: z.string().optional(),
  ROLLCALL_BUS_PORT: whole(1, 65_535).optional(),
  NATS_URL: list((text) => parseAddress(text) !== undefined).optional(),
  NATS_CREDS: z.string().optional(),
  REDIS_URLS: list((text) => parseRedisAddress(text) !== undefined)
    .refine(areRedisServers)
    .optional(),
  ROLLCALL_LEASES: z.enum(["redis", "jetstream"]).optional(),
  ROLLCALL_LEASE_TTL_MS: whole(50, LONGEST_TTL_MS).optional(),
  ROLLCALL_LEASE_NAMESPACE: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .optional(),
  ROLLCALL_LEASE_REPLICAS: z
    .enum(["1", "3", "5"])
    .transform((text) => Number(text) as 1 | 3 | 5)
    .optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS).optional(),
} satisfies Record<Variable, z.ZodType>);

/**
 * An empty variable is one that is not set: that is how compose files and unit files leave one out.
 *
 * @throws CommandError naming the variable, or the flag, that is wrong, with the value unless it may be a secret, and what it takes
 */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  flags: EnvironmentFlags = {},
): Environment {
  const flagged: Partial<Record<Variable, string | undefined>> = {
    ROLLCALL_CLUSTER: flags.cluster,
    ROLLCALL_NODE: flags.node,
    NATS_URL: flags.nats,
  };
  const given = Object.fromEntries(
    Object.keys(TAKES).map((name) => {
      const variable = variables[name] === "" ? undefined : variables[name];
      return [name, flagged[name as Variable] ?? variable];
    }),
  );
  const result = schema.safeParse(given);
  if (!result.success) {
    const name = String(result.error.issues[0]?.path[0]) as Variable;
    throw wrong(name, given[name], flagged[name] !== undefined);
  }
  const parsed = result.data;
  if (
    (parsed.ROLLCALL_LEASES === "redis" && parsed.REDIS_URLS === undefined) ||
    (parsed.ROLLCALL_LEASES === "jetstream" && parsed.NATS_URL === undefined)
  )
    throw wrong("ROLLCALL_LEASES", parsed.ROLLCALL_LEASES, false);
  return {
    cluster: parsed.ROLLCALL_CLUSTER,
    node: parsed.ROLLCALL_NODE,
    secrets: parsed.ROLLCALL_SECRET ?? [],
    token: parsed.ROLLCALL_TOKEN,
    nats: parsed.NATS_URL,
    natsCredentials: parsed.NATS_CREDS,
    busPort: parsed.ROLLCALL_BUS_PORT,
    redis: parsed.REDIS_URLS,
    leases: parsed.ROLLCALL_LEASES,
    leaseTtlMs: parsed.ROLLCALL_LEASE_TTL_MS,
    leaseNamespace: parsed.ROLLCALL_LEASE_NAMESPACE,
    leaseReplicas: parsed.ROLLCALL_LEASE_REPLICAS,
    logLevel: parsed.LOG_LEVEL,
  };
}

const FLAGS: Readonly<Partial<Record<Variable, string>>> = {
  ROLLCALL_CLUSTER: "--cluster",
  ROLLCALL_NODE: "--node",
  NATS_URL: "--nats",
};

/** What is wrong with a variable, found here or by whoever uses its value. */
export function wrong(
  name: Variable,
  value: unknown,
  isFlag = false,
  takes: string = TAKES[name],
): CommandError {
  const isHidden = SECRETS.has(name) || (ADDRESSES.has(name) && String(value).includes("@"));
  const shown = isHidden ? "(hidden)" : quote(value);
  return new CommandError(
    EXIT.misused,
    `${(isFlag ? FLAGS[name] : name) ?? name} is ${shown}; it takes ${takes}`,
  );
}

function isNodeName(text: string): boolean {
  try {
    return checkNodeName(text) === text;
  } catch {
    return false;
  }
}

function areRedisServers(urls: readonly string[]): boolean {
  const places = new Set(urls.map((url) => parseRedisAddress(url)?.text));
  return urls.length % 2 === 1 && urls.length <= MAX_SERVERS && places.size === urls.length;
}
