import type { RawData, WebSocket } from "ws";
import type { ServedTransport } from "./clients.ts";
import type { CloseCause, Connection } from "./connection.ts";
import type { ChannelLimits } from "./limits.ts";
import type { Frame } from "./messages.ts";

/** What the client is told when it is sent away. It connects again after any of them. */
export const CLOSE_CODES: Readonly<Record<CloseCause, number>> = {
  disconnected: 1001,
  idle: 1001,
  malformed: 1007,
  restart: 1012,
  slow: 1008,
};

/** Frames to and from one WebSocket. Too long ones are refused by package `ws`, with 1009. */
export class WebSocketTransport implements ServedTransport {
  readonly takesBytes = true;
  readonly #socket: WebSocket;
  readonly #limits: ChannelLimits;
  readonly #onClose: (cause: CloseCause) => void;
  #connection: Connection | undefined;
  #isClosing = false;
  #isPaused = false;
  readonly #idle: NodeJS.Timeout;
  #patience: NodeJS.Timeout | undefined;

  /** @param onClose told when, and why, it closes of its own accord */
  constructor(socket: WebSocket, limits: ChannelLimits, onClose: (cause: CloseCause) => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onClose = onClose;
    this.#idle = setTimeout(() => this.#idled(), limits.idleMs);
  }

  serve(connection: Connection): void {
    const socket = this.#socket;
    this.#connection = connection;
    socket.on("message", (data: RawData, isBinary: boolean) => {
      this.#idle.refresh();
      if (this.#isClosing) return;
      const bytes = bytesOf(data);
      connection.receive(isBinary ? bytes : bytes.toString());
    });
    socket.on("ping", () => this.#idle.refresh());
    socket.on("pong", () => this.#idle.refresh());
    // A frame that is too long, or none: `ws` closes, and `close` follows.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#isClosing = true;
      clearTimeout(this.#idle);
      clearTimeout(this.#patience);
      connection.closed();
    });
  }

  send(frame: Frame): void {
    if (this.#isClosing) return;
    this.#socket.send(frame);
    if (this.#socket.bufferedAmount > this.#limits.outboundBytes) this.close("slow");
  }

  close(cause: CloseCause): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#onClose(cause);
    clearTimeout(this.#idle);
    // Reading has to go on for the client's own goodbye to be seen.
    if (this.#isPaused) this.#socket.resume();
    this.#socket.close(CLOSE_CODES[cause], cause);
    this.#patience = setTimeout(() => this.#socket.terminate(), this.#limits.closeMs);
    // Its channels need not wait for a client that may never say goodbye.
    this.#connection?.closed();
  }

  pause(): void {
    if (this.#isClosing) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#idle.refresh();
    this.#socket.resume();
  }

  #idled(): void {
    // It is this side that does not listen.
    if (this.#isPaused) this.#idle.refresh();
    else this.close("idle");
  }
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
