import { hasMethod, loose } from "../loose.ts";

/**
 * Closes sockets that package `nats` 2.29.3, the last of its line, leaves behind. It has no public way to reach them, so this
 * reads its private fields, and does nothing where they are not as expected. Only for clients that we made ourselves.
 *
 * - A dial that times out after the TCP handshake (a listener that never speaks) keeps its socket for ever: one per attempt,
 *   and each keeps the OS process alive (nats-io/nats.js#64).
 * - A connection found stale waits for its last write to be taken before it lets go. When the peer's host is gone and the
 *   kernel's buffer is full, that is a quarter of an hour in which nothing reconnects (measured: nats-io/nats.node#531 tells of it).
 */
export class SocketSweeper {
  readonly #client: unknown;
  #dialing: unknown;

  constructor(client: unknown) {
    this.#client = client;
  }

  /** A new dial has begun: whatever the one before it left is of no more use. */
  onDial(): void {
    const transport = this.#protocol().transport;
    if (this.#dialing !== transport) destroySocket(this.#dialing);
    this.#dialing = transport;
  }

  destroyCurrent(): void {
    destroySocket(this.#dialing);
    destroySocket(this.#protocol().transport);
    this.#dialing = undefined;
  }

  /** After the client's own close(). A dial that was still looking up a host name would go on, and end in a live connection. */
  onClose(): void {
    this.destroyCurrent();
    const dialing = this.#protocol().connectPromise;
    if (dialing instanceof Promise) {
      const sweep = (): void => this.destroyCurrent();
      dialing.then(sweep, sweep);
    }
  }

  #protocol() {
    return loose<"transport" | "connectPromise">(loose<"protocol">(this.#client).protocol);
  }
}

function destroySocket(transport: unknown): void {
  const { socket } = loose<"socket">(transport);
  if (hasMethod(socket, "destroy")) socket.destroy();
}
