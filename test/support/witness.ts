import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { WitnessRecord } from "./witness-record.ts";
import type { Line } from "./worker/witness-client.ts";

/**
 * A resource that strict names protect, as users are told to build one: of each name it takes no lower token than it has seen. And it
 * writes down what the processes that use it tell.
 */
export class Witness implements AsyncDisposable {
  readonly record = new WitnessRecord();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #highest = new Map<string, number>();
  #taken = 0;
  #refused = 0;
  #clients = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => this.#accept(socket));
  }

  static start(): Promise<Witness> {
    const server = createServer({ noDelay: true });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: 0 }, () => resolve(new Witness(server)));
    });
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  /** Writes so far. */
  get counts(): { readonly taken: number; readonly refused: number } {
    return { taken: this.#taken, refused: this.#refused };
  }

  /** Nobody is connected: everything that was said has arrived. */
  get isQuiet(): boolean {
    return this.#sockets.size === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    this.#clients += 1;
    const client = this.#clients;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // Whoever is killed leaves a connection that is reset, and what it said before is read all the same.
    const ignore = (): void => undefined;
    socket.on("error", ignore);
    createInterface({ input: socket })
      .on("error", ignore)
      .on("line", (line) => this.#hear(socket, client, line));
  }

  #hear(socket: Socket, client: number, text: string): void {
    const line = parsed(text);
    if (line === undefined) return;
    if ("note" in line) {
      this.record.add(line.name, client, line.note);
      return;
    }
    const { name, token, write } = line;
    const isTaken = token >= (this.#highest.get(name) ?? 0);
    if (isTaken) this.#highest.set(name, token);
    if (isTaken) this.#taken += 1;
    else this.#refused += 1;
    socket.write(`${JSON.stringify([write, isTaken])}\n`);
  }
}

/** Who is killed may leave half a line. */
function parsed(line: string): Line | undefined {
  try {
    return JSON.parse(line) as Line;
  } catch {
    return undefined;
  }
}
