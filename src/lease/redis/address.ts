/** A Redis server as users write it: `redis://user:password@host:port/2`, `rediss://…`, `host:port`, IPv6 in brackets. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  /** The number of the logical database. Default 0. */
  readonly database: number;
  readonly tls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Host, port and any database, as errors and logs show it: without any password. */
  readonly text: string;
}

const DEFAULT_PORT = 6379;
const ADDRESS =
  /^(?:(rediss?):\/\/)?(?:([^\s@/]*)@)?(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)(?::(\d{1,5}))?(?:\/(\d{1,5})?)?$/i;

/** Undefined for what is no such address. */
export function parseRedisAddress(text: string): RedisAddress | undefined {
  const match = ADDRESS.exec(text.trim());
  const host = match?.[3]?.toLowerCase();
  if (match === null || host === undefined) return undefined;
  const port = match[4] === undefined ? DEFAULT_PORT : Number(match[4]);
  if (port < 1 || port > 65_535) return undefined;
  const credentials = parseCredentials(match[2] ?? "");
  if (credentials === undefined) return undefined;
  const database = Number(match[5] ?? 0);
  return {
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port,
    database,
    tls: match[1]?.toLowerCase() === "rediss",
    ...credentials,
    text: database === 0 ? `${host}:${port}` : `${host}:${port}/${database}`,
  };
}

/** A password alone is written `:password@`, as in all Redis URLs: what stands before the colon is a user. */
function parseCredentials(text: string): Pick<RedisAddress, "user" | "password"> | undefined {
  const colon = text.indexOf(":");
  // A user without a password cannot log in, so something else was meant.
  if (text !== "" && colon < 0) return undefined;
  try {
    const user = decodeURIComponent(text.slice(0, Math.max(0, colon)));
    const password = decodeURIComponent(text.slice(colon + 1));
    return { user: user === "" ? undefined : user, password: password === "" ? undefined : password };
  } catch {
    // A stray percent sign.
    return undefined;
  }
}
