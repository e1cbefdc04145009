import { z } from "zod";
import { BusClosedError } from "../../kernel/errors.ts";
import type { NatsBusConnection } from "../nats/connection.ts";
import { dial } from "../nats/dial.ts";
import { readGreeting } from "../nats/greeting.ts";
import { checkNatsOptions } from "../nats/options.ts";
import { checkBusOptions } from "../options.ts";
import type { Bus, BusConnectOptions } from "../port.ts";
import { BROKER_MARK, BROKER_VERSION, DISCONNECTS } from "./broker.ts";
import { EmbeddedConnection } from "./connection.ts";
import { Host } from "./host.ts";
import { BROKER_LIMITS, type BrokerLimits } from "./limits.ts";
import { Takeover } from "./takeover.ts";

export interface EmbeddedBusOptions {
  /** The TCP port on 127.0.0.1 where the nodes of this machine meet. Default 4229. */
  readonly port?: number | undefined;
}

export interface EmbeddedBus extends Bus {
  readonly kind: "embedded";
  connect(options: BusConnectOptions): Promise<EmbeddedConnection>;
}

const DEFAULT_PORT = 4229;
const TAKES = { port: "a TCP port: a whole number from 1 to 65535" };
const schema: z.ZodType<EmbeddedBusOptions> = z.strictObject({ port: z.int().min(1).max(65_535).optional() });

/** How long a listener on the port may take to show that it is one of our brokers. */
const GREETING_MS = 2_000;
/**
 * How often to try when hosts come and go while we connect: each time somebody else must have won and ended. Without a wait in
 * between, because the clock's timers keep no OS process alive, and a program that awaits its first connect may have nothing else.
 */
const ATTEMPTS = 100;

/**
 * A bus for the nodes of one machine, without any server to install. The first node hosts a small broker on a loopback port,
 * the others connect to it; when the host ends, however it ends, another node takes over within milliseconds and the bus tells
 * of the loss like of any reconnect.
 *
 * Any process of this machine can connect, whoever's it is: give the cluster a `secret` where that matters. Should the hosting
 * process hang without ending (SIGSTOP, an endless loop), the bus hangs with it.
 *
 * @throws InvalidArgumentError naming the option that is wrong
 */
export function embeddedBus(options: EmbeddedBusOptions = {}): EmbeddedBus {
  const { port = DEFAULT_PORT } = checkBusOptions("embeddedBus", schema, options, TAKES);
  return embeddedBusWithLimits(port, {});
}

/** For tests, which cannot wait for 64 MiB to pile up. */
export function embeddedBusWithLimits(port: number, limits: Partial<BrokerLimits>): EmbeddedBus {
  return { kind: "embedded", connect: (connectOptions) => connectEmbedded(port, limits, connectOptions) };
}

async function connectEmbedded(
  port: number,
  limits: Partial<BrokerLimits>,
  options: BusConnectOptions,
): Promise<EmbeddedConnection> {
  options.signal?.throwIfAborted();
  const host = new Host({
    port,
    name: options.clientName,
    clock: options.clock,
    random: options.random.fork("broker"),
    limits,
    onWarning: (message) => options.onStatus({ kind: "warning", message }),
  });
  const takeover = new Takeover(host, port, options);
  try {
    const inner = await findBroker(host, port, takeover);
    takeover.start(inner);
    return new EmbeddedConnection(inner, host, takeover);
  } catch (error) {
    takeover.stop();
    await host.close();
    throw error;
  }
}

/** Hosts, or finds who does, and connects. Between the two a host may end: then once more. */
async function findBroker(host: Host, port: number, takeover: Takeover): Promise<NatsBusConnection> {
  const { signal } = takeover.options;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    signal?.throwIfAborted();
    const isThere = (await host.tryToHost()) || (await isBrokerThere(port, takeover.options));
    const connection = isThere ? await connectOnce(host, port, takeover) : undefined;
    if (connection !== undefined) return connection;
  }
  throw stranger(port, "what listens there ends every connection at once");
}

/** @returns undefined when the broker has ended since it was seen */
async function connectOnce(
  host: Host,
  port: number,
  takeover: Takeover,
): Promise<NatsBusConnection | undefined> {
  try {
    return await dial(
      {
        settings: checkNatsOptions({ servers: `127.0.0.1:${port}`, advisories: DISCONNECTS }),
        isGreeted: true,
        link: { onDown: () => takeover.onDown(), onUp: (info) => takeover.onUp(info) },
        redialDelayMs: () => takeover.redialDelayMs(),
      },
      takeover.options,
    );
  } catch (error) {
    if (host.isHosting || !(error instanceof BusClosedError)) throw error;
    return undefined;
  }
}

/** @returns false when nobody listens any more. Throws when it is somebody else. */
async function isBrokerThere(port: number, options: BusConnectOptions): Promise<boolean> {
  const { clock, signal = new AbortController().signal } = options;
  const greeting = await readGreeting({ host: "127.0.0.1", port, timeoutMs: GREETING_MS, clock, signal });
  switch (greeting.kind) {
    case "refused":
      return false;
    case "greeted":
      if (greeting.info[BROKER_MARK] === BROKER_VERSION) return true;
      if (greeting.info[BROKER_MARK] === undefined)
        throw stranger(port, "a NATS server listens there: natsBus() is for that");
      throw stranger(
        port,
        "another version of the embedded bus listens there, which this one does not understand",
      );
    case "silent":
      throw stranger(
        port,
        `what listens there says nothing within ${GREETING_MS} ms: another program, or a host that hangs`,
      );
    case "turnedAway":
      throw new BusClosedError(
        `cannot join the embedded bus on port ${port}: ${greeting.error.message}; it takes ${BROKER_LIMITS.clients} clients: for more, run a NATS server and use natsBus()`,
      );
    case "foreign":
      throw stranger(port, "another program listens there");
  }
}

function stranger(port: number, what: string): BusClosedError {
  return new BusClosedError(
    `port ${port} is not the embedded bus's: ${what}; embeddedBus({ port }) takes another port`,
  );
}
