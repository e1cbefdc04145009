import { BusClosedError } from "../../kernel/errors.ts";
import { loose } from "../loose.ts";
import type { BusConnection, BusConnectOptions } from "../port.ts";
import {
  isSameLink,
  isUnauthorized,
  type NatsCallback,
  type NatsClient,
  type NatsMessage,
  type NatsServerInfo,
  readNatsEvent,
  stopIterating,
} from "./client.ts";
import { ProbeTable } from "./probe-table.ts";
import { SocketSweeper } from "./sockets.ts";
import { SubscriptionSet } from "./subscription-set.ts";

/** How long close() waits for the server to take what is pending. It answers in a round trip; a hung one must not hold stop(). */
const CLOSE_FLUSH_MS = 1_000;

const NO_RESPONDERS = 503;
const NOTHING = new Uint8Array(0);

export interface NatsLinkSettings {
  /** We made the client: we close it, and may reach for its sockets. A client of the user's is left as it was. */
  readonly ours: boolean;
  /** The subject under which answers to probes come. */
  readonly inbox: string;
  /** Where disconnect advisories come, in the form of the server's `$SYS.ACCOUNT.*.DISCONNECT`. */
  readonly advisories?: string | undefined;
  /** The client lost its connection, or dials again: the moment to see whether a server must be started. */
  readonly onDown?: (() => void) | undefined;
  readonly onUp?: ((info: NatsServerInfo) => void) | undefined;
}

/**
 * One node's connection to NATS. What is delicate here is when the link counts as up:
 *
 * The client takes what is published while it has no connection, and drops it at the next dial, silently. Its `status()` tells
 * of a drop a few microtasks late, so the gate looks at the client's `info` too, which is exact: undefined from the first dial
 * on, then that of the new connection. An epoch is one such connection, known by the server's id and the client's number
 * there. It begins with the `reconnect` status, which the client gives after it has sent the subscriptions again; should a
 * message of the new connection be faster, with that message.
 */
export class NatsBusConnection implements BusConnection {
  readonly #client: NatsClient;
  readonly #options: BusConnectOptions;
  readonly #settings: NatsLinkSettings;
  readonly #statuses: AsyncIterable<unknown>;
  readonly #sweeper: SocketSweeper | undefined;
  readonly #subscriptions: SubscriptionSet;
  readonly #probes = new ProbeTable();
  readonly #flushes = new Set<(error: Error) => void>();
  #info: NatsServerInfo;
  #epoch = 1;
  #open = true;
  #ended = false;
  #closing: Promise<void> | undefined;

  constructor(
    client: NatsClient,
    info: NatsServerInfo,
    options: BusConnectOptions,
    settings: NatsLinkSettings,
  ) {
    this.#client = client;
    this.#info = info;
    this.#options = options;
    this.#settings = settings;
    this.#sweeper = settings.ours ? new SocketSweeper(client) : undefined;
    this.#subscriptions = new SubscriptionSet(client);
    this.#statuses = client.status();
    this.#listen(`${settings.inbox}.*`, (message) => this.#answered(message));
    if (settings.advisories !== undefined)
      this.#listen(settings.advisories, (message) => this.#advised(message));
    void this.#followStatuses();
    void this.#followEnd();
    if (info.headers !== true) {
      // At the end of the turn, so that whoever called connect() has the connection in hand.
      options.clock.endOfTurn(() =>
        this.#warn(`NATS server ${info.server_id} has no headers, so it cannot tell who is gone`),
      );
    }
  }

  get serverId(): string {
    return this.#info.server_id;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get connected(): boolean {
    return this.#isUp();
  }

  get maxPayload(): number {
    return this.#info.max_payload;
  }

  subscribe(subject: string): void {
    if (!this.#ended) this.#subscriptions.add(subject, this.#delivery(subject));
  }

  unsubscribe(subject: string): void {
    this.#subscriptions.remove(subject);
  }

  publish(subject: string, data: Uint8Array): boolean {
    if (!this.#isUp() || data.length > this.#info.max_payload) return false;
    return this.#tryPublish(subject, data);
  }

  probe(subject: string): boolean {
    if (!this.#isUp() || this.#info.headers !== true) return false;
    const token = this.#probes.add(subject);
    if (this.#tryPublish(subject, NOTHING, { reply: `${this.#settings.inbox}.${token}` })) return true;
    this.#probes.take(token);
    return false;
  }

  flush(): Promise<void> {
    if (!this.#isUp()) return Promise.reject(new BusClosedError("the bus is not connected"));
    return new Promise((resolve, reject) => {
      const settle = (): void => void this.#flushes.delete(reject);
      // The client's own promise may hang on a stale connection: the drop rejects ours at once.
      this.#flushes.add(reject);
      this.#client.flush().then(
        () => {
          settle();
          resolve();
        },
        (cause: unknown) => {
          settle();
          reject(new BusClosedError("the bus connection dropped before everything was taken", { cause }));
        },
      );
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#shut();
    return this.#closing;
  }

  /** What the server said of itself when the present epoch began, or since. */
  get info(): NatsServerInfo {
    return this.#info;
  }

  /** True while messages belong to the present epoch. Fast when nothing has changed, which is nearly always. */
  #isUp(): boolean {
    if (!this.#open || this.#ended) return false;
    const info = this.#client.info;
    if (info === this.#info) return true;
    if (info === undefined || !isSameLink(info, this.#info)) return false;
    this.#info = info;
    return true;
  }

  /** Whether a message that has come belongs to an epoch we have told of; it may be the first sign of a new one. */
  #admits(): boolean {
    if (this.#isUp()) return true;
    const info = this.#client.info;
    if (this.#ended || info === undefined || isSameLink(info, this.#info)) return false;
    this.#reconnected(info);
    return !this.#ended;
  }

  #delivery(subject: string): NatsCallback {
    // Decoding the subject of each message costs more than the rest of this, and without a wildcard there is only one.
    const known = subject.includes("*") || subject.includes(">") ? undefined : subject;
    return (error, message) => {
      if (error !== null || !this.#admits()) return;
      const data = message.data;
      if (data.length === 0) return;
      try {
        this.#options.onMessage(known ?? message.subject, data);
      } catch (thrown) {
        // Thrown on, it would end the client's reader, and with it the connection, without a word.
        this.#warn(`a message handler threw: ${String(thrown)}`);
      }
    };
  }

  #listen(subject: string, take: (message: NatsMessage) => void): void {
    this.#subscriptions.add(subject, (error, message) => {
      if (error === null && this.#admits()) take(message);
    });
  }

  #answered(message: NatsMessage): void {
    if (message.data.length > 0 || message.headers?.code !== NO_RESPONDERS) return;
    const subject = this.#probes.take(message.subject.slice(this.#settings.inbox.length + 1));
    if (subject !== undefined) this.#options.onNoResponders(subject);
  }

  #advised(message: NatsMessage): void {
    const clientName = readClientName(message.data);
    // After a reconnect the server tells of our own former connection.
    if (clientName === undefined || clientName === this.#options.clientName) return;
    this.#options.onStatus({ kind: "advisory", clientName });
  }

  #tryPublish(subject: string, data: Uint8Array, options?: { reply: string }): boolean {
    try {
      this.#client.publish(subject, data, options);
      return true;
    } catch {
      // Closed or draining by the user's hand: the status tells.
      return false;
    }
  }

  async #followStatuses(): Promise<void> {
    for await (const status of this.#statuses) {
      if (this.#ended) return;
      this.#follow(status);
    }
  }

  #follow(status: unknown): void {
    const event = readNatsEvent(status);
    switch (event?.kind) {
      case "dropped":
        this.#dropped();
        this.#settings.onDown?.();
        return;
      case "stale":
        this.#dropped();
        this.#sweeper?.destroyCurrent();
        return;
      case "dialing":
        this.#sweeper?.onDial();
        this.#dropped();
        this.#settings.onDown?.();
        return;
      case "reconnected": {
        const info = this.#client.info;
        if (info !== undefined && !(this.#open && isSameLink(info, this.#info))) this.#reconnected(info);
        return;
      }
      case "stopping":
        this.#warn(
          "this NATS server is about to stop (lame duck mode); the node moves to another when it is cut off",
        );
        return;
      case "refused":
        this.#warn(`NATS permissions of this user forbid ${event.operation} of ${event.subject}`);
        return;
      case "failed":
        this.#warn(`NATS reports: ${event.reason}`);
        return;
    }
  }

  #dropped(): void {
    if (!this.#open || this.#ended) return;
    this.#open = false;
    this.#probes.clear();
    this.#rejectFlushes();
    this.#options.onStatus({ kind: "disconnected" });
  }

  #reconnected(info: NatsServerInfo): void {
    this.#dropped();
    if (this.#ended) return;
    this.#info = info;
    this.#open = true;
    this.#epoch += 1;
    this.#subscriptions.renewRefused();
    this.#options.onStatus({ kind: "connected", epoch: this.#epoch, serverId: info.server_id });
    if (!this.#ended) this.#settings.onUp?.(info);
  }

  async #followEnd(): Promise<void> {
    const error = await this.#client.closed();
    stopIterating(this.#statuses);
    if (this.#ended) return;
    this.#dropped();
    if (this.#ended) return;
    this.#ended = true;
    const unauthorized = isUnauthorized(error);
    this.#options.onStatus({ kind: "closed", unauthorized, ...(error instanceof Error ? { error } : {}) });
  }

  async #shut(): Promise<void> {
    const wasUp = this.#isUp();
    this.#ended = true;
    if (wasUp) await this.#flushWithin(CLOSE_FLUSH_MS);
    this.#rejectFlushes();
    stopIterating(this.#statuses);
    if (this.#settings.ours) {
      const closed = this.#client.close();
      this.#sweeper?.onClose();
      await closed;
    } else {
      this.#subscriptions.removeAll();
    }
  }

  /** Resolves when the server has taken everything, or cannot, or the time is up. */
  #flushWithin(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(limitMs, resolve);
      const settle = (): void => {
        cancel();
        resolve();
      };
      this.#client.flush().then(settle, settle);
      this.#client.closed().then(settle, settle);
    });
  }

  #rejectFlushes(): void {
    const rejects = [...this.#flushes];
    this.#flushes.clear();
    for (const reject of rejects)
      reject(new BusClosedError("the bus connection dropped before everything was taken"));
  }

  #warn(message: string): void {
    if (!this.#ended) this.#options.onStatus({ kind: "warning", message });
  }
}

/** An advisory as `$SYS.ACCOUNT.*.DISCONNECT` has it: `{ "client": { "name": … } }`. Anything else is none. */
function readClientName(data: Uint8Array): string | undefined {
  try {
    const advisory: unknown = JSON.parse(new TextDecoder().decode(data));
    const { name } = loose<"name">(loose<"client">(advisory).client);
    return typeof name === "string" && name !== "" ? name : undefined;
  } catch {
    return undefined;
  }
}
