import { createServer, type Socket } from "node:net";

/** A listener on a loopback port that says what it is told to, by default nothing, and counts who is there. */
export class SilentServer implements AsyncDisposable {
  readonly port: number;
  readonly #close: () => Promise<void>;
  readonly #sockets: Set<Socket>;
  #connections = 0;

  private constructor(port: number, sockets: Set<Socket>, close: () => Promise<void>) {
    this.port = port;
    this.#sockets = sockets;
    this.#close = close;
  }

  static start(
    options: { port?: number; greeting?: string; reply?: (data: string) => string } = {},
  ): Promise<SilentServer> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => socket.write(options.reply?.(chunk.toString("latin1")) ?? ""));
      if (options.greeting !== undefined) socket.write(options.greeting);
    });
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: options.port ?? 0, exclusive: true }, () => {
        const address = server.address();
        if (address === null || typeof address === "string") reject(new Error("no port"));
        else {
          const silent = new SilentServer(address.port, sockets, close);
          server.on("connection", () => {
            silent.#connections += 1;
          });
          resolve(silent);
        }
      });
    });
  }

  /** To everybody who is connected. */
  say(text: string): void {
    for (const socket of this.#sockets) socket.write(text);
  }

  /** Connections there have been. */
  get connections(): number {
    return this.#connections;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
