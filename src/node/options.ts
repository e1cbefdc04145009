import { z } from "zod";
import type { Bus } from "../bus/port.ts";
import { InvalidArgumentError } from "../kernel/errors.ts";
import { checkNodeName } from "../kernel/ids.ts";
import { isText, NAME_BYTES } from "../kernel/text.ts";
import { MAX_COMMANDS, MAX_SERVERS } from "../lease/limits.ts";
import type { LeaseStore } from "../lease/port.ts";
import { leaseTimes } from "../lease/settings.ts";
import { MAX_SCOPES } from "../monitor/limits.ts";
import { DEFAULT_TIMES } from "../monitor/settings.ts";
import { keepOldest } from "../resolve/resolvers.ts";
import type { Resolver } from "../resolve/types.ts";
import { type Logger, warningsToStderr } from "./logger.ts";
import type { FailureDetection, Limits, NodeSettings } from "./settings.ts";

/** What `startNode` takes. Everything but the cluster has a default. */
export interface NodeOptions {
  /** Nodes meet if, and only if, cluster and secret agree. Any text of at most 512 bytes. */
  readonly cluster: string;
  /** Unique in the cluster. It stands in NATS subjects, where permissions can bind it. Default: the host's name and a random suffix. */
  readonly name?: string | undefined;
  /** Default: the embedded bus, for nodes on one machine. */
  readonly bus?: Bus | undefined;
  /**
   * The servers that grant the leases of strict names, such as `redisLeases(…)`. `startNode` does not wait for them, and they can
   * come and go later. Default: none, and every use of `strictNames` is a `NoLeasesError`.
   */
  readonly leases?: LeaseStore | undefined;
  /**
   * Signs every frame. An array holds the present secret and earlier ones that are still accepted: to change it, first add the
   * new one behind the old on every node, then put it in front, then drop the old.
   */
  readonly secret?: string | readonly string[] | undefined;
  /** Decides name clashes, in scopes that have no resolver of their own. Default: `keepOldest`. */
  readonly resolve?: Resolver | undefined;
  readonly failureDetection?: { readonly [K in keyof FailureDetection]?: number | undefined } | undefined;
  readonly limits?: { readonly [K in keyof Limits]?: number | undefined } | undefined;
  /** Shaped like pino's. Default: warnings and errors, one line each, on standard error. */
  readonly logger?: Logger | undefined;
  /** Aborting it stops the node. */
  readonly signal?: AbortSignal | undefined;
}

/** Shorter ones are guessed from a captured frame within hours. */
const LEAST_SECRET_CHARS = 8;
const DEFAULT_ARBITER_TIMEOUT_MS = 3_000;
const DAY_MS = 86_400_000;
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const whole = (least: number, most: number, unit: string) => {
  const error = `a whole number of ${unit} from ${least} to ${most}`;
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error });
};
const ms = (least: number) => whole(least, DAY_MS, "milliseconds");
const like = <T>(holds: (value: unknown) => boolean, error: string) => z.custom<T>(holds, { error });
const SECRET = `a string of at least ${LEAST_SECRET_CHARS} characters, or an array of such: the present secret, then earlier ones`;
const secret = like<string>(
  (value) => typeof value === "string" && value.length >= LEAST_SECRET_CHARS && value.isWellFormed(),
  SECRET,
);

const failureDetection = z.strictObject({
  heartbeatMs: ms(10).default(DEFAULT_TIMES.heartbeatMs),
  suspectAfterMs: ms(20).optional(),
  deadAfterMs: ms(30).optional(),
  probeEveryMs: ms(10).default(DEFAULT_TIMES.probeEveryMs),
  disconnectGraceMs: ms(0).default(DEFAULT_TIMES.disconnectGraceMs),
  busGraceMs: ms(0).default(DEFAULT_TIMES.busGraceMs),
  arbiterTimeoutMs: ms(20).optional(),
  discoveryMs: ms(0).default(DEFAULT_TIMES.discoveryMs),
});

const limits = z.strictObject({
  metadataBytes: whole(1, MIB, "bytes").default(8 * KIB),
  messageBytes: whole(1, 64 * MIB, "bytes").default(512 * KIB),
  namesPerNode: whole(0, 10_000_000, "names").default(1_000_000),
  leases: whole(0, 1_000_000, "names").default(100_000),
  leaseWaiters: whole(0, MAX_COMMANDS, "waiters").default(10_000),
  mailbox: whole(1, 10_000_000, "messages").default(10_000),
  outboundBytes: whole(KIB, 16 * GIB, "bytes").default(64 * MIB),
  watchQueue: whole(1, 10_000_000, "events").default(10_000),
  callMs: ms(1).default(5_000),
  registerMs: ms(1).default(10_000),
  resolverMs: ms(1).default(5_000),
  startMs: ms(1).default(60_000),
  drainMs: ms(0).default(30_000),
  pendingCalls: whole(1, 10_000_000, "calls").default(100_000),
  pendingRequests: whole(1, 10_000_000, "requests").default(1_000_000),
  processes: whole(1, 100_000_000, "processes").default(1_000_000),
  scopes: whole(1, MAX_SCOPES, "scopes").default(MAX_SCOPES),
  monitors: whole(1, 100_000_000, "monitors").default(1_000_000),
  watches: whole(1, 10_000_000, "watches").default(10_000),
  subscriptions: whole(1, 100_000_000, "subscriptions").default(1_000_000),
});

const A_LEASE_STORE = "a store of leases, such as redisLeases() gives";
const LEVELS = ["debug", "info", "warn", "error"] as const;

const options = z.strictObject({
  cluster: like<string>(
    (value) => isText(value),
    `a non-empty string of at most ${NAME_BYTES} bytes of well-formed Unicode`,
  ),
  name: z.unknown().optional(),
  bus: like<Bus>(
    (value) => isRecord(value) && typeof value["connect"] === "function",
    "a bus, such as natsBus() gives",
  ).optional(),
  leases: like<LeaseStore>(isLeaseStore, A_LEASE_STORE).optional(),
  secret: z.union([secret, z.array(secret).min(1)]).optional(),
  resolve: like<Resolver>(
    (value) => typeof value === "function",
    "a function from a clash to a verdict",
  ).optional(),
  failureDetection: failureDetection.prefault({}),
  limits: limits.prefault({}),
  logger: like<Logger>(
    (value) => isRecord(value) && LEVELS.every((level) => typeof value[level] === "function"),
    "an object with the methods debug, info, warn and error, such as pino makes",
  ).optional(),
  signal: like<AbortSignal>((value) => value instanceof AbortSignal, "an AbortSignal").optional(),
});

/** @throws InvalidArgumentError naming the option by its path, with the value and what it takes */
export function parseOptions(input: unknown): NodeSettings {
  if (!isRecord(input))
    throw new InvalidArgumentError("options", input, "an object with at least { cluster }");
  const result = options.safeParse(input);
  if (!result.success) throw asInvalidArgument(input, result.error.issues[0]);
  const parsed = result.data;
  return {
    cluster: parsed.cluster,
    name: parsed.name === undefined ? undefined : checkNodeName(parsed.name),
    bus: parsed.bus,
    leases: checkLeases(parsed.leases),
    secrets: parsed.secret === undefined ? [] : [parsed.secret].flat(),
    resolve: parsed.resolve ?? keepOldest,
    failureDetection: completeTimes(parsed.failureDetection),
    limits: parsed.limits,
    logger: parsed.logger ?? warningsToStderr,
    signal: parsed.signal,
  };
}

/** Defaults that follow from each other, and the orders that must hold between them. */
function completeTimes(given: z.infer<typeof failureDetection>): FailureDetection {
  const { heartbeatMs } = given;
  const suspectAfterMs = given.suspectAfterMs ?? Math.max(DEFAULT_TIMES.suspectAfterMs, 3 * heartbeatMs);
  const deadAfterMs =
    given.deadAfterMs ?? Math.max(DEFAULT_TIMES.deadAfterMs, Math.ceil((suspectAfterMs * 8) / 3));
  const arbiterTimeoutMs = given.arbiterTimeoutMs ?? Math.max(DEFAULT_ARBITER_TIMEOUT_MS, suspectAfterMs);
  const times = { ...given, suspectAfterMs, deadAfterMs, arbiterTimeoutMs };
  atLeast(times, "suspectAfterMs", 2 * heartbeatMs, `twice heartbeatMs, which is ${heartbeatMs}`);
  atLeast(times, "deadAfterMs", suspectAfterMs + 1, `more than suspectAfterMs, which is ${suspectAfterMs}`);
  atLeast(
    times,
    "arbiterTimeoutMs",
    suspectAfterMs,
    `no less than suspectAfterMs, which is ${suspectAfterMs}`,
  );
  return times;
}

function atLeast(times: FailureDetection, key: keyof FailureDetection, least: number, words: string): void {
  if (times[key] >= least) return;
  throw new InvalidArgumentError(
    `failureDetection.${key}`,
    times[key],
    `at least ${least} milliseconds: ${words}`,
  );
}

function isLeaseStore(value: unknown): boolean {
  if (!isRecord(value) || typeof value["open"] !== "function" || !isRecord(value["settings"])) return false;
  const { servers } = value;
  return Array.isArray(servers) && servers.length >= 1 && servers.length <= MAX_SERVERS;
}

/** Here, and not when the first name is asked for. */
function checkLeases(store: LeaseStore | undefined): LeaseStore | undefined {
  if (store !== undefined) leaseTimes(store.settings);
  return store;
}

function asInvalidArgument(input: unknown, issue: z.core.$ZodIssue | undefined): InvalidArgumentError {
  if (issue === undefined) return new InvalidArgumentError("options", input, "the options of startNode");
  const path = issue.path.map(String);
  if (path[0] === "secret") return new InvalidArgumentError("secret", "(hidden)", SECRET);
  if (issue.code === "unrecognized_keys") {
    const unknownKey = issue.keys[0] ?? "";
    const known = Object.keys(schemaAt(path).shape).join(", ");
    return new InvalidArgumentError(
      [...path, unknownKey].join("."),
      valueAt(input, [...path, unknownKey]),
      `nothing: there is no such option; there are ${known}`,
    );
  }
  const expected = issue.code === "invalid_type" && issue.expected === "object" ? "an object" : issue.message;
  return new InvalidArgumentError(path.join("."), valueAt(input, path), expected);
}

function schemaAt(path: readonly string[]): { readonly shape: object } {
  if (path[0] === "limits") return limits;
  return path[0] === "failureDetection" ? failureDetection : options;
}

function valueAt(input: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), input);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
