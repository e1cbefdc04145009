import type { Cancel } from "../../kernel/clock.ts";
import { fraction, type Random } from "../../kernel/random.ts";
import { loose } from "../loose.ts";
import type { NatsServerInfo } from "../nats/client.ts";
import type { NatsBusConnection } from "../nats/connection.ts";
import type { BusConnectOptions } from "../port.ts";
import { BROKER_MARK } from "./broker.ts";
import type { Host } from "./host.ts";

/** Reconnects start quickly, because a new host is there within milliseconds, and slow down when nobody can be one. */
const FIRST_DELAY_MS = 4;
const LONGEST_DELAY_MS = 250;

/**
 * How long the former host has to show up at its successor before it is taken for gone. A live one would redial like everybody
 * else, so a few times the redial delay; it adds to what a killed host's peers wait.
 */
const FORMER_HOST_MS = 100;

/** So many failed dials are about five seconds. Somebody should know. */
const DIALS_BEFORE_WARNING = 25;

/**
 * What a node does when the broker is gone: it offers to host, at every dial, until it is connected again; and once connected
 * to another broker it finds out whether the former host is gone too, and says so, because that node's own end could not be
 * announced by the broker that ended with it.
 */
export class Takeover {
  /** The caller's options, except that answers about former hosts are kept here. */
  readonly options: BusConnectOptions;
  readonly #host: Host;
  readonly #port: number;
  readonly #outer: BusConnectOptions;
  readonly #random: Random;
  /** Former hosts that may be gone: client name by presence subject. */
  readonly #formerHosts = new Map<string, string>();
  #connection: NatsBusConnection | undefined;
  #broker: NatsServerInfo | undefined;
  #dials = 0;
  #cancel: Cancel | undefined;
  #hasWarned = false;
  #stopped = false;

  constructor(host: Host, port: number, options: BusConnectOptions) {
    this.#host = host;
    this.#port = port;
    this.#outer = options;
    this.#random = options.random.fork("redial");
    this.options = {
      clientName: options.clientName,
      clock: options.clock,
      random: options.random,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onMessage: (subject, data) => options.onMessage(subject, data),
      onNoResponders: (subject) => this.#answered(subject),
      onStatus: (status) => options.onStatus(status),
    };
  }

  start(connection: NatsBusConnection): void {
    this.#connection = connection;
    this.#broker = connection.info;
    connection.subscribe(presenceOf(this.#outer.clientName));
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  /** For the NATS client: how long after a failed dial the next may be. */
  redialDelayMs(): number {
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(this.#dials, 8));
    return longest * (0.5 + fraction(this.#random) / 2);
  }

  onDown(): void {
    if (this.#stopped) return;
    this.#dials += 1;
    if (this.#dials === DIALS_BEFORE_WARNING) {
      this.#warn(
        `what listens on port ${this.#port} does not answer as the embedded bus; its process may hang, or it has as many clients as it takes`,
      );
    }
    this.#host.tryToHost().catch((error: unknown) => {
      // Tried again at each dial: once in an outage is enough to say.
      if (!this.#hasWarned) this.#warn(String(error));
      this.#hasWarned = true;
    });
  }

  onUp(broker: NatsServerInfo): void {
    const former = this.#broker;
    this.#broker = broker;
    this.#dials = 0;
    this.#hasWarned = false;
    if (loose<typeof BROKER_MARK>(broker)[BROKER_MARK] === undefined) {
      this.#warn(
        `port ${this.#port} is now served by something that is not the embedded bus: ${broker.server_name}`,
      );
    }
    const name = former?.server_id === broker.server_id ? undefined : former?.server_name;
    if (name !== undefined && name !== this.#outer.clientName && name !== broker.server_name) {
      this.#formerHosts.set(presenceOf(name), name);
    }
    if (this.#formerHosts.size === 0) return;
    this.#cancel?.();
    this.#cancel = this.#outer.clock.after(FORMER_HOST_MS, () => this.#ask());
  }

  #ask(): void {
    const connection = this.#connection;
    // While it is down there is nobody to ask; the next onUp() asks again.
    if (this.#stopped || connection === undefined || !connection.connected) return;
    const asked = [...this.#formerHosts.keys()];
    for (const subject of asked) connection.probe(subject);
    connection.flush().then(
      // An answer would have come before the flush's own, so those that are left have connected.
      () => {
        for (const subject of asked) this.#formerHosts.delete(subject);
      },
      () => undefined,
    );
  }

  #answered(subject: string): void {
    const name = this.#formerHosts.get(subject);
    if (name === undefined) {
      this.#outer.onNoResponders(subject);
      return;
    }
    this.#formerHosts.delete(subject);
    this.#outer.onStatus({ kind: "advisory", clientName: name });
  }

  #warn(message: string): void {
    if (!this.#stopped) this.#outer.onStatus({ kind: "warning", message });
  }
}

/** Every node on the embedded bus listens here, and only to be found there. */
function presenceOf(clientName: string): string {
  return `$ROLLCALL.CLIENT.${Buffer.from(clientName).toString("base64url")}`;
}
