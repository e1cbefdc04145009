import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/**
 * A proxy as some networks have it: browsers get plain HTTP through, and no WebSockets. Each of these begins with a tunnel, which
 * is refused, or kept waiting for ever.
 */
export class PlainProxy implements AsyncDisposable {
  /** Tunnels that were asked for. */
  tunnels = 0;
  /** Requests for long polls that went through. */
  polls = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(tunnels: "refuse" | "hold"): Promise<PlainProxy> {
    const server = createServer();
    const proxy = new PlainProxy(server);
    const held = new Set<Duplex>();
    server.on("connect", (_asked, socket: Duplex) => {
      proxy.tunnels += 1;
      socket.on("error", () => undefined);
      if (tunnels === "refuse") socket.end("HTTP/1.1 405 Method Not Allowed\r\n\r\n");
      else held.add(socket);
    });
    server.once("close", () => {
      for (const socket of held) socket.destroy();
    });
    server.on("request", (asked, answer) => {
      const { headers, method, url = "" } = asked;
      if (url.includes("/longpoll")) proxy.polls += 1;
      const on = request(url, { method, headers }, (answered) => {
        answer.writeHead(answered.statusCode ?? 502, answered.headers);
        answered.pipe(answer);
      });
      on.on("error", () => answer.destroy());
      answer.on("close", () => on.destroy());
      asked.pipe(on);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    this.#server.emit("close");
    await closed;
  }
}
