import type { RedisAddress } from "./address.ts";
import type { RedisConnection } from "./connection.ts";
import { SCRIPT } from "./script/script.ts";

/** What is found of a server when a connection to it begins. */
export type Greeting =
  /** It can be used. `process` tells it from all others. */
  | { readonly kind: "ready"; readonly process: string; readonly warnings: readonly string[] }
  /** Not now. Mostly an operator has to do something: the message says what. */
  | { readonly kind: "refused"; readonly message: string };

const LOADING: Greeting = {
  kind: "refused",
  message: "it is still reading its data; it is tried until it is ready",
};

/** `SET … KEEPTTL` came with it. */
const OLDEST_VERSION = [6, 0] as const;

/** Logs in, looks whether the server keeps what it is given, and brings it the script. */
export async function greet(
  connection: RedisConnection,
  address: RedisAddress,
  clientName: string,
): Promise<Greeting> {
  const { database, password, user } = address;
  const warnings: string[] = [];
  // All at once: the server answers in order.
  const login =
    password === undefined
      ? undefined
      : outcome(connection.command("AUTH", ...(user === undefined ? [] : [user]), password));
  const selected = database === 0 ? undefined : outcome(connection.command("SELECT", database));
  // Only for people who look at the server. Managed ones may forbid it.
  const named = outcome(connection.command("CLIENT", "SETNAME", clientName));
  const told = outcome(connection.command("INFO"));
  const loaded = outcome(connection.command("SCRIPT", "LOAD", SCRIPT));
  const [loginError, selectError, info, loadError] = [
    (await login)?.error,
    (await selected)?.error,
    await told,
    (await loaded).error,
  ];
  await named;
  if (loginError !== undefined) {
    if (!/without any password configured|no password is set/i.test(loginError)) {
      return refused(`it refuses the user or password: ${loginError}`, "put the right ones into its URL");
    }
    warnings.push(`it wants no password, and was given one; set requirepass or a user there`);
  }
  if (info.error !== undefined) return refusedFor(info.error);
  if (selectError !== undefined) {
    return refused(
      `there is no database ${database}: ${selectError}`,
      "use another, or raise its `databases`",
    );
  }
  const judged = judge(String(info.answer));
  if (judged.kind !== "ready") return judged;
  if (loadError !== undefined) return refusedFor(loadError);
  return { ...judged, warnings: [...warnings, ...judged.warnings] };
}

/** By what `INFO` says. `CONFIG GET` would say no more, and is forbidden on many managed servers. */
export function judge(info: string): Greeting {
  const fields = new Map(
    info.split(/\r?\n/).map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, Math.max(0, colon)), line.slice(colon + 1)];
    }),
  );
  const version = fields.get("redis_version") ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION;
  if (fields.get("loading") === "1") return LOADING;
  if (!(major > oldestMajor || (major === oldestMajor && minor >= oldestMinor))) {
    const asks = `upgrade it to ${OLDEST_VERSION.join(".")} or newer`;
    return refused(`it is Redis ${version === "" ? "of no known version" : version}`, asks);
  }
  const mode = fields.get("redis_mode");
  if (mode === "sentinel") {
    return refused("it is a sentinel, which keeps no data", "give the server that it watches");
  }
  if (mode === "cluster" || fields.get("cluster_enabled") === "1") {
    return refused(
      "it is a member of a Redis Cluster, which moves keys and fails over without them",
      "give servers with `cluster-enabled no`, independent of each other",
    );
  }
  if (fields.get("role") === "slave") {
    return refused("it is a replica", "give its primary, or make it one with `REPLICAOF NO ONE`");
  }
  const policy = fields.get("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction") {
    return refused(
      `it may evict leases: its maxmemory-policy is ${policy}`,
      "set `maxmemory-policy noeviction` there, or use a server of its own for leases",
    );
  }
  const warnings =
    policy === undefined
      ? ["it does not tell its maxmemory-policy; make sure that it is noeviction, or leases may be evicted"]
      : [];
  const process = fields.get("run_id");
  if (process === undefined) {
    return refused("its INFO tells no run_id, so a restart would not be noticed", "use another server");
  }
  return { kind: "ready", process, warnings };
}

/** What its answers to the first commands mean. */
function refusedFor(error: string): Greeting {
  if (error.startsWith("LOADING")) return LOADING;
  if (error.startsWith("NOAUTH")) {
    return refused(
      `it wants a password: ${error}`,
      "put it into its URL, as in redis://user:password@host:6379",
    );
  }
  if (error.startsWith("NOPERM") || /unknown command/i.test(error)) {
    return refused(`it forbids a command that is needed: ${error}`, "allow it; docs/redis.md lists them all");
  }
  return refused(`it does not answer as it should: ${error}`, "look at its log");
}

function refused(what: string, remedy: string): Greeting {
  return { kind: "refused", message: `${what}; ${remedy}` };
}

interface Outcome {
  readonly answer?: unknown;
  readonly error?: string;
  /** The error is an answer of the server; else the connection has ended, or is about to. */
  readonly isAnswer?: boolean;
}

/** Never rejects. Only the message of an error is kept: the client puts the command beside it, password and all. */
export function outcome(answer: Promise<unknown>): Promise<Outcome> {
  return answer.then(
    (value): Outcome => ({ answer: value }),
    (error: unknown): Outcome => ({
      error: error instanceof Error ? error.message : String(error),
      isAnswer: error instanceof Error && error.name === "ReplyError",
    }),
  );
}
