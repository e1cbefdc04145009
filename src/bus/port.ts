import type { Clock } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";

/**
 * What carries frames between nodes. It promises what core NATS promises and no more: at most once; in order from one
 * connection to another; nothing kept for those who are away; silent loss when a connection or a route breaks.
 */
export interface Bus {
  readonly kind: "nats" | "embedded" | "memory";
  /**
   * Resolves when connected for the first time. Rejects with `UnauthorizedError` when the bus refuses the credentials, with
   * `BusClosedError` when it cannot be reached, and with the signal's reason when it aborts first.
   */
  connect(options: BusConnectOptions): Promise<BusConnection>;
}

export interface BusConnectOptions {
  /** Shown in the server's own tools and in its disconnect advisories: the node id. */
  readonly clientName: string;
  readonly signal?: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Every message of every subscription, in the order of arrival; once for each subscription that it matches. The bytes may be
   * a view: copy what is kept. Must not throw. An empty message is somebody's probe, and is not told. A connection that the user
   * made may echo, so that this node's own messages come back: they are told like any other, and the node must know its own.
   */
  onMessage(subject: string, data: Uint8Array): void;
  /** A probe reached the server and nobody else is subscribed to its subject. */
  onNoResponders(subject: string): void;
  onStatus(status: BusStatus): void;
}

export type BusStatus =
  /** Connected again after a drop. `epoch` has gone up: anything sent since the drop may be lost, in both directions. */
  | { readonly kind: "connected"; readonly epoch: number; readonly serverId: string }
  | { readonly kind: "disconnected" }
  /** For good: the user's connection was closed, or the credentials were revoked. Not after our own close(). */
  | { readonly kind: "closed"; readonly error?: Error; readonly unauthorized: boolean }
  /**
   * The bus says that a connection of this client (the node id it gave as clientName) has ended. It may have made another by
   * now: on NATS every reconnect is told this way.
   */
  | { readonly kind: "advisory"; readonly clientName: string }
  /** Something the user should see: a permission that is missing, a server about to stop. */
  | { readonly kind: "warning"; readonly message: string };

export interface BusConnection {
  /** Which server of the bus this connection is on now. Equal on two nodes: they share a server. */
  readonly serverId: string;
  /** 1 at first, one more at each reconnect. */
  readonly epoch: number;
  readonly connected: boolean;
  /** The largest message the bus takes, in bytes. */
  readonly maxPayload: number;
  /**
   * `*` stands for one token. Kept through reconnects. Subjects are made by this library out of plain tokens: no adapter checks
   * them. Subscribing to a subject twice is the same as once.
   */
  subscribe(subject: string): void;
  unsubscribe(subject: string): void;
  /**
   * False, and nothing taken, while disconnected (what NATS clients accept then is lost), for more than `maxPayload` bytes, and
   * after close(). The bytes are not copied: they must not change afterwards.
   */
  publish(subject: string, data: Uint8Array): boolean;
  /**
   * Sends an empty message that asks to be told when nobody is subscribed. Several may be under way at once. False when it was
   * not sent: while disconnected, or on a server too old to answer.
   */
  probe(subject: string): boolean;
  /** Resolves when the server has taken everything published before. Rejects when the connection drops meanwhile. */
  flush(): Promise<void>;
  /** Sends what is pending, then closes. Idempotent. Nothing is called back afterwards. */
  close(): Promise<void>;
}
