import { once } from "node:events";
import { WebSocket } from "ws";
import { eventually } from "./eventually.ts";

interface Received {
  readonly welcome?: Readonly<Record<string, unknown>>;
  readonly event?: Readonly<Record<string, unknown>>;
  readonly id?: number | string | null;
  readonly ok?: Readonly<Record<string, unknown>>;
  readonly error?: Readonly<Record<string, unknown>>;
}

/** A session over a WebSocket. */
export class SocketClient implements Disposable {
  readonly received: Received[] = [];
  readonly closed: Promise<readonly [code: number, reason: string]>;
  readonly #socket: WebSocket;
  // Far from what tests write by hand.
  #lastId = 1_000;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.received.push(JSON.parse(String(data))));
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve([code, String(reason)]));
    });
  }

  /** @param protocols what is offered besides the service's own */
  static async connect(
    url: string,
    path = "/v1/socket",
    protocols: readonly string[] = [],
  ): Promise<SocketClient> {
    const socket = new WebSocket(`${url.replace("http", "ws")}${path}`, ["rollcall.v1", ...protocols]);
    const client = new SocketClient(socket);
    await once(socket, "open");
    await eventually(() => client.received.length > 0, { withinMs: 20_000 });
    return client;
  }

  get session(): string {
    return String(this.received[0]?.welcome?.["session"]);
  }

  get pid(): string {
    return String(this.received[0]?.welcome?.["pid"]);
  }

  get events(): readonly Readonly<Record<string, unknown>>[] {
    return this.received.flatMap(({ event }) => (event === undefined ? [] : [event]));
  }

  async ask(op: string, words: Readonly<Record<string, unknown>> = {}): Promise<Received> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.send({ id, op, ...words });
    const isAnswer = (one: Received) => one.id === id;
    await eventually(() => this.received.some(isAnswer), { withinMs: 20_000 });
    return this.received.find(isAnswer) as Received;
  }

  send(message: unknown): void {
    this.#socket.send(
      typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message),
    );
  }

  async saw(
    isIt: (event: Readonly<Record<string, unknown>>) => boolean,
  ): Promise<Readonly<Record<string, unknown>>> {
    await eventually(() => this.events.some(isIt), { withinMs: 20_000 });
    return this.events.find(isIt) ?? {};
  }

  close(): void {
    this.#socket.close(1_000);
  }

  /** As when the machine is gone. */
  drop(): void {
    this.#socket.terminate();
  }

  [Symbol.dispose](): void {
    this.drop();
  }
}
