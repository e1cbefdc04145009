import type { IncomingMessage } from "node:http";
import type { Logger } from "rollcall";
import { Answer } from "./answer.ts";
import { type CloseCause, Connection, type ConnectionServices, type Transport } from "./connection.ts";
import type { OriginCheck } from "./origin.ts";
import { isPromiseLike } from "./promise-like.ts";
import { type ConnectRequest, headerOf } from "./request.ts";
import type { Assigns, SocketOptions } from "./types.ts";

/** A transport that can be given what to do with frames. */
export interface ServedTransport extends Transport {
  serve(connection: Connection): void;
}

/** Whether somebody may connect. */
export type Admission =
  /** One of the two is to be called, once. */
  | { readonly kind: "admitted"; open(transport: ServedTransport): void; giveUp(): void }
  | { readonly kind: "refused" }
  /** Not now: there are too many, or this node is leaving. */
  | { readonly kind: "full" };

export interface ClientsParts {
  readonly connect: SocketOptions["connect"];
  readonly id: SocketOptions["id"];
  readonly checkOrigin: OriginCheck;
  readonly services: ConnectionServices;
  readonly logger: Logger;
}

/** Who is connected to this node, by either transport, and who may be. */
export class Clients {
  readonly counts = {
    refused: { origin: 0, version: 0, connect: 0, full: 0 },
    closed: { disconnected: 0, idle: 0, malformed: 0, restart: 0, slow: 0 },
  };
  readonly #parts: ClientsParts;
  readonly #open = new Set<Connection>();
  /** Those that are open, and those whose channels still have something to do. */
  readonly #unended = new Set<Connection>();
  /** How many are about to be let in, or not. */
  #undecided = 0;
  #isLeaving = false;

  constructor(parts: ClientsParts) {
    this.#parts = parts;
  }

  get connections(): readonly Connection[] {
    return [...this.#open];
  }

  /** Resolves when nobody is connected any more, and all channels have ended: those of clients that left long before as well. */
  async ended(): Promise<void> {
    await Promise.all([...this.#unended].map(({ whenEnded }) => whenEnded));
  }

  /** Nobody new is let in. */
  leave(): void {
    this.#isLeaving = true;
  }

  isFromAllowed({ headers }: IncomingMessage): boolean {
    const isAllowed = this.#checkOrigin(headerOf(headers, "origin"), headers.host);
    if (!isAllowed) this.counts.refused.origin += 1;
    return isAllowed;
  }

  #checkOrigin(origin: string | undefined, host: string | undefined): boolean {
    const { checkOrigin, logger } = this.#parts;
    try {
      return checkOrigin(origin, host);
    } catch (error) {
      logger.error({ origin, error }, "checkOrigin threw, and a client was refused");
      return false;
    }
  }

  countClosed(cause: CloseCause): void {
    this.counts.closed[cause] += 1;
    if (cause !== "slow") return;
    const { logger, services } = this.#parts;
    const { outboundBytes } = services.limits;
    // It comes back. If it is not slow, but was told too much at once, that goes on for ever: somebody should know.
    logger.warn({ outboundBytes }, "a client was closed: more waited for it than limits.outboundBytes");
  }

  async admit(
    { headers, socket }: IncomingMessage,
    given: Omit<ConnectRequest, "headers" | "remoteAddress">,
  ): Promise<Admission> {
    if (this.#isFull()) return { kind: "full" };
    const request: ConnectRequest = { ...given, headers, remoteAddress: socket.remoteAddress };
    this.#undecided += 1;
    let client: { readonly assigns: Assigns; readonly id: string | undefined } | undefined;
    try {
      client = await this.#ask(request);
    } catch (error) {
      this.#parts.logger.error({ error }, "connect threw, and a client was refused");
    }
    if (client !== undefined && !this.#isLeaving) return this.#admitted(client);
    this.#undecided -= 1;
    if (client !== undefined) return { kind: "full" };
    this.counts.refused.connect += 1;
    return { kind: "refused" };
  }

  #admitted(client: { readonly assigns: Assigns; readonly id: string | undefined }): Admission {
    const giveUp = (): void => {
      this.#undecided -= 1;
    };
    const open = (transport: ServedTransport): void => {
      const connection = new Connection(this.#parts.services, transport, client, () =>
        this.#open.delete(connection),
      );
      this.#undecided -= 1;
      this.#open.add(connection);
      this.#unended.add(connection);
      void connection.whenEnded.then(() => this.#unended.delete(connection));
      transport.serve(connection);
      // Whoever closes all that are open may have done so since this one was let in: then nobody else ever would.
      if (this.#isLeaving) connection.close("restart");
    };
    return { kind: "admitted", open, giveUp };
  }

  /** Undefined: it is refused. */
  async #ask(request: ConnectRequest) {
    const { connect, id, services } = this.#parts;
    const answer = connect === undefined ? {} : await within(services.limits.connectMs, connect(request));
    if (answer instanceof Answer) return undefined;
    if (typeof answer !== "object" || answer === null)
      throw new TypeError("connect gives an object, or what refuse makes");
    return { assigns: answer, id: id?.(answer) };
  }

  #isFull(): boolean {
    const isFull =
      this.#isLeaving || this.#open.size + this.#undecided >= this.#parts.services.limits.sockets;
    if (isFull) this.counts.refused.full += 1;
    return isFull;
  }
}

async function within<T>(ms: number, value: T | PromiseLike<T>): Promise<T> {
  if (!isPromiseLike(value)) return value;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`connect took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
