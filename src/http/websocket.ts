import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { z } from "@hono/zod-openapi";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Cancel } from "../kernel/clock.ts";
import type { ServiceParts } from "./context.ts";
import { SESSION_GRACE } from "./limits.ts";
import { INTERNAL_PROBLEM, type Problem, problemOf, ServiceError } from "./problem.ts";
import * as schemas from "./schemas.ts";
import type { Session } from "./session.ts";

/** What clients offer and the service picks. A browser, which cannot set headers, offers its token as a second one. */
export const SUBPROTOCOL = "rollcall.v1";
const TOKEN_PROTOCOL = "rollcall.token.";
const PING_EVERY_MS = 10_000;
/** How long an answer to a ping, or a closing handshake, may take. */
const PATIENCE_MS = 10_000;
const CLOSE = { normal: 1_000, going: 1_001, policy: 1_008, tooBig: 1_009, restart: 1_012 } as const;

const scope = schemas.scopeSchema.default("default");
const name = schemas.nameSchema;
const group = schemas.nameSchema;
const id = z.union([z.number(), z.string()]);

const request = z.discriminatedUnion("op", [
  schemas.register.extend({ op: z.literal("register"), id, scope, name }),
  z.object({ op: z.literal("unregister"), id, scope, name }),
  schemas.registerStrict.extend({ op: z.literal("registerStrict"), id, scope, name }),
  z.object({ op: z.literal("releaseStrict"), id, scope, name }),
  z.object({ op: z.literal("whereis"), id, scope, name }),
  z.object({ op: z.literal("lookup"), id, scope, name, timeoutMs: schemas.register.shape.timeoutMs }),
  schemas.join.extend({ op: z.literal("join"), id, scope, group }),
  z.object({ op: z.literal("leave"), id, scope, group }),
  schemas.publish.omit({ from: true }).extend({ op: z.literal("publish"), id, scope, group }),
  schemas.send.omit({ from: true }).extend({ op: z.literal("send"), id }),
  schemas.call.omit({ from: true }).extend({ op: z.literal("call"), id }),
  schemas.monitor.extend({ op: z.literal("monitor"), id }),
  z.object({ op: z.literal("demonitor"), id, monitor: z.string() }),
  z.object({ op: z.literal("reply"), id, call: z.string(), result: z.unknown() }),
  z.object({ op: z.literal("fail"), id, call: z.string(), error: z.string().max(4_096) }),
  z.object({ op: z.literal("session"), id }),
]);

type Request = z.output<typeof request>;

/** Sessions over WebSockets: a request is `{ id, op, … }`, its answer `{ id, ok }` or `{ id, error }`, and an event `{ event }`. */
export class WebSockets {
  readonly #parts: ServiceParts;
  readonly #server: WebSocketServer;
  readonly #open = new Set<SessionSocket>();

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: parts.limits.bodyBytes,
      // A message bomb costs its sender nothing.
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    });
  }

  get size(): number {
    return this.#open.size;
  }

  /** @throws ServiceError when it may not */
  check(incoming: IncomingMessage): void {
    const { headers } = incoming;
    const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
    const token = offered.find((one) => one.startsWith(TOKEN_PROTOCOL))?.slice(TOKEN_PROTOCOL.length);
    const authorization = headers.authorization ?? (token === undefined ? undefined : `Bearer ${token}`);
    this.#parts.access.check("write", { authorization, host: headers.host, origin: headers.origin });
  }

  /** @throws ServiceError, and whatever hinders a new session */
  accept(incoming: IncomingMessage, socket: Duplex, head: Buffer, url: URL): void {
    const existing = /^\/v1\/sessions\/([^/]+)\/socket$/.exec(url.pathname)?.[1];
    if (existing === undefined && url.pathname !== "/v1/socket")
      throw new ServiceError("NOT_FOUND", "WebSockets are at /v1/socket and /v1/sessions/{session}/socket");
    const asked = parameter(url, "graceMs", schemas.graceMs, undefined);
    const after = parameter(url, "after", schemas.eventsQuery.shape.after.unwrap(), undefined);
    const { sessions } = this.#parts;
    if (existing === undefined) sessions.checkRoom();
    else sessions.get(existing);
    this.#server.handleUpgrade(incoming, socket, head, (webSocket) => {
      // Not before: a handshake that fails must not leave one.
      const session =
        existing === undefined
          ? sessions.open(Math.max(asked ?? SESSION_GRACE.usual, 1))
          : sessions.get(existing);
      // One that was opened otherwise, or came back, lives on as it was to.
      const graceMs = asked ?? session.ttlMs;
      const client = incoming.socket.remoteAddress ?? "";
      const open = new SessionSocket({
        parts: this.#parts,
        webSocket,
        session,
        client,
        graceMs,
        after,
        onClose: () => this.#open.delete(open),
      });
      this.#open.add(open);
    });
  }

  /** Closes them: the node is leaving. */
  close(): void {
    for (const open of [...this.#open]) open.close(CLOSE.restart, "the node is leaving");
  }

  /** Those that are still there. */
  terminate(): void {
    for (const open of [...this.#open]) open.terminate();
  }
}

function parameter<T, D>(url: URL, name: string, schema: z.ZodType<T>, otherwise: D): T | D {
  const text = url.searchParams.get(name);
  if (text === null) return otherwise;
  const parsed = schema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new ServiceError(
    "BAD_REQUEST",
    `${name} is ${JSON.stringify(text)}: ${parsed.error.issues[0]?.message ?? ""}`,
  );
}

interface SessionSocketOptions {
  readonly parts: ServiceParts;
  readonly webSocket: WebSocket;
  readonly session: Session;
  readonly client: string;
  readonly graceMs: number;
  readonly after: number | undefined;
  readonly onClose: () => void;
}

/** One connection of one session. When it is closed in good order the session ends; when it drops it has its grace. */
class SessionSocket {
  readonly #options: SessionSocketOptions;
  readonly #unkeep: (forMs?: number) => void;
  readonly #unread: () => void;
  readonly #abort = new AbortController();
  #given: number;
  #withdraw: Cancel = () => {};
  #isReplaced = false;
  #isClosed = false;
  #isFlushing = false;

  constructor(options: SessionSocketOptions) {
    this.#options = options;
    const { after, parts, session, webSocket } = options;
    this.#given = after ?? session.inbox.unread;
    session.inbox.acknowledge(Math.min(this.#given, session.inbox.lastId));
    this.#unkeep = session.keep();
    webSocket.on("message", (data, isBinary) => this.#take(data, isBinary));
    webSocket.on("pong", () => this.#heard());
    webSocket.on("close", (code) => this.#closed(code));
    // Followed by `close`.
    webSocket.on("error", () => {});
    this.#send({ welcome: parts.operations.sessionView(session) });
    this.#unread = session.read({
      wake: () => this.#pump(),
      end: (why) => {
        this.#pump();
        this.#isReplaced = why === "replaced";
        if (this.#isReplaced) this.close(CLOSE.policy, "another connection has taken the session");
        else this.close(CLOSE.going, "the session has ended");
      },
    });
    this.#heard();
    this.#pump();
  }

  close(code: number, reason: string): void {
    this.#options.webSocket.close(code, reason);
    this.#withdraw();
    this.#withdraw = this.#options.parts.clock.after(PATIENCE_MS, () => this.#options.webSocket.terminate());
  }

  terminate(): void {
    this.#options.webSocket.terminate();
  }

  /** A sign of life: the next one is asked for after a while. */
  #heard(): void {
    if (this.#isClosed) return;
    const { parts, webSocket } = this.#options;
    this.#withdraw();
    this.#withdraw = parts.clock.after(PING_EVERY_MS, () => {
      webSocket.ping();
      this.#withdraw = parts.clock.after(PATIENCE_MS, () => webSocket.terminate());
    });
  }

  /** Events, as far as the client reads them: the rest waits in the inbox, which has its own limits. */
  #pump(): void {
    const { parts, session, webSocket } = this.#options;
    if (this.#isFlushing || webSocket.readyState !== webSocket.OPEN) return;
    const events = session.takeAfter(this.#given);
    const last = events.at(-1);
    if (last === undefined) return;
    this.#given = last.id;
    this.#isFlushing = true;
    for (const { id, text } of events) {
      webSocket.send(`{"event":${text}}`, () => {
        if (id !== last.id) return;
        this.#isFlushing = false;
        if (!this.#isClosed) this.#pump();
      });
    }
    if (webSocket.bufferedAmount > parts.limits.socketBytes + parts.limits.inboxBytes) webSocket.terminate();
  }

  #take(data: RawData, isBinary: boolean): void {
    const { client, parts } = this.#options;
    if (this.#isClosed || this.#isReplaced) return;
    this.#heard();
    if (parts.buckets.take(client, parts.clock.now()) > 0) {
      this.close(CLOSE.policy, "RATE_LIMITED");
      return;
    }
    const asked = isBinary ? undefined : readRequest(String(data));
    if (asked === undefined) this.#answer(null, badRequest("a message is JSON text: { id, op, … }"));
    else if (!asked.success) this.#answer(asked.id, badRequest(asked.why));
    else void this.#run(asked.request);
  }

  async #run(asked: Request): Promise<void> {
    try {
      const ok = await this.#do(asked);
      this.#send({ id: asked.id, ok: ok ?? {} });
    } catch (error) {
      const { logger } = this.#options.parts;
      const problem = problemOf(error);
      if (problem === undefined) logger.error({ error, op: asked.op }, "a request of a WebSocket failed");
      this.#answer(asked.id, problem ?? INTERNAL_PROBLEM);
    }
  }

  #do(asked: Request): unknown {
    const { operations } = this.#options.parts;
    const { session } = this.#options;
    const { signal } = this.#abort;
    const from = session.id;
    switch (asked.op) {
      case "register":
        return operations.register(session, asked.scope, asked.name, asked, signal);
      case "unregister":
        return operations.unregister(session, asked.scope, asked.name);
      case "registerStrict":
        return operations.registerStrict(session, asked.scope, asked.name, asked, signal);
      case "releaseStrict":
        return operations.releaseStrict(session, asked.scope, asked.name);
      case "whereis":
        return operations.whereis(asked.scope, asked.name);
      case "lookup":
        return operations.lookupStrict(asked.scope, asked.name, asked.timeoutMs);
      case "join":
        return operations.join(session, asked.scope, asked.group, asked.meta);
      case "leave":
        return operations.leave(session, asked.scope, asked.group);
      case "publish":
        return { members: operations.publish(asked.scope, asked.group, { ...asked, from }) };
      case "send":
        return operations.send({ ...asked, from });
      case "call":
        return operations.call({ ...asked, from }, signal).then((result) => ({ result }));
      case "monitor":
        return { monitor: operations.monitor(session, asked.target) };
      case "demonitor":
        return operations.demonitor(session, asked.monitor);
      case "reply":
        return session.answer(asked.call, { result: asked.result });
      case "fail":
        return session.answer(asked.call, { error: asked.error });
      case "session":
        return operations.sessionView(session);
    }
  }

  #answer(id: string | number | null, error: Problem): void {
    const { problems } = this.#options.parts.counts;
    problems.set(error.code, (problems.get(error.code) ?? 0) + 1);
    this.#send({ id, error });
  }

  #send(message: object): void {
    const { parts, webSocket } = this.#options;
    if (webSocket.readyState !== webSocket.OPEN) return;
    webSocket.send(JSON.stringify(message));
    // A client that asks and does not read.
    if (webSocket.bufferedAmount > parts.limits.socketBytes + parts.limits.inboxBytes) webSocket.terminate();
  }

  #closed(code: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { graceMs, onClose, session } = this.#options;
    this.#withdraw();
    this.#abort.abort();
    this.#unread();
    // One that was replaced has no say any more.
    if (code === CLOSE.normal && !this.#isReplaced) session.end({ kind: "normal" });
    this.#unkeep(graceMs);
    onClose();
  }
}

type Read =
  | { readonly success: true; readonly request: Request }
  | { readonly success: false; readonly id: string | number | null; readonly why: string };

function readRequest(text: string): Read | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = request.safeParse(json);
  if (parsed.success) return { success: true, request: parsed.data };
  const issue = parsed.error.issues[0];
  const asked = id.safeParse((json as { readonly id?: unknown } | null)?.id);
  return {
    success: false,
    id: asked.success ? asked.data : null,
    why: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
  };
}

function badRequest(detail: string): Problem {
  const problem = problemOf(new ServiceError("BAD_REQUEST", detail));
  return problem ?? INTERNAL_PROBLEM;
}
