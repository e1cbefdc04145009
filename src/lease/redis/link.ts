import type { Cancel } from "../../kernel/clock.ts";
import { fraction } from "../../kernel/random.ts";
import type { LeaseOpenOptions } from "../port.ts";
import type { LeaseReply, LeaseRequest } from "../requests.ts";
import { type ConnectionSettings, RedisConnection } from "./connection.ts";
import { greet, outcome } from "./greeting.ts";
import { SCRIPT, SCRIPT_SHA } from "./script/script.ts";
import { type Argument, decodeReply, encodeRequest } from "./wire.ts";

/** Between two dials, in milliseconds: drawn from up to the first, doubled up to the last. For ever. */
const REDIAL_MS = { first: 100, last: 3_000 } as const;

/** What the script is given with every request, and the rest that a link needs to know of the store. */
export interface LinkSettings extends ConnectionSettings {
  /** Of the state of this store on the server. */
  readonly stateKey: string;
  readonly ttlMs: number;
  /** Rounded up. */
  readonly guardMs: number;
  /** Servers, settings and place of this one among them: in full, and as what is sent along each time. */
  readonly configuration: string;
  readonly digest: string;
  /** A text that nobody else will ever use. */
  readonly nonce: string;
}

export interface LinkHandlers {
  onConnected(): void;
  onDisconnected(): void;
  onReply(id: number, reply: LeaseReply): void;
  onWarning(message: string): void;
  /** @returns the server that is the same process, if any; else it is remembered as this one */
  sameAs(process: string): string | undefined;
}

interface Open {
  readonly connection: RedisConnection;
  /** Sent, and not answered. */
  inFlight: number;
  /** The server has lost the script, and was sent it anew. */
  isLoading: boolean;
}

/** One server: a connection, and another one when it ends. */
export class RedisLink {
  readonly #options: Pick<LeaseOpenOptions, "clientName" | "clock" | "random">;
  readonly #settings: LinkSettings;
  readonly #handlers: LinkHandlers;
  /** Dialled, and perhaps open. */
  #connection: RedisConnection | undefined;
  #open: Open | undefined;
  #cancelDial: Cancel = () => undefined;
  #redials = 0;
  #requests = 0;
  /** The same trouble at each dial is told once. */
  #lastWarning = "";
  #isClosed = false;

  constructor(
    settings: LinkSettings,
    options: Pick<LeaseOpenOptions, "clientName" | "clock" | "random">,
    handlers: LinkHandlers,
  ) {
    this.#settings = settings;
    this.#options = options;
    this.#handlers = handlers;
    this.#dial();
  }

  send(id: number, request: LeaseRequest): void {
    const open = this.#open;
    if (open === undefined) return;
    const { configuration, digest, guardMs, nonce, stateKey, ttlMs } = this.#settings;
    this.#requests += 1;
    const { kind, rest } = encodeRequest(request, configuration);
    const args = [1, stateKey, kind, digest, ttlMs, guardMs, `${nonce}.${this.#requests}`, ...rest];
    this.#carryOut(open, id, "EVALSHA", SCRIPT_SHA, args);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#open = undefined;
    this.#cancelDial();
    await this.#connection?.close();
  }

  #dial(): void {
    const connection = new RedisConnection(
      this.#settings,
      () => void this.#greet(connection),
      (reason) => this.#ended(reason),
    );
    this.#connection = connection;
  }

  async #greet(connection: RedisConnection): Promise<void> {
    const greeting = await greet(connection, this.#settings.address, this.#options.clientName);
    if (this.#isClosed || this.#connection !== connection) return;
    if (greeting.kind === "ready") {
      const same = this.#handlers.sameAs(greeting.process);
      if (same === undefined) {
        this.#lastWarning = "";
        for (const warning of greeting.warnings) this.#warn(warning);
        this.#redials = 0;
        this.#open = { connection, inFlight: 0, isLoading: false };
        this.#handlers.onConnected();
        return;
      }
      this.#warn(`it is the same server as ${same}, and fails with it; give each one a server of its own`);
    } else {
      this.#warn(greeting.message);
    }
    void connection.close();
  }

  #ended(reason: string): void {
    this.#connection = undefined;
    const wasOpen = this.#open !== undefined;
    this.#open = undefined;
    if (this.#isClosed) return;
    const { clock, random } = this.#options;
    const spread = Math.min(REDIAL_MS.last, REDIAL_MS.first * 2 ** this.#redials);
    this.#redials += 1;
    this.#cancelDial = clock.after(spread * fraction(random), () => this.#dial());
    if (wasOpen) this.#handlers.onDisconnected();
    else if (this.#lastWarning === "") this.#warn(`it cannot be reached: ${reason}; it is tried for ever`);
  }

  #carryOut(open: Open, id: number, command: string, script: string, args: readonly Argument[]): void {
    open.inFlight += 1;
    void outcome(open.connection.command(command, script, ...args)).then(({ answer, error, isAnswer }) => {
      open.inFlight -= 1;
      // The connection has ended, or is about to: what comes of the request is not known, and not told.
      if (this.#open !== open || isAnswer === false) return;
      if (error?.startsWith("NOSCRIPT") === true) this.#bringScript(open, id, args);
      else if (error !== undefined) this.#fail(open, id, error);
      else this.#handlers.onReply(id, decoded(answer));
    });
  }

  /**
   * Somebody has deleted the script (`SCRIPT FLUSH`), so this request was not carried out, and may be sent again. But requests are
   * carried out in the order in which they were sent, and others may be on their way already that find the script there, because
   * somebody else has brought it: then this one is given up.
   */
  #bringScript(open: Open, id: number, args: readonly Argument[]): void {
    if (open.inFlight === 0) {
      this.#carryOut(open, id, "EVAL", SCRIPT, args);
      return;
    }
    if (!open.isLoading) {
      open.isLoading = true;
      void outcome(open.connection.command("SCRIPT", "LOAD", SCRIPT)).then(() => {
        open.isLoading = false;
      });
    }
    this.#handlers.onReply(id, {
      kind: "failed",
      message: "the server had lost the script, and got it anew",
    });
  }

  #fail(open: Open, id: number, error: string): void {
    this.#warn(`it could not carry out a request: ${error}`);
    this.#handlers.onReply(id, { kind: "failed", message: error });
    // It has become a replica: the next greeting says so.
    if (error.includes("READONLY")) void open.connection.close();
  }

  #warn(message: string): void {
    if (message === this.#lastWarning) return;
    this.#lastWarning = message;
    this.#handlers.onWarning(`Redis ${this.#settings.address.text}: ${message}`);
  }
}

function decoded(answer: unknown): LeaseReply {
  try {
    return decodeReply(answer);
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}
