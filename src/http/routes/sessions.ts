import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ServiceEnv, ServiceParts } from "../context.ts";
import { endpoint, jsonBody } from "../endpoint.ts";
import * as schemas from "../schemas.ts";

const inSession = z.object({ session: z.string() });
const ofName = inSession.extend({ name: schemas.nameSchema });
const ofGroup = inSession.extend({ group: schemas.nameSchema });
const nothing = z.object({});
const scoped = { query: schemas.scopeQuery };

const open = endpoint({
  method: "post",
  path: "/v1/sessions",
  tag: "sessions",
  summary: "Open a session: a process that registers, joins and receives for you",
  description:
    "It lives until it is closed, or nothing was heard for `ttlMs`: every request that bears its id counts.",
  needs: "write",
  request: { body: jsonBody(schemas.openSession, false) },
  status: 201,
  says: "The session",
  body: schemas.sessionView,
});

const show = endpoint({
  method: "get",
  path: "/v1/sessions/{session}",
  tag: "sessions",
  summary: "What a session holds. A sign of life, as every request that bears its id",
  needs: "write",
  request: { params: inSession },
  status: 200,
  says: "The session",
  body: schemas.sessionView,
});

const close = endpoint({
  method: "delete",
  path: "/v1/sessions/{session}",
  tag: "sessions",
  summary: "Close a session: everything it held is gone at once",
  needs: "write",
  request: { params: inSession },
  status: 200,
  says: "It is closed",
  body: nothing,
});

const register = endpoint({
  method: "put",
  path: "/v1/sessions/{session}/names/{name}",
  tag: "sessions",
  summary: "Register a name (available: each side of a partition may have a holder until it heals)",
  needs: "write",
  request: { params: ofName, ...scoped, body: jsonBody(schemas.register, false) },
  status: 201,
  says: "The session holds it",
  body: schemas.registrationView,
});

const unregister = endpoint({
  method: "delete",
  path: "/v1/sessions/{session}/names/{name}",
  tag: "sessions",
  summary: "Give a name back",
  needs: "write",
  request: { params: ofName, ...scoped },
  status: 200,
  says: "It is free",
  body: nothing,
});

const registerStrict = endpoint({
  method: "put",
  path: "/v1/sessions/{session}/strict-names/{name}",
  tag: "sessions",
  summary:
    "Register a strict name (consistent: never two holders, and nothing without a majority of the lease servers)",
  description:
    "Hand the token on to whatever the name protects. When the lease can no longer be proven the session is told by an event `leaseLost`; `remainingMs` is how long it holds if nothing more is heard.",
  needs: "write",
  request: { params: ofName, ...scoped, body: jsonBody(schemas.registerStrict, false) },
  status: 201,
  says: "The session holds it",
  body: schemas.grant,
});

const releaseStrict = endpoint({
  method: "delete",
  path: "/v1/sessions/{session}/strict-names/{name}",
  tag: "sessions",
  summary: "Release a strict name",
  needs: "write",
  request: { params: ofName, ...scoped },
  status: 200,
  says: "The session holds it no more",
  body: nothing,
});

const join = endpoint({
  method: "put",
  path: "/v1/sessions/{session}/groups/{group}",
  tag: "sessions",
  summary: "Join a group; a member that joins again has its metadata set",
  needs: "write",
  request: { params: ofGroup, ...scoped, body: jsonBody(schemas.join, false) },
  status: 201,
  says: "It is a member",
  body: nothing,
});

const leave = endpoint({
  method: "delete",
  path: "/v1/sessions/{session}/groups/{group}",
  tag: "sessions",
  summary: "Leave a group",
  needs: "write",
  request: { params: ofGroup, ...scoped },
  status: 200,
  says: "It is no member",
  body: nothing,
});

const monitor = endpoint({
  method: "post",
  path: "/v1/sessions/{session}/monitors",
  tag: "sessions",
  summary: "Be told, once, when a process or node dies: an event `down`",
  needs: "write",
  request: { params: inSession, body: jsonBody(schemas.monitor) },
  status: 201,
  says: "The monitor",
  body: z.object({ monitor: z.string().openapi({ example: "m1" }) }),
});

const demonitor = endpoint({
  method: "delete",
  path: "/v1/sessions/{session}/monitors/{monitor}",
  tag: "sessions",
  summary: "End a monitor that has not told yet",
  needs: "write",
  request: { params: inSession.extend({ monitor: z.string() }) },
  status: 200,
  says: "It tells nothing",
  body: nothing,
});

const reply = endpoint({
  method: "post",
  path: "/v1/sessions/{session}/replies",
  tag: "sessions",
  summary: "Answer a call: an event `call` with its id",
  needs: "write",
  request: { params: inSession, body: jsonBody(schemas.reply) },
  status: 200,
  says: "The caller has it",
  body: nothing,
});

export function addSessionRoutes(app: OpenAPIHono<ServiceEnv>, parts: ServiceParts): void {
  const { operations, sessions } = parts;
  app.openapi(open, (c) => {
    // Without a body nobody has put defaults in.
    const { ttlMs } = schemas.openSession.parse(c.req.valid("json"));
    return c.json(operations.sessionView(sessions.open(ttlMs)), 201);
  });
  app.openapi(show, (c) => c.json(operations.sessionView(alive(parts, c.req.valid("param").session)), 200));
  app.openapi(close, async (c) => {
    await sessions.get(c.req.valid("param").session).close();
    return c.json({}, 200);
  });
  app.openapi(monitor, (c) => {
    const session = alive(parts, c.req.valid("param").session);
    return c.json({ monitor: operations.monitor(session, c.req.valid("json").target) }, 201);
  });
  app.openapi(demonitor, (c) => {
    const { monitor, session } = c.req.valid("param");
    operations.demonitor(alive(parts, session), monitor);
    return c.json({}, 200);
  });
  app.openapi(reply, (c) => {
    operations.reply(alive(parts, c.req.valid("param").session), c.req.valid("json"));
    return c.json({}, 200);
  });
  addNames(app, parts);
  addGroups(app, parts);
}

function addNames(app: OpenAPIHono<ServiceEnv>, parts: ServiceParts): void {
  const { operations } = parts;
  app.openapi(register, async (c) => {
    const { name, session } = c.req.valid("param");
    const { scope } = c.req.valid("query");
    const options = c.req.valid("json");
    return c.json(
      await operations.register(alive(parts, session), scope, name, options, c.req.raw.signal),
      201,
    );
  });
  app.openapi(unregister, async (c) => {
    const { name, session } = c.req.valid("param");
    await operations.unregister(alive(parts, session), c.req.valid("query").scope, name);
    return c.json({}, 200);
  });
  app.openapi(registerStrict, async (c) => {
    const { name, session } = c.req.valid("param");
    const { scope } = c.req.valid("query");
    const options = c.req.valid("json");
    return c.json(
      await operations.registerStrict(alive(parts, session), scope, name, options, c.req.raw.signal),
      201,
    );
  });
  app.openapi(releaseStrict, async (c) => {
    const { name, session } = c.req.valid("param");
    await operations.releaseStrict(alive(parts, session), c.req.valid("query").scope, name);
    return c.json({}, 200);
  });
}

function addGroups(app: OpenAPIHono<ServiceEnv>, parts: ServiceParts): void {
  const { operations } = parts;
  app.openapi(join, (c) => {
    const { group, session } = c.req.valid("param");
    operations.join(alive(parts, session), c.req.valid("query").scope, group, c.req.valid("json").meta);
    return c.json({}, 201);
  });
  app.openapi(leave, (c) => {
    const { group, session } = c.req.valid("param");
    operations.leave(alive(parts, session), c.req.valid("query").scope, group);
    return c.json({}, 200);
  });
}

/** The session, which has just been heard from. */
function alive({ sessions }: ServiceParts, id: string) {
  const session = sessions.get(id);
  session.touch();
  return session;
}
