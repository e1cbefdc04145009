import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clients } from "./clients.ts";
import type { CloseCause } from "./connection.ts";
import type { ChannelLimits } from "./limits.ts";
import { type BatchStatus, LongPollTransport } from "./longpoll.ts";
import { Bodies, type Body } from "./longpoll-body.ts";
import type { Frame } from "./messages.ts";
import { headerOf, paramsOf, speaksVersion } from "./request.ts";

/** By this a session of ours is told from a `token` that a program has among its own parameters. */
const TOKEN = /^phx-poll\.[\w-]{43}$/;
const TOKEN_BYTES = 32;
const TOKEN_HEADER = "x-phoenix-longpoll-token";
const AUTH_HEADER = "x-phoenix-authtoken";
/** For how long a page need not ask again whether it may. */
const MAX_AGE_S = 3_600;

const OWN_PARAMS = new Set(["vsn"]);

/**
 * Long polling over HTTP. All answers are 200, with the real status in the body: that is what the client reads. A session lives on
 * the node where it began: on another node it is gone, and the client begins anew.
 */
export class LongPollHttp {
  readonly #clients: Clients;
  readonly #limits: ChannelLimits;
  readonly #sessions = new Map<string, LongPollTransport>();
  readonly #bodies: Bodies;

  constructor(clients: Clients, limits: ChannelLimits) {
    this.#clients = clients;
    this.#limits = limits;
    this.#bodies = new Bodies(limits);
  }

  get size(): number {
    return this.#sessions.size;
  }

  handle(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const origin = headerOf(request.headers, "origin");
    // Whoever hangs up is not answered.
    response.on("error", () => {});
    request.on("error", () => {});
    this.#hurry(request, response);
    if (!this.#clients.isFromAllowed(request)) {
      answer(response, { status: 403 });
      return;
    }
    if (origin !== undefined) allow(response, origin);
    switch (request.method) {
      case "OPTIONS":
        response.writeHead(204).end();
        break;
      case "GET":
        void this.#get(request, response, query);
        break;
      case "POST":
        void this.#post(request, response, query);
        break;
      default:
        response.writeHead(405, { allow: "GET, POST, OPTIONS" }).end();
    }
  }

  /** Else whoever sends or reads very slowly would keep a connection, and what is under way on it, for ever. */
  #hurry(request: IncomingMessage, response: ServerResponse): void {
    const { transferMs } = this.#limits;
    const coming = setTimeout(() => {
      if (!request.complete) request.destroy();
    }, transferMs);
    request.once("close", () => clearTimeout(coming));
    response.once("prefinish", () => {
      const going = setTimeout(() => response.destroy(), transferMs);
      response.once("close", () => clearTimeout(going));
    });
  }

  async #get(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const token = tokenOf(request, query);
    const session = token === undefined ? undefined : this.#sessions.get(token);
    if (token === undefined || session === undefined) {
      if (token === undefined) await this.#begin(request, response, query);
      else answer(response, { status: 410, token: null, messages: [] });
      return;
    }
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const { messages, status } = await session.poll(gone.signal);
    answer(response, { status, token, messages });
  }

  async #begin(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    if (!speaksVersion(query)) {
      this.#clients.counts.refused.version += 1;
      answer(response, { status: 403 });
      return;
    }
    const client = await this.#clients.admit(request, {
      params: paramsOf(query, OWN_PARAMS),
      authToken: headerOf(request.headers, AUTH_HEADER),
      transport: "longpoll",
    });
    if (client.kind !== "admitted") {
      // The client takes 500 for something that passes: it tries again.
      answer(response, { status: client.kind === "full" ? 500 : 403 });
      return;
    }
    const token = `phx-poll.${randomBytes(TOKEN_BYTES).toString("base64url")}`;
    const session = new LongPollTransport(this.#limits, (cause) => this.#ended(token, cause));
    this.#sessions.set(token, session);
    client.open(session);
    answer(response, session.ended.aborted ? { status: 500 } : { status: 410, token, messages: [] });
  }

  #ended(token: string, cause: CloseCause): void {
    this.#sessions.delete(token);
    // One that was just left behind is no event: that is how long polls end.
    if (cause !== "idle") this.#clients.countClosed(cause);
  }

  async #post(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const token = tokenOf(request, query);
    const session = token === undefined ? undefined : this.#sessions.get(token);
    if (session === undefined) {
      // Nothing is read for somebody who is not known.
      answer(response, { status: 410 });
      return;
    }
    if (!session.beginBatch()) {
      answer(response, { status: 408 });
      return;
    }
    const status = await this.#bodies.receive(request, session.ended, (body) =>
      this.#take(session, request, body),
    );
    session.endBatch();
    // Nothing more is to come from somebody whose body was not taken.
    if (!request.complete) response.setHeader("connection", "close");
    answer(response, { status });
  }

  async #take(session: LongPollTransport, request: IncomingMessage, body: Body): Promise<BatchStatus | 413> {
    if (body.kind === "abandoned") return 410;
    if (body.kind === "noRoom") return 408;
    const frames = body.kind === "whole" ? this.#framesOf(request, body.text) : undefined;
    if (frames !== undefined) return session.take(frames);
    session.close("malformed");
    return 413;
  }

  /** Undefined: one of them is too long. */
  #framesOf({ headers }: IncomingMessage, body: string): readonly Frame[] | undefined {
    const { batchLines, frameBytes } = this.#limits;
    const isBatch = (headerOf(headers, "content-type") ?? "").startsWith("application/x-ndjson");
    const lines = isBatch ? body.split("\n", batchLines) : [body];
    const frames = lines
      .map((line) => line.trim())
      .filter((line) => line !== "")
      .map(toFrame);
    return frames.some((frame) => Buffer.byteLength(frame) > frameBytes) ? undefined : frames;
  }
}

function toFrame(line: string): Frame {
  return line.startsWith("[") ? line : Buffer.from(line, "base64");
}

/** The last one: the client puts its own behind the parameters of the program. */
function tokenOf(request: IncomingMessage, query: URLSearchParams): string | undefined {
  const token = headerOf(request.headers, TOKEN_HEADER) ?? query.getAll("token").at(-1);
  return token !== undefined && TOKEN.test(token) ? token : undefined;
}

function allow(response: ServerResponse, origin: string): void {
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("vary", "origin");
  response.setHeader("access-control-allow-methods", "GET, POST, OPTIONS");
  response.setHeader("access-control-allow-headers", `content-type, ${AUTH_HEADER}, ${TOKEN_HEADER}`);
  response.setHeader("access-control-max-age", String(MAX_AGE_S));
}

function answer(response: ServerResponse, body: object): void {
  if (response.destroyed || response.headersSent) return;
  response
    .writeHead(200, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" })
    .end(JSON.stringify(body));
}
