import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { Redis } from "ioredis";
import type { RedisAddress } from "./address.ts";
import type { Argument } from "./wire.ts";

/** How long a close waits for what is pending to be written, and then for the server to hang up too. A hung one must not hold it. */
const CLOSE_MS = 1_000;

export interface ConnectionSettings {
  readonly address: RedisAddress;
  readonly tls: ConnectionOptions | undefined;
  /** Commands that get no answer for so long end the connection. */
  readonly silentMs: number;
}

/**
 * One TCP connection to one server, from dial to end. `ioredis` can reconnect, queue while it does, and send commands again that
 * it had no answer to. All of that is off, and a client is used for one connection only: what was sent on it is carried out
 * once, or not at all.
 */
export class RedisConnection {
  readonly #client: Redis;
  readonly #ended: Promise<void>;
  #lastError: string | undefined;

  /** @param onOpen the server took the connection; nothing has been said yet */
  constructor(settings: ConnectionSettings, onOpen: () => void, onEnd: (reason: string) => void) {
    const { address, silentMs, tls } = settings;
    const serverName = isIP(address.host) === 0 ? { servername: address.host } : {};
    this.#client = new Redis({
      host: address.host,
      port: address.port,
      ...(address.tls ? { tls: { ...serverName, ...tls } } : {}),
      protocol: 2,
      // The greeting is made by us, password included: the client would write to the console what it thinks of it.
      disableClientInfo: true,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      reconnectOnError: null,
      connectTimeout: silentMs,
      socketTimeout: silentMs,
      disconnectTimeout: CLOSE_MS,
      lazyConnect: true,
    });
    this.#client.on("error", (error: unknown) => {
      this.#lastError ??= error instanceof Error ? error.message : String(error);
    });
    this.#client.once("ready", onOpen);
    this.#ended = new Promise((resolve) => {
      this.#client.once("end", () => {
        resolve();
        onEnd(this.#lastError ?? "it hung up");
      });
    });
    // It rejects when the connection ends, which `end` tells too.
    this.#client.connect().catch(() => undefined);
  }

  /**
   * Sends at once. Rejects with what the server says against it, or when the connection ends before the answer. Texts in the
   * answer are bytes.
   */
  command(name: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.#client.callBuffer(name, args as (string | Buffer | number)[]);
  }

  /** Sends what is pending, then hangs up. Resolves when the socket is gone. Idempotent. */
  close(): Promise<void> {
    this.#client.disconnect();
    return this.#ended;
  }
}
