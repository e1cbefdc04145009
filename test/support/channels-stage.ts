import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  defineSocket,
  type PhoenixSocket,
  type SocketOptions,
} from "../../examples/phoenix-like-pubsub/channels/index.ts";
import { type ClusterNode, embeddedBus, type Logger, startNode } from "../../src/index.ts";
import { freePort } from "./free-port.ts";

/** One node that serves channels. */
export interface StagedServer {
  readonly node: ClusterNode;
  readonly socket: PhoenixSocket;
  readonly server: Server;
  readonly port: number;
  /** What a `Socket` of the client is given. */
  readonly url: string;
  readonly http: string;
  /** What was logged, warnings and errors. */
  readonly complaints: string[];
}

export type StagedOptions<State extends object> = Omit<SocketOptions<State>, "node">;

/** Nodes of one cluster on an embedded bus, each with an HTTP server. */
export class ChannelsStage implements AsyncDisposable {
  readonly busPort: number;
  readonly #servers: StagedServer[] = [];
  #started = 0;

  private constructor(busPort: number) {
    this.busPort = busPort;
  }

  static async open(): Promise<ChannelsStage> {
    return new ChannelsStage(await freePort());
  }

  /** @param port that of a server which is not there any more; default: any */
  async start<State extends object>(options: StagedOptions<State>, port = 0): Promise<StagedServer> {
    const complaints: string[] = [];
    const logger = loggerTo(complaints);
    this.#started += 1;
    const node = await startNode({
      cluster: "channels",
      name: `n${this.#started}`,
      bus: embeddedBus({ port: this.busPort }),
      failureDetection: { discoveryMs: 50, disconnectGraceMs: 100, probeEveryMs: 50 },
      logger,
    });
    const socket = defineSocket<State>({ logger, ...options, node });
    const server = createServer((_request, response) => response.writeHead(404).end("not here"));
    socket.attach(server);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const bound = (server.address() as AddressInfo).port;
    const staged: StagedServer = {
      node,
      socket,
      server,
      port: bound,
      url: `ws://127.0.0.1:${bound}/socket`,
      http: `http://127.0.0.1:${bound}/socket`,
      complaints,
    };
    this.#servers.push(staged);
    return staged;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { node, server, socket } of this.#servers) {
      await socket.stop();
      await node.stop();
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    }
  }
}

/** How many TCP connections a server has. */
export function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
}

/** Keeps warnings and errors, with what was thrown. */
export function loggerTo(complaints: string[]): Logger {
  const keep = (details: object, message: string): void => {
    const { error } = details as { readonly error?: unknown };
    complaints.push(error instanceof Error ? `${message}: ${error.message}` : message);
  };
  return { debug() {}, info() {}, warn: keep, error: keep };
}
