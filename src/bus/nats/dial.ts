import { type ConnectionOptions, connect } from "nats";
import { BusClosedError, UnauthorizedError } from "../../kernel/errors.ts";
import type { Random } from "../../kernel/random.ts";
import type { BusConnectOptions } from "../port.ts";
import type { ServerAddress } from "./address.ts";
import { isUnauthorized, type NatsClient } from "./client.ts";
import { NatsBusConnection, type NatsLinkSettings } from "./connection.ts";
import { type Greeting, readGreeting } from "./greeting.ts";
import type { NatsSettings } from "./options.ts";

/** Reconnects: soon, for ever, and not all nodes at once. */
const RECONNECT_MS = 100;
const RECONNECT_JITTER_MS = 150;
/** A server that answers none of two pings is given up after 10 to 15 s: below the grace for a lost bus plus a reconnect. */
const PING_MS = 5_000;
const PINGS_MISSED = 2;
/** When one server has greeted, the others have this long to show that they are up too. */
const STRAGGLER_MS = 100;

export interface DialPlan {
  readonly settings: NatsSettings;
  readonly link?: Pick<NatsLinkSettings, "onDown" | "onUp">;
  readonly redialDelayMs?: () => number;
  /** For tests, which cannot wait 15 s for a silent server to be given up. */
  readonly pingMs?: number;
  /** The caller has seen a server there a moment ago. */
  readonly isGreeted?: boolean;
}

/** Makes the first connection. Everything it needed is gone when it fails or is aborted. */
export async function dial(plan: DialPlan, options: BusConnectOptions): Promise<NatsBusConnection> {
  options.signal?.throwIfAborted();
  const { settings } = plan;
  const servers = plan.isGreeted === true ? settings.servers : await findServers(settings, options);
  const client = await connectUnlessAborted(clientOptions(plan, servers, options), options.signal).catch(
    (cause: unknown) => {
      options.signal?.throwIfAborted();
      throw explain(cause, settings.servers);
    },
  );
  const info = client.info;
  if (info === undefined) throw explain(new Error("the connection dropped at once"), settings.servers);
  return new NatsBusConnection(client, info, options, {
    ours: true,
    inbox: makeInbox(settings.inboxPrefix, options.random),
    advisories: settings.advisories,
    ...plan.link,
  });
}

/** Uses a connection that the user made. It must be up now: there is no telling what the user wants done when it is not. */
export async function adopt(
  client: NatsClient,
  settings: NatsSettings,
  options: BusConnectOptions,
): Promise<NatsBusConnection> {
  options.signal?.throwIfAborted();
  try {
    await unlessAborted(client.flush(), options.signal);
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new BusClosedError(
      "natsBus.connection is not connected; connect it first, and give it while it is open",
      { cause },
    );
  }
  const info = client.info;
  if (info === undefined)
    throw new BusClosedError("natsBus.connection is not connected; give it while it is open");
  return new NatsBusConnection(client, info, options, {
    ours: false,
    inbox: makeInbox(settings.inboxPrefix, options.random),
    advisories: settings.advisories,
  });
}

/**
 * Asks every server whether it is there before the client does, because the client cannot be aborted, may take its timeout for
 * each server in turn, leaves sockets behind, and forgets for ever a server that was down at the first connect.
 * @returns those that are there first
 */
async function findServers(
  settings: NatsSettings,
  options: BusConnectOptions,
): Promise<readonly ServerAddress[]> {
  if (isSilentUntilTls(settings)) return settings.servers;
  const { clock, signal } = options;
  const { greeted, failed } = await new Promise<Survey>((resolve) => {
    const survey: Survey = { greeted: [], failed: [] };
    const enough = new AbortController();
    const finish = (): void => {
      signal?.removeEventListener("abort", finish);
      cancel();
      enough.abort();
      resolve(survey);
    };
    let cancel = (): void => undefined;
    signal?.addEventListener("abort", finish, { once: true });
    for (const address of settings.servers) {
      const { host, port } = address;
      void readGreeting({ host, port, timeoutMs: settings.dialTimeoutMs, clock, signal: enough.signal }).then(
        (greeting) => {
          if (enough.signal.aborted) return;
          if (greeting.kind === "greeted") survey.greeted.push(address);
          else survey.failed.push({ address, greeting });
          if (survey.greeted.length + survey.failed.length === settings.servers.length) finish();
          else if (greeting.kind === "greeted" && survey.greeted.length === 1)
            cancel = clock.after(STRAGGLER_MS, finish);
        },
      );
    }
  });
  signal?.throwIfAborted();
  if (greeted.length === 0) throw unreachable(failed);
  if (greeted.length === settings.servers.length) return settings.servers;
  return [...greeted, ...settings.servers.filter((address) => !greeted.includes(address))];
}

interface Survey {
  readonly greeted: ServerAddress[];
  readonly failed: {
    readonly address: ServerAddress;
    readonly greeting: Exclude<Greeting, { kind: "greeted" }>;
  }[];
}

/** With `handshakeFirst` the client speaks first, so there is no greeting to wait for. */
function isSilentUntilTls(settings: NatsSettings): boolean {
  return settings.tls?.handshakeFirst === true;
}

function clientOptions(
  plan: DialPlan,
  servers: readonly ServerAddress[],
  options: BusConnectOptions,
): ConnectionOptions {
  const { settings } = plan;
  return {
    servers: servers.map((address) => address.text),
    name: options.clientName,
    noEcho: true,
    inboxPrefix: settings.inboxPrefix,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    pingInterval: plan.pingMs ?? PING_MS,
    maxPingOut: PINGS_MISSED,
    timeout: settings.dialTimeoutMs,
    waitOnFirstConnect: false,
    // With a server down, the order found must stand, or the client might try that one first and strike it off for ever.
    noRandomize: servers !== settings.servers,
    ...(settings.authenticator === undefined ? {} : { authenticator: settings.authenticator }),
    ...(settings.tls === undefined ? {} : { tls: settings.tls }),
    ...(plan.redialDelayMs === undefined ? {} : { reconnectDelayHandler: plan.redialDelayMs }),
  };
}

async function connectUnlessAborted(
  clientOptions: ConnectionOptions,
  signal: AbortSignal | undefined,
): Promise<NatsClient> {
  const connecting = connect(clientOptions);
  try {
    return await unlessAborted(connecting, signal);
  } catch (error) {
    // Aborted while it was under way: it may still succeed, and nobody would own it.
    connecting.then((late) => late.close()).catch(() => undefined);
    throw error;
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Three numbers of 32 bits: nobody else's inbox is the same, and nobody guesses it. */
function makeInbox(prefix: string, random: Random): string {
  return `${prefix}.${random.u32().toString(36)}${random.u32().toString(36)}${random.u32().toString(36)}`;
}

function unreachable(failed: Survey["failed"]): BusClosedError {
  const list = failed
    .map(({ address, greeting }) => `${address.text} (${greeting.error.message})`)
    .join(", ");
  const cause =
    failed.length === 1
      ? failed[0]?.greeting.error
      : new AggregateError(failed.map(({ greeting }) => greeting.error));
  return new BusClosedError(
    `cannot reach NATS at ${list}; check that a NATS server listens there and that this machine may connect to it`,
    { cause },
  );
}

function explain(cause: unknown, servers: readonly ServerAddress[]): UnauthorizedError | BusClosedError {
  const list = servers.map((address) => address.text).join(", ");
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (isUnauthorized(cause)) {
    return new UnauthorizedError(
      `NATS at ${list} refuses these credentials: ${reason}; check them and the account's users`,
      { cause },
    );
  }
  return new BusClosedError(
    `cannot connect to NATS at ${list}: ${reason}; check the server's log, and that TLS is set on both sides or on neither`,
    { cause },
  );
}
