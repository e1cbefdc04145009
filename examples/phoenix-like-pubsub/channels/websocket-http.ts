import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Clients } from "./clients.ts";
import type { ChannelLimits } from "./limits.ts";
import { headerOf, PROTOCOL, paramsOf, speaksVersion, tokenOfProtocols } from "./request.ts";
import { WebSocketTransport } from "./websocket.ts";

const OWN_PARAMS = new Set(["vsn"]);

/** The beginning of WebSockets. Who is refused is told so by HTTP, before there is one. */
export class WebSocketHttp {
  readonly #clients: Clients;
  readonly #limits: ChannelLimits;
  readonly #server: WebSocketServer;

  constructor(clients: Clients, limits: ChannelLimits) {
    this.#clients = clients;
    this.#limits = limits;
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: limits.frameBytes,
      // A client that offers protocols closes if none of them is chosen.
      handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
    });
  }

  get size(): number {
    return this.#server.clients.size;
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer, query: URLSearchParams): void {
    // Whoever hangs up is not answered.
    socket.on("error", () => {});
    void this.#begin(request, socket, head, query);
  }

  async #begin(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    query: URLSearchParams,
  ): Promise<void> {
    if (!this.#clients.isFromAllowed(request)) {
      this.#refuse(socket, "403 Forbidden");
      return;
    }
    if (!speaksVersion(query)) {
      this.#clients.counts.refused.version += 1;
      this.#refuse(socket, "403 Forbidden");
      return;
    }
    const client = await this.#clients.admit(request, {
      params: paramsOf(query, OWN_PARAMS),
      authToken: tokenOfProtocols(headerOf(request.headers, "sec-websocket-protocol")),
      transport: "websocket",
    });
    if (client.kind !== "admitted") {
      this.#refuse(socket, client.kind === "full" ? "503 Service Unavailable" : "403 Forbidden");
      return;
    }
    let isOpen = false;
    socket.once("close", () => {
      if (!isOpen) client.giveUp();
    });
    if (socket.destroyed) {
      client.giveUp();
      isOpen = true;
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      isOpen = true;
      const transport = new WebSocketTransport(opened, this.#limits, (cause) =>
        this.#clients.countClosed(cause),
      );
      client.open(transport);
    });
  }

  /** Whoever neither reads this nor hangs up would keep the connection for ever: nothing else watches one that asked for an upgrade. */
  #refuse(socket: Duplex, status: string): void {
    const patience = setTimeout(() => socket.destroy(), this.#limits.closeMs);
    socket.once("close", () => clearTimeout(patience));
    socket.once("finish", () => socket.destroy());
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  }
}
