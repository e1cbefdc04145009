import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";
import type {
  ClusterNode,
  ExitReason,
  Logger,
  Pid,
  Presence,
  PresenceMeta,
  Presences,
  Process,
  PubSub,
} from "rollcall";
import type { Answer } from "./answer.ts";
import type { ChannelLimits } from "./limits.ts";
import type { CheckOrigin } from "./origin.ts";
import type { ConnectRequest } from "./request.ts";

type Awaitable<T> = T | PromiseLike<T>;

/** What the server keeps about a client, if nothing else is said of its type: what `connect` gave. Each channel has a copy. */
export type Assigns = Record<string, unknown>;

/** Why a channel ends. */
export type ChannelEnd =
  /** The client left. */
  | { readonly kind: "left" }
  /** The client joined the topic anew, which ends the earlier channel. */
  | { readonly kind: "rejoined" }
  /** The client is gone, or was sent away. */
  | { readonly kind: "closed" }
  /** `context.stop()`. */
  | { readonly kind: "stopped" }
  /** One of its functions threw. */
  | { readonly kind: "error"; readonly error: unknown }
  /** Its process ended otherwise: by `exit`, by a clash of names, with its node. */
  | { readonly kind: "exited"; readonly reason: ExitReason };

/**
 * What clients can do in a topic. Each client that joins has a process, in which these functions run, one at a time and in the
 * order in which things came. One that throws ends the process: the client is told, and joins again by itself. After
 * Phoenix.Channel.
 */
export interface Channel<State extends object = Assigns> {
  /** Pushes `presence_state` to everybody who joins, and then each `presence_diff`: what `Presence` of the client reads. */
  readonly presence?: boolean;
  /** `ok(response?)` lets the client in, `refuse(reason?)` keeps it out. What is pushed here arrives right after the answer. */
  join(payload: unknown, context: ChannelContext<State>): Awaitable<Answer>;
  /** An event that the client pushed. What it returns answers it, if anything. Without this function events are an error. */
  handleIn?(event: string, payload: unknown, context: ChannelContext<State>): Awaitable<Answer | undefined>;
  /** A message to the process, sent, published or broadcast by others. What it returns answers a call. */
  handleInfo?(message: unknown, context: ChannelContext<State> & { readonly from: Pid | undefined }): unknown;
  /** Once, if the client had been let in. The process lives until it is done, but no longer than `closeMs`. */
  terminate?(end: ChannelEnd, context: ChannelContext<State>): Awaitable<void>;
}

/** One client in one topic. */
export interface ChannelContext<State extends object = Assigns> {
  readonly topic: string;
  /** Its own: a copy of what `connect` gave, to be changed as you like. */
  readonly assigns: State;
  readonly node: ClusterNode;
  /** It can be registered, monitored, called; and put into groups. It ends with the channel. */
  readonly process: Process;
  /** Aborted when the channel is to end: what it waits for is not wanted any more. */
  readonly signal: AbortSignal;
  readonly presence: ChannelPresence;
  /** To this client. @throws UnsendableError for what neither JSON nor bytes can say, and for more than `limits.outboundBytes` */
  push(event: string, payload?: unknown): void;
  /**
   * To all clients in the topic, on all nodes.
   *
   * @throws UnsendableError for what neither JSON nor bytes can say, for bytes within JSON, and for more than
   *   `limits.outboundBytes`; and what `PubSub.broadcast` throws
   */
  broadcast(event: string, payload?: unknown): void;
  /** To all but this one. */
  broadcastFrom(event: string, payload?: unknown): void;
  /** Ends the channel as if the client had left, when what came before is done. The client does not join again by itself. */
  stop(): void;
}

/** Who is in the topic, as far as this channel says so, and as far as it can see. */
export interface ChannelPresence {
  track(key: string, meta?: object): PresenceMeta;
  update(key: string, meta: object | ((meta: PresenceMeta) => object)): PresenceMeta;
  untrack(key?: string): void;
  list(): Presences;
  getByKey(key: string): readonly PresenceMeta[];
}

export interface SocketOptions<State extends object = Assigns> {
  readonly node: ClusterNode;
  /** What clients give to `new Socket(…)`: below it are `/websocket` and `/longpoll`. Default `/socket`. */
  readonly path?: string | undefined;
  /** By topic, or by the beginning of topics with a `*` behind it; of several the longest counts. */
  readonly channels: Readonly<Record<string, Channel<State>>>;
  /** Who may connect: gives what is known of the client, or `refuse()`. Throwing refuses too, and is logged. Default: everybody. */
  readonly connect?: ((request: ConnectRequest) => Awaitable<State | Answer>) | undefined;
  /** By what `disconnect` finds all sockets of, say, one user. */
  readonly id?: ((assigns: State) => string | undefined) | undefined;
  /** Default: pages of the host that they connect to. */
  readonly checkOrigin?: CheckOrigin | undefined;
  /** Sockets of one name share their topics, in the whole cluster. As the `name` of `createPubSub`; default `channels`. */
  readonly name?: string | undefined;
  readonly limits?: Partial<ChannelLimits> | undefined;
  /** Told of channels that crash, and of clients that are sent away. Default: standard error, warnings and errors only. */
  readonly logger?: Logger | undefined;
}

export interface DrainOptions {
  /** How many sockets are closed at once. Default 1,000. */
  readonly batch?: number | undefined;
  /** How long to wait between two batches, for those who come back to be served elsewhere. Default 2,000. */
  readonly everyMs?: number | undefined;
}

export interface SocketStats {
  readonly webSockets: number;
  readonly longPolls: number;
  readonly channels: number;
  /** Topics with a channel on this node. */
  readonly topics: number;
  /** Since the start. */
  readonly refused: {
    readonly origin: number;
    readonly version: number;
    readonly connect: number;
    readonly full: number;
  };
  /** Sockets that were sent away, since the start. */
  readonly closed: {
    readonly idle: number;
    readonly slow: number;
    readonly malformed: number;
    readonly disconnected: number;
  };
  readonly crashes: number;
  /** Bytes for clients that long-poll, which get none. */
  readonly binaryDropped: number;
}

/** What a message to all clients of a topic is, on the pub-sub. Who subscribes there gets these; who broadcasts one reaches them. */
export interface Broadcast {
  readonly event: string;
  readonly payload: unknown;
}

/** Serves the clients of one path on one node. */
export interface PhoenixSocket extends AsyncDisposable {
  readonly pubsub: PubSub;
  readonly presence: Presence;
  /** Serves the path on this server from now on. What is not for it goes to the other listeners of the server, as before. */
  attach(server: Server | SecureServer): void;
  /** For servers of your own making: false for a request that is for somebody else, which is left alone. */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** To all clients in a topic, on all nodes. @throws UnsendableError, and what `PubSub.broadcast` throws */
  broadcast(topic: string, event: string, payload?: unknown): void;
  /** Closes all sockets of this id, on all nodes. Their clients connect again, and can be refused then. */
  disconnect(id: string): void;
  /** Takes no new sockets, and sends those that there are to the other nodes, batch by batch. Resolves when all channels have ended. */
  drain(options?: DrainOptions): Promise<void>;
  /** Closes everything, at once, and resolves when all channels have ended. Idempotent; it also happens when the node stops. */
  stop(): Promise<void>;
  stats(): SocketStats;
}
