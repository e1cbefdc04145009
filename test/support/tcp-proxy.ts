import { createConnection, createServer, type Server, type Socket } from "node:net";

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/**
 * A TCP proxy on a loopback port, to hurt a connection with. `cut` resets what goes through and refuses new ones, while it goes
 * on listening; `stall` lets nothing through and tells neither side, as a dead router does; `heal` ends either.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<Pair>();
  #state: "open" | "cut" | "stalled" = "open";
  #connections = 0;
  #forwarded = 0;

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (near) => this.#accept(near));
  }

  static start(targetPort: number, port = 0): Promise<TcpProxy> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
        resolve(new TcpProxy(server, { host: "127.0.0.1", port: targetPort }));
      });
    });
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  /** Connections that came while it was open, so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Bytes that went on to the target, so far. */
  get forwarded(): number {
    return this.#forwarded;
  }

  cut(): void {
    this.#state = "cut";
    for (const pair of this.#pairs) {
      pair.near.resetAndDestroy();
      pair.far.resetAndDestroy();
    }
  }

  stall(): void {
    this.#state = "stalled";
    this.stallOpen();
  }

  /** As `stall`, for what is open now; new connections pass. */
  stallOpen(): void {
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  heal(): void {
    this.#state = "open";
    for (const { near, far } of this.#pairs) {
      near.resume();
      far.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(near: Socket): void {
    near.on("error", () => undefined);
    if (this.#state === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = createConnection(this.#target);
    const pair = { near, far };
    this.#pairs.add(pair);
    this.#connections += 1;
    far.on("error", () => near.destroy());
    near.setNoDelay(true);
    far.setNoDelay(true);
    near.on("data", (chunk) => {
      far.write(chunk);
      this.#forwarded += chunk.length;
    });
    far.on("data", (chunk) => near.write(chunk));
    near.on("close", () => this.#end(pair));
    far.on("close", () => this.#end(pair));
    if (this.#state === "stalled") {
      near.pause();
      far.pause();
    }
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.near.destroy();
    pair.far.destroy();
  }
}
