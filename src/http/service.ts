import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { safeLogger, warningsToStderr } from "../node/logger.ts";
import { realClock } from "../node/real-clock.ts";
import { SystemRandom } from "../node/system-random.ts";
import type { ClusterNode, Scope } from "../node/types.ts";
import { Access } from "./access.ts";
import { createApp } from "./app.ts";
import { Buckets } from "./buckets.ts";
import type { ServiceParts } from "./context.ts";
import { Readiness } from "./health.ts";
import { createMetrics } from "./metrics.ts";
import { Operations } from "./operations.ts";
import { isLoopback, parseServiceOptions, type ServiceOptions, type ServiceSettings } from "./options.ts";
import { INTERNAL_PROBLEM, type Problem, problemOf, ServiceError } from "./problem.ts";
import { secretId } from "./secrets.ts";
import { Sessions } from "./sessions.ts";
import { hasLeases, Watching } from "./watching.ts";
import { WebSockets } from "./websocket.ts";

/** An HTTP server in front of one node. */
export interface Service {
  /** Such as `http://127.0.0.1:4780`. */
  readonly url: string;
  readonly port: number;
  /**
   * Says `not ready` from now on, tells the sessions (`draining`), and goes on serving, for whoever sends it work to notice: for
   * so long, as the sessions are told, until `close`.
   */
  leave(options: { readonly deadlineMs: number }): void;
  /** Ends the sessions and streams, waits for requests under way, for `deadlineMs` at most, and closes. The node lives on. Idempotent. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
}

const CLOSE_MS = 5_000;
/** How often Node looks for clients that are too slow. */
const CHECK_CLIENTS_MS = 1_000;

/**
 * Serves a node over HTTP and WebSockets.
 *
 * @throws InvalidArgumentError for options that are wrong; whatever `listen` throws, such as for a port that is taken
 */
export async function startService(node: ClusterNode, options: ServiceOptions = {}): Promise<Service> {
  const settings = parseServiceOptions(options);
  const parts = await assemble(node, settings, safeLogger(options.logger ?? warningsToStderr));
  const service = new HttpService(parts, settings);
  try {
    await service.listen();
  } catch (error) {
    await service.close();
    throw error;
  }
  return service;
}

async function assemble(
  node: ClusterNode,
  { host, hosts, limits, origins, scopes, tokens }: ServiceSettings,
  logger: ServiceParts["logger"],
): Promise<ServiceParts> {
  const clock = realClock;
  const random = new SystemRandom();
  const opened = new Map<string, Scope>([["default", scopeOf(node)]]);
  for (const scope of scopes) if (!opened.has(scope)) opened.set(scope, await node.scope(scope));
  const isStrict = hasLeases(node);
  const readiness = await Readiness.create(node, clock, isStrict, secretId(random));
  const sessions = new Sessions({ node, scopes: opened, clock, random, limits });
  const watching = new Watching({
    node,
    scopes: [...opened.values()],
    clock,
    random,
    limits,
    logger,
    isStrict,
    onFreed: (pid, scope, name) => sessions.ofPid(pid)?.freed(scope, name),
  });
  return {
    node,
    clock,
    logger,
    limits,
    access: new Access({ tokens, hosts, origins, isLoopback: isLoopback(host) }),
    buckets: new Buckets(limits),
    sessions,
    operations: new Operations({ node, scopes: opened, sessions, limits }),
    watching,
    readiness,
    counts: { requests: new Map(), problems: new Map() },
  };
}

function scopeOf({ groups, names, strictNames }: ClusterNode): Scope {
  return { scope: "default", names, strictNames, groups };
}

class HttpService implements Service {
  readonly #parts: ServiceParts;
  readonly #settings: ServiceSettings;
  readonly #webSockets: WebSockets;
  readonly #server: Server;
  #port = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: ServiceParts, settings: ServiceSettings) {
    this.#parts = parts;
    this.#settings = settings;
    const { limits } = settings;
    this.#webSockets = new WebSockets(parts);
    const metrics = createMetrics(parts, this.#webSockets, settings.processMetrics);
    const app = createApp(parts, metrics, settings.origins);
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    this.#server = createServer(
      {
        maxHeaderSize: limits.headerBytes,
        requestTimeout: limits.requestMs,
        headersTimeout: Math.min(limits.requestMs, 10_000),
        connectionsCheckingInterval: CHECK_CLIENTS_MS,
        keepAliveTimeout: 10_000,
      },
      (incoming, outgoing) => {
        // Clients that keep their connections would come back to a closed door.
        if (parts.readiness.isLeaving) outgoing.setHeader("connection", "close");
        // HTTP/1.0 needs none, and probes speak it.
        incoming.headers.host ??= "localhost";
        void listener(incoming, outgoing);
      },
    );
    this.#server.maxConnections = limits.connections;
    this.#server.on("upgrade", (incoming, socket, head) => this.#upgrade(incoming, socket, head));
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    const { host } = this.#settings;
    return `http://${host.includes(":") ? `[${host}]` : host}:${this.port}`;
  }

  async listen(): Promise<void> {
    const { host, port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", reject);
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  leave({ deadlineMs }: { readonly deadlineMs: number }): void {
    this.#parts.readiness.leave();
    this.#parts.sessions.leave(deadlineMs);
  }

  close({ deadlineMs = CLOSE_MS }: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    const { clock, readiness, sessions, watching } = this.#parts;
    readiness.leave();
    sessions.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#webSockets.close();
    sessions.endAll();
    watching.stop();
    this.#server.closeIdleConnections();
    const withdraw = clock.after(deadlineMs, () => {
      this.#server.closeAllConnections();
      this.#webSockets.terminate();
    });
    await closed;
    withdraw();
    readiness.end();
  }

  #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { buckets, clock, logger } = this.#parts;
    // Its end is the connection's.
    socket.on("error", () => {});
    if (incoming.headers.upgrade?.toLowerCase() !== "websocket") {
      this.#ignoreUpgrade(incoming, socket);
      return;
    }
    try {
      const url = urlOf(incoming);
      if (buckets.take(incoming.socket.remoteAddress ?? "", clock.now()) > 0)
        throw new ServiceError("RATE_LIMITED", "too many requests");
      this.#webSockets.check(incoming);
      this.#webSockets.accept(incoming, socket, head, url);
    } catch (error) {
      const problem = problemOf(error);
      if (problem === undefined) logger.error({ error }, "an upgrade to a WebSocket failed");
      this.#refuse(socket, problem ?? INTERNAL_PROBLEM);
    }
  }

  /**
   * A server may leave another protocol that is offered alone: some clients offer HTTP/2 each time. A body cannot be had any more
   * from here.
   */
  #ignoreUpgrade(incoming: IncomingMessage, socket: Duplex): void {
    const { headers } = incoming;
    if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0) {
      const problem = problemOf(
        new ServiceError("BAD_REQUEST", "send bodies over HTTP/1.1, without an Upgrade"),
      );
      this.#refuse(socket, problem ?? INTERNAL_PROBLEM);
      return;
    }
    const outgoing = new ServerResponse(incoming);
    outgoing.setHeader("connection", "close");
    outgoing.assignSocket(socket as Socket);
    outgoing.on("finish", () => socket.end());
    this.#server.emit("request", incoming, outgoing);
  }

  /** An upgrade has no response of Node's: it is written by hand, and the connection closed whatever the client does. */
  #refuse(socket: Duplex, problem: Problem): void {
    const body = JSON.stringify(problem);
    socket.end(
      `HTTP/1.1 ${problem.status} ${problem.title}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    const withdraw = this.#parts.clock.after(CLOSE_MS, () => socket.destroy());
    socket.once("close", withdraw);
  }
}

function urlOf({ url = "/" }: IncomingMessage): URL {
  const base = "http://localhost";
  if (!URL.canParse(url, base)) throw new ServiceError("BAD_REQUEST", "the address cannot be read");
  return new URL(url, base);
}
