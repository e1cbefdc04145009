/** A NATS server as users write it: `host`, `host:port`, `nats://user:pass@host:port`, `tls://…`, IPv6 in brackets. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** Host and port, as the client takes it and as errors show it: without any password. */
  readonly text: string;
  readonly tls: boolean;
  readonly user: string | undefined;
  readonly pass: string | undefined;
}

const DEFAULT_PORT = 4222;
const ADDRESS =
  /^(?:(nats|tls):\/\/)?(?:([^\s@/]*)@)?(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)(?::(\d{1,5}))?\/?$/i;

/** Undefined for what is no such address. */
export function parseAddress(text: string): ServerAddress | undefined {
  const match = ADDRESS.exec(text.trim());
  const host = match?.[3];
  if (match === null || host === undefined) return undefined;
  const port = match[4] === undefined ? DEFAULT_PORT : Number(match[4]);
  if (port < 1 || port > 65_535) return undefined;
  const credentials = match[2] === undefined ? undefined : parseCredentials(match[2]);
  if (match[2] !== undefined && credentials === undefined) return undefined;
  return {
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port,
    text: `${host}:${port}`,
    tls: match[1]?.toLowerCase() === "tls",
    user: credentials?.user,
    pass: credentials?.pass,
  };
}

function parseCredentials(text: string): { user: string; pass: string | undefined } | undefined {
  const colon = text.indexOf(":");
  try {
    const user = decodeURIComponent(colon < 0 ? text : text.slice(0, colon));
    return { user, pass: colon < 0 ? undefined : decodeURIComponent(text.slice(colon + 1)) };
  } catch {
    // A stray percent sign.
    return undefined;
  }
}
