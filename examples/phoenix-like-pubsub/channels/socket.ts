import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";
import {
  createPresence,
  createPubSub,
  InvalidArgumentError,
  type Logger,
  type Presence,
  type PubSub,
} from "rollcall";
import { Clients } from "./clients.ts";
import type { ConnectionServices } from "./connection.ts";
import { checkLimits } from "./limits.ts";
import { LongPollHttp } from "./longpoll-http.ts";
import { originCheck } from "./origin.ts";
import { PresenceFeeds } from "./presence-feeds.ts";
import { targetOf } from "./request.ts";
import { Routes } from "./routes.ts";
import { sleep } from "./sleep.ts";
import { Topics } from "./topics.ts";
import type { Assigns, Channel, DrainOptions, PhoenixSocket, SocketOptions, SocketStats } from "./types.ts";
import { serveUpgrades } from "./upgrades.ts";
import { WebSocketHttp } from "./websocket-http.ts";

const DEFAULT_PATH = "/socket";
const DEFAULT_NAME = "channels";
const DRAIN_BATCH = 1_000;
const DRAIN_EVERY_MS = 2_000;

/** The topic, on a pub-sub of its own, by which nodes tell each other whom to disconnect. */
const DISCONNECTS = "disconnects";

/**
 * Serves the clients of npm package `phoenix`, by WebSocket and by long polling, on one node. Any number of nodes of a cluster may
 * do so, side by side; their clients share topics and presences.
 *
 * @throws InvalidArgumentError, BusClosedError, LimitExceededError
 */
export function defineSocket<State extends object = Assigns>(options: SocketOptions<State>): PhoenixSocket {
  // What `connect` gives goes to `id` and to the channels, which were written for it; nothing in between reads it.
  return new NodeSocket(options as unknown as SocketOptions);
}

class NodeSocket implements PhoenixSocket {
  readonly pubsub: PubSub;
  readonly presence: Presence;
  readonly #path: string;
  readonly #control: PubSub;
  readonly #topics: Topics;
  readonly #services: ConnectionServices;
  readonly #clients: Clients;
  readonly #webSockets: WebSocketHttp;
  readonly #longPolls: LongPollHttp;
  readonly #stopping = new AbortController();
  readonly #detach: (() => void)[] = [];
  #stopped: Promise<void> | undefined;

  constructor(options: SocketOptions) {
    const { channels, connect, id, logger = warningsToStderr, name = DEFAULT_NAME, node } = options;
    const limits = checkLimits(options.limits);
    this.#path = checkPath(options.path ?? DEFAULT_PATH);
    const routes = new Routes<Channel>(channels);
    const checkOrigin = originCheck(options.checkOrigin);
    this.pubsub = createPubSub(node, { name });
    this.presence = createPresence(this.pubsub);
    this.#control = createPubSub(node, { name: `${name}-control` });
    this.#topics = new Topics({ node, pubsub: this.pubsub, limits, logger });
    this.#services = {
      node,
      topics: this.#topics,
      presence: this.presence,
      feeds: new PresenceFeeds(this.presence, logger, limits),
      limits,
      logger,
      routes,
      counts: { crashes: 0, binaryDropped: 0, channels: 0 },
    };
    this.#clients = new Clients({ connect, id, checkOrigin, services: this.#services, logger });
    this.#webSockets = new WebSocketHttp(this.#clients, limits);
    this.#longPolls = new LongPollHttp(this.#clients, limits);
    const { signal } = this.#stopping;
    this.#control.subscribe(DISCONNECTS, (message) => this.#disconnected(message), { signal });
    void node.closed.then(() => this.stop());
  }

  attach(server: Server | SecureServer): void {
    const others = server.listeners("request") as ((...args: readonly unknown[]) => void)[];
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      if (this.handleRequest(request, response)) return;
      for (const other of others) other.call(server, request, response);
    };
    // Else the server's own listener would answer, too, what is for this one.
    server.removeAllListeners("request").on("request", onRequest);
    const endUpgrades = serveUpgrades(server, (...upgrade) => this.handleUpgrade(...upgrade));
    this.#detach.push(() => {
      endUpgrades();
      if (!server.listeners("request").includes(onRequest)) return;
      server.off("request", onRequest);
      for (const other of others) server.on("request", other);
    });
  }

  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const { path, query } = targetOf(request);
    if (path !== `${this.#path}/longpoll`) return false;
    this.#longPolls.handle(request, response, query);
    return true;
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const { path, query } = targetOf(request);
    if (path !== `${this.#path}/websocket`) return false;
    this.#webSockets.handle(request, socket, head, query);
    return true;
  }

  broadcast(topic: string, event: string, payload: unknown = {}): void {
    this.#topics.broadcast(topic, { event, payload });
  }

  disconnect(id: string): void {
    this.#control.broadcast(DISCONNECTS, { id });
  }

  async drain({ batch = DRAIN_BATCH, everyMs = DRAIN_EVERY_MS }: DrainOptions = {}): Promise<void> {
    if (!Number.isInteger(batch) || batch < 1)
      throw new InvalidArgumentError("batch", batch, "a whole number of 1 or more");
    this.#clients.leave();
    const left = [...this.#clients.connections];
    while (left.length > 0 && !this.#stopping.signal.aborted) {
      for (const connection of left.splice(0, batch)) connection.close("restart");
      if (left.length > 0) await sleep(everyMs, this.#stopping.signal);
    }
    // Who awaits this stops the node next, under channels that may still have something to do.
    await this.#clients.ended();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  stats(): SocketStats {
    const { closed, refused } = this.#clients.counts;
    const { binaryDropped, channels, crashes } = this.#services.counts;
    const { disconnected, idle, malformed, slow } = closed;
    return {
      webSockets: this.#webSockets.size,
      longPolls: this.#longPolls.size,
      channels,
      topics: this.#topics.size,
      refused: { ...refused },
      closed: { disconnected, idle, malformed, slow },
      crashes,
      binaryDropped,
    };
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    for (const detach of this.#detach) detach();
    this.#clients.leave();
    for (const connection of this.#clients.connections) connection.close("restart");
    await this.#clients.ended();
  }

  #disconnected(message: unknown): void {
    // Anybody may broadcast there.
    if (typeof message !== "object" || message === null || !("id" in message)) return;
    for (const connection of this.#clients.connections)
      if (connection.id !== undefined && connection.id === message.id) connection.close("disconnected");
  }
}

function checkPath(path: string): string {
  if (/^(?:\/[^/?#]+)+$/.test(path)) return path;
  throw new InvalidArgumentError("path", path, "a path such as /socket");
}

const warningsToStderr: Logger = {
  debug() {},
  info() {},
  warn: (details, message) => console.error(message, details),
  error: (details, message) => console.error(message, details),
};
