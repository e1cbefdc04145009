import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { LimitExceededError } from "../../kernel/errors.ts";
import { CombinedStream } from "../combined-stream.ts";
import type { ServiceEnv, ServiceParts } from "../context.ts";
import { rawEndpoint } from "../endpoint.ts";
import { EventStream, sseEvent } from "../event-stream.ts";
import type { Feed } from "../feed.ts";
import { FeedStream } from "../feed-stream.ts";
import type { InboxEvent } from "../inbox.ts";
import { ServiceError } from "../problem.ts";
import * as schemas from "../schemas.ts";
import type { Session } from "../session.ts";
import { VERSION } from "../version.ts";
import { WATCH_KINDS } from "../watching.ts";

const SSE = "text/event-stream";
/** How much of the timeline a new reader of everything is told. */
const LATEST_STORIES = 200;

const events = rawEndpoint({
  method: "get",
  path: "/v1/sessions/{session}/events",
  tag: "sessions",
  summary: "What the session is told: messages, calls, and what it lost",
  description:
    "With `Accept: text/event-stream` a stream, which keeps the session alive and ends after `streamMs`: come back with `Last-Event-ID`. Else a long poll: those after `after`, which are forgotten up to there. One reader at a time: a new one ends the last. Ids are consecutive: where one is missing, the event was forgotten before it was read.",
  needs: "write",
  request: { params: z.object({ session: z.string() }), query: schemas.eventsQuery },
  status: 200,
  says: "Events of the kinds `message`, `call`, `down`, `nameClash`, `nameTakenOver`, `nameFreed`, `leaseLost`, `draining`, `ended`",
  body: schemas.eventsPage,
});

const watch = rawEndpoint({
  method: "get",
  path: "/v1/watch/{kind}",
  tag: "watching",
  summary: "A table and every change of it, as server-sent events",
  description:
    "First `state` events with the rows (`items`; the one with `last: true` ends them), then each change under its own event name. With the `Last-Event-ID` of a change that is kept it goes on from there; else, and whenever the reader falls behind, the rows come anew in `resync` events. `events` is a timeline of all tables, without rows, its entries numbered. `lost-nodes` are those that went down lately, with what was purged with each.",
  needs: "read",
  request: { params: z.object({ kind: z.enum(WATCH_KINDS) }), query: schemas.watchQuery },
  status: 200,
  says: "A stream",
  media: SSE,
  body: z.string(),
});

const watchAll = rawEndpoint({
  method: "get",
  path: "/v1/watch/all",
  tag: "watching",
  summary: "All tables of a scope and all changes of them, in one stream of server-sent events",
  description:
    "First a `hello`, which says whose tables they are; then what `/v1/watch/{kind}` says of each, as `{ table, data }`. The timeline begins with its latest entries. `Last-Event-ID` resumes all of them.",
  needs: "read",
  request: { query: schemas.scopeQuery },
  status: 200,
  says: "A stream",
  media: SSE,
  body: z.string(),
});

/** What goes on until somebody ends it. */
export function addStreamRoutes(app: OpenAPIHono<ServiceEnv>, parts: ServiceParts): void {
  app.openapi(events, (c): Promise<Response> => {
    const session = parts.sessions.get(c.req.valid("param").session);
    session.touch();
    const { after, waitMs } = c.req.valid("query");
    const lastId = lastEventId(c) ?? after;
    if (isHead(c)) return Promise.resolve(c.body(null, 200));
    if (c.req.header("accept")?.includes(SSE) !== true) return poll(c, parts, session, after, waitMs);
    streamEvents(c, parts, session, lastId);
    return Promise.resolve(RESPONSE_ALREADY_SENT);
  });
  // Before `watch`, which would take `all` for a kind.
  app.openapi(watchAll, (c): Response => {
    if (isHead(c)) return c.body(null, 200, { "content-type": SSE });
    const { scope } = c.req.valid("query");
    const feeds = parts.watching.all(scope) ?? noSuchScope(scope);
    const { clock, node, watching } = parts;
    const hello = JSON.stringify({
      self: node.id,
      name: node.name,
      cluster: node.cluster,
      version: VERSION,
      scope,
      scopes: [...watching.scopes.keys()],
      at: new Date(clock.now().wallMs).toISOString(),
      // Whose numbers the entries of the timeline have.
      timeline: watching.feed("events", scope)?.head.epoch,
    });
    streamFeeds(c, parts, [...feeds.values()], (stream) => {
      const timeline = { table: "events", latest: LATEST_STORIES };
      return new CombinedStream({
        feeds,
        timeline,
        stream,
        hello,
        lastEventId: c.req.header("last-event-id"),
      });
    });
    return RESPONSE_ALREADY_SENT;
  });
  app.openapi(watch, (c): Response => {
    if (isHead(c)) return c.body(null, 200, { "content-type": SSE });
    const { kind } = c.req.valid("param");
    const { key, prefix, scope } = c.req.valid("query");
    const feed = parts.watching.feed(kind, scope) ?? noSuchScope(scope);
    const isOfPrefix = prefix === "" ? undefined : (one: string): boolean => one.startsWith(prefix);
    const isWanted = key === undefined ? isOfPrefix : (one: string): boolean => one === key;
    streamFeeds(
      c,
      parts,
      [feed],
      (stream) => new FeedStream(feed, stream, isWanted, c.req.header("last-event-id")),
    );
    return RESPONSE_ALREADY_SENT;
  });
}

/** What all answers bear: hono would send them with a response of its own. */
function headersOf(c: Context<ServiceEnv>): Readonly<Record<string, string>> {
  return Object.fromEntries(c.res.headers);
}

/** Hono asks for a body, and leaves it away. */
function isHead(c: Context<ServiceEnv>): boolean {
  return c.env.incoming.method === "HEAD";
}

function noSuchScope(scope: string): never {
  throw new ServiceError("NO_SUCH_SCOPE", `scope ${JSON.stringify(scope)} is not served here`);
}

function streamFeeds(
  c: Context<ServiceEnv>,
  { clock, limits, watching }: ServiceParts,
  feeds: readonly Feed[],
  begin: (stream: EventStream) => { pump(): void },
): void {
  if (watching.watchers >= limits.watchers)
    throw new LimitExceededError("watchers", limits.watchers, "too many are watching");
  let unwatch = (): void => {};
  const stream = new EventStream({
    response: c.env.outgoing,
    headers: headersOf(c),
    clock,
    stallMs: limits.stallMs,
    onWritable: () => watcher.pump(),
    onClose: () => unwatch(),
  });
  const watcher = begin(stream);
  unwatch = watching.watch(
    feeds,
    () => watcher.pump(),
    () => stream.end(),
  );
  watcher.pump();
}

function lastEventId(c: Context<ServiceEnv>): number | undefined {
  const text = c.req.header("last-event-id") ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function streamEvents(
  c: Context<ServiceEnv>,
  { clock, limits }: ServiceParts,
  session: Session,
  lastId: number | undefined,
): void {
  let given = lastId ?? session.inbox.unread;
  if (lastId !== undefined) session.inbox.acknowledge(lastId);
  const unkeep = session.keep();
  const stream = new EventStream({
    response: c.env.outgoing,
    headers: headersOf(c),
    clock,
    stallMs: limits.stallMs,
    onWritable: () => pump(),
    onClose: () => {
      withdraw();
      unread();
      unkeep();
    },
  });
  const pump = (): void => {
    if (!stream.isWritable) return;
    const taken = session.takeAfter(given);
    given = taken.at(-1)?.id ?? given;
    if (taken.length > 0) stream.write(taken.map(asSse).join(""));
  };
  const withdraw = clock.after(limits.streamMs, () => stream.end());
  const unread = session.read({
    wake: pump,
    end(why) {
      pump();
      stream.end(why === "replaced" ? sseEvent("replaced", "{}") : "");
    },
  });
  pump();
}

function asSse({ id, kind, text }: InboxEvent): string {
  return sseEvent(kind, text, String(id));
}

/** Answers with what there is, or as soon as there is something. */
async function poll(
  c: Context<ServiceEnv>,
  { clock }: ServiceParts,
  session: Session,
  after: number | undefined,
  waitMs: number,
): Promise<Response> {
  const from = after ?? session.inbox.unread;
  session.inbox.acknowledge(Math.min(from, session.inbox.lastId));
  const unkeep = session.keep();
  if (session.inbox.lastId <= from && waitMs > 0) {
    await new Promise<void>((resolve) => {
      const cancel = clock.after(waitMs, () => done());
      const unread = session.read({ wake: () => done(), end: () => done() });
      const { signal } = c.req.raw;
      const done = (): void => {
        cancel();
        unread();
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done);
    });
  }
  unkeep();
  const events = session.takeAfter(from);
  const next = events.at(-1)?.id ?? Math.max(0, Math.min(from, session.inbox.lastId));
  return c.body(`{"events":[${events.map(({ text }) => text).join(",")}],"next":${next}}`, 200, {
    "content-type": "application/json",
  });
}
