import { readFileSync } from "node:fs";
import { type Authenticator, credsAuthenticator, nkeyAuthenticator, type TlsOptions } from "nats";
import { z } from "zod";
import { InvalidArgumentError } from "../../kernel/errors.ts";
import { isRecord } from "../loose.ts";
import { checkBusOptions } from "../options.ts";
import { parseAddress, type ServerAddress } from "./address.ts";
import type { NatsClient } from "./client.ts";

export interface NatsBusOptions {
  /**
   * One or more servers, as `host`, `host:port` or `nats://host:port`. A user and password (or a token) in the URL are used.
   * Default `nats://127.0.0.1:4222`. The other servers of a NATS cluster are learnt from it.
   */
  readonly servers?: string | readonly string[] | undefined;
  /** The content of a `.creds` file (a JWT and its seed). */
  readonly credentials?: string | Uint8Array | undefined;
  /** The path of a `.creds` file. It is read again at each reconnect, so a renewed file is picked up. */
  readonly credentialsFile?: string | undefined;
  /** An NKey seed: it starts with `SU`. */
  readonly nkeySeed?: string | undefined;
  readonly token?: string | undefined;
  readonly user?: string | undefined;
  readonly pass?: string | undefined;
  /** Passed to package `nats` as it is; called at each connect. */
  readonly authenticator?: Authenticator | undefined;
  /** Passed to package `nats` as it is. `{}` asks for TLS with the system's certificate authorities. */
  readonly tls?: TlsOptions | undefined;
  /**
   * A connection you made, of package `nats` 2.x or `@nats-io/transport-node` 3.x, in place of the options above. It is used,
   * never closed. Make it with `maxReconnectAttempts: -1`, or ten failures end it, and the node, for good.
   */
  readonly connection?: NatsClient | undefined;
  /**
   * A subject on which the disconnect advisories of this account come, such as `$SYS.ACCOUNT.APP.DISCONNECT` or what an import
   * maps it to. With them a killed node is known in milliseconds, whoever looks.
   */
  readonly advisories?: string | undefined;
  /** Replies come under this subject, for permissions to allow: `_INBOX_rc` allows `_INBOX_rc.>`. Default `_INBOX_rc`. */
  readonly inboxPrefix?: string | undefined;
  /** How long one server may take to greet at the first connect and at each dial, in milliseconds. Default 3,000. */
  readonly dialTimeoutMs?: number | undefined;
}

export interface NatsSettings {
  readonly servers: readonly ServerAddress[];
  readonly authenticator: Authenticator | undefined;
  readonly tls: TlsOptions | undefined;
  readonly connection: NatsClient | undefined;
  readonly advisories: string | undefined;
  readonly inboxPrefix: string;
  readonly dialTimeoutMs: number;
}

const OWNER = "natsBus";
const DEFAULT_SERVER = "127.0.0.1:4222";
const DEFAULT_INBOX_PREFIX = "_INBOX_rc";
const DEFAULT_DIAL_TIMEOUT_MS = 3_000;
const CLIENT_METHODS = ["publish", "subscribe", "flush", "status", "closed", "close", "isClosed"];
const SUBJECT = /^[^\s.*>]+(?:\.[^\s.*>]+)*$/;

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
  connection: "an open connection of package `nats` 2.x or `@nats-io/transport-node` 3.x",
  advisories: "a subject of tokens joined by dots, without wildcards or spaces",
  inboxPrefix: "a subject of tokens joined by dots, without wildcards or spaces",
  dialTimeoutMs: "a whole number from 50 to 60000",
};
const SECRET = new Set(["credentials", "nkeySeed", "token", "pass"]);
/** Each is a way to say who we are; two of them would contradict each other. */
const IDENTITIES = ["credentials", "credentialsFile", "nkeySeed", "token", "user", "authenticator"] as const;

const server = z.string().refine((text) => parseAddress(text) !== undefined);
const subject = z.string().regex(SUBJECT);
const someFunction = z.custom<Authenticator>((value) => typeof value === "function");

const schema: z.ZodType<NatsBusOptions> = z.strictObject({
  servers: z.union([server, z.array(server).min(1)]).optional(),
  credentials: z.union([z.string().min(1), z.instanceof(Uint8Array)]).optional(),
  credentialsFile: z.string().min(1).optional(),
  nkeySeed: z
    .string()
    .regex(/^SU[A-Z2-7]{56}$/)
    .optional(),
  token: z.string().min(1).optional(),
  user: z.string().min(1).optional(),
  pass: z.string().optional(),
  authenticator: someFunction.optional(),
  tls: z.custom<TlsOptions>(isRecord).optional(),
  connection: z.custom<NatsClient>(isClient).optional(),
  advisories: subject.optional(),
  inboxPrefix: subject.optional(),
  dialTimeoutMs: z.int().min(50).max(60_000).optional(),
});

/**
 * @param owner what errors call the options
 * @throws InvalidArgumentError for the first option that is wrong, or contradicts another
 */
export function checkNatsOptions(input: unknown, owner = OWNER): NatsSettings {
  const options = checkBusOptions(owner, schema, input, TAKES, SECRET);
  checkTogether(options, owner);
  const texts =
    typeof options.servers === "string" ? [options.servers] : (options.servers ?? [DEFAULT_SERVER]);
  const servers = texts.map(parseAddress).filter((address) => address !== undefined);
  return {
    servers,
    authenticator: chooseAuthenticator(options, servers, owner),
    tls: options.tls ?? (servers.some((address) => address.tls) ? {} : undefined),
    connection: options.connection,
    advisories: options.advisories,
    inboxPrefix: options.inboxPrefix ?? DEFAULT_INBOX_PREFIX,
    dialTimeoutMs: options.dialTimeoutMs ?? DEFAULT_DIAL_TIMEOUT_MS,
  };
}

function checkTogether(options: NatsBusOptions, owner: string): void {
  const identities = IDENTITIES.filter((name) => options[name] !== undefined);
  if (identities.length > 1) {
    throw new InvalidArgumentError(owner, identities, `one of ${IDENTITIES.join(", ")}`);
  }
  if (options.pass !== undefined && options.user === undefined) {
    throw new InvalidArgumentError(`${owner}.pass`, "(hidden)", TAKES.pass);
  }
  if (options.connection === undefined) return;
  const beside = [...IDENTITIES, "servers", "tls"] as const;
  const unused = beside.find((name) => options[name] !== undefined);
  if (unused !== undefined) {
    throw new InvalidArgumentError(
      `${owner}.${unused}`,
      "(given)",
      "nothing beside `connection`, which is connected already",
    );
  }
}

function chooseAuthenticator(
  options: NatsBusOptions,
  servers: readonly ServerAddress[],
  owner: string,
): Authenticator | undefined {
  if (options.authenticator !== undefined) return options.authenticator;
  if (options.credentials !== undefined) {
    const bytes =
      typeof options.credentials === "string" ? Buffer.from(options.credentials) : options.credentials;
    return tried(owner, "credentials", "(hidden)", credsAuthenticator(bytes));
  }
  const file = options.credentialsFile;
  if (file !== undefined)
    return tried(
      owner,
      "credentialsFile",
      file,
      credsAuthenticator(() => readFileSync(file)),
    );
  if (options.nkeySeed !== undefined)
    return tried(owner, "nkeySeed", "(hidden)", nkeyAuthenticator(Buffer.from(options.nkeySeed)));
  if (options.token !== undefined) return asUser(options.token, undefined);
  if (options.user !== undefined) return asUser(options.user, options.pass ?? "");
  const withUser = servers.find((address) => address.user !== undefined);
  return withUser?.user === undefined ? undefined : asUser(withUser.user, withUser.pass);
}

/** A user without a password is a token, as in NATS URLs. */
function asUser(user: string, pass: string | undefined): Authenticator {
  return () => (pass === undefined ? { auth_token: user } : { user, pass });
}

/** Says now what would otherwise end the connection at the first reconnect. */
function tried(
  owner: string,
  option: keyof typeof TAKES,
  shown: string,
  authenticator: Authenticator,
): Authenticator {
  try {
    authenticator("");
  } catch (cause) {
    const error = new InvalidArgumentError(`${owner}.${option}`, shown, TAKES[option]);
    error.cause = cause;
    throw error;
  }
  return authenticator;
}

function isClient(value: unknown): value is NatsClient {
  return isRecord(value) && CLIENT_METHODS.every((name) => typeof value[name] === "function");
}
