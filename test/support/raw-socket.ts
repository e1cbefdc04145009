import { WebSocket } from "ws";
import { eventually } from "./eventually.ts";

/** What a server sent: a text frame, taken apart, or bytes. */
export type RawFrame = readonly unknown[] | Buffer;

/** A WebSocket that says exactly what it is told to. */
export class RawSocket implements AsyncDisposable {
  readonly frames: RawFrame[] = [];
  readonly socket: WebSocket;
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #closing: Promise<void>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer, isBinary) => {
      this.frames.push(isBinary ? data : (JSON.parse(data.toString()) as readonly unknown[]));
    });
    this.#closing = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        this.closed = { code, reason: reason.toString() };
        resolve();
      });
    });
    socket.on("error", () => {});
  }

  /** Rejects with `HTTP <status>` when it is refused. */
  static open(
    url: string,
    {
      protocols,
      ...options
    }: { readonly protocols?: string[]; readonly headers?: Record<string, string> } = {},
  ): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url}/websocket?vsn=2.0.0`, protocols, options);
      RawSocket.#settle(socket, resolve, reject);
    });
  }

  /** With a query of your own. */
  static openUrl(url: string, headers: Record<string, string> = {}): Promise<RawSocket> {
    return new Promise((resolve, reject) =>
      RawSocket.#settle(new WebSocket(url, { headers }), resolve, reject),
    );
  }

  static #settle(
    socket: WebSocket,
    resolve: (socket: RawSocket) => void,
    reject: (error: Error) => void,
  ): void {
    const raw = new RawSocket(socket);
    socket.on("unexpected-response", (request, response) => {
      request.destroy();
      reject(new Error(`HTTP ${response.statusCode}`));
    });
    socket.once("error", reject);
    socket.once("open", () => resolve(raw));
  }

  send(...frame: readonly unknown[]): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Waits for the frames that follow those which were taken before. */
  async take(count = 1): Promise<readonly RawFrame[]> {
    await eventually(() => this.frames.length >= count, {
      what: () => `there are ${JSON.stringify(this.frames)}, closed ${JSON.stringify(this.closed)}`,
    });
    return this.frames.splice(0, count);
  }

  /** What a heartbeat is answered comes after the answers to all that was sent before. */
  async quiet(): Promise<readonly RawFrame[]> {
    this.send(null, "quiet", "phoenix", "heartbeat", {});
    const isAnswer = (frame: RawFrame): boolean => Array.isArray(frame) && frame[1] === "quiet";
    await eventually(() => this.frames.some(isAnswer));
    return this.frames.splice(0).filter((frame) => !isAnswer(frame));
  }

  async whenClosed(): Promise<{ readonly code: number; readonly reason: string }> {
    await this.#closing;
    return this.closed ?? { code: 0, reason: "" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.#closing;
  }
}
