import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";
import type { ServiceEnv, ServiceParts } from "../context.ts";
import { endpoint, jsonBody } from "../endpoint.ts";
import { pageOf } from "../page.ts";
import * as schemas from "../schemas.ts";
import { shownHolder, shownMember, shownNode, shownRegistration } from "../tables.ts";

const next = z
  .string()
  .optional()
  .openapi({ description: "Give it as `after` for the next page; absent on the last" });
const paged = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next });
const named = { params: z.object({ name: schemas.nameSchema }) };
const grouped = { params: z.object({ group: schemas.nameSchema }) };
const groupRow = z.object({ group: schemas.nameSchema, members: z.number() });

const listNodes = endpoint({
  method: "get",
  path: "/v1/nodes",
  tag: "cluster",
  summary: "The live nodes, as this one sees them",
  needs: "read",
  request: {},
  status: 200,
  says: "This node among them: `self`",
  body: z.object({ self: z.string(), cluster: z.string(), items: z.array(schemas.nodeView) }),
});

const stats = endpoint({
  method: "get",
  path: "/v1/stats",
  tag: "cluster",
  summary: "Counts and sizes of this node, as `node.stats()` has them",
  needs: "read",
  request: {},
  status: 200,
  says: "See the documentation of the library",
  body: z.looseObject({}),
});

const listNames = endpoint({
  method: "get",
  path: "/v1/names",
  tag: "names",
  summary: "Names (available) and their holders, in order",
  needs: "read",
  request: { query: schemas.pageQuery },
  status: 200,
  says: "A page",
  body: paged(schemas.registrationView),
});

const whereis = endpoint({
  method: "get",
  path: "/v1/names/{name}",
  tag: "names",
  summary: "The holder of a name (available), as this node knows it",
  needs: "read",
  request: { ...named, query: schemas.scopeQuery },
  status: 200,
  says: "The holder",
  body: schemas.registrationView,
});

const evict = endpoint({
  method: "delete",
  path: "/v1/names/{name}",
  tag: "names",
  summary: "Free a name (available), whoever holds it",
  needs: "admin",
  request: { ...named, query: schemas.scopeQuery },
  status: 200,
  says: "It is free",
  body: z.object({ name: schemas.nameSchema }),
});

const listStrict = endpoint({
  method: "get",
  path: "/v1/strict-names",
  tag: "names",
  summary: "Strict names that this node has heard of: hints, not the whole cluster's",
  needs: "read",
  request: { query: schemas.pageQuery },
  status: 200,
  says: "A page",
  body: paged(schemas.holderView),
});

const lookup = endpoint({
  method: "get",
  path: "/v1/strict-names/{name}",
  tag: "names",
  summary: "The holder of a strict name: linearizable, asked of a majority of the lease servers",
  needs: "read",
  request: { ...named, query: schemas.waitQuery },
  status: 200,
  says: "The holder",
  body: schemas.holderView,
});

const listGroups = endpoint({
  method: "get",
  path: "/v1/groups",
  tag: "groups",
  summary: "Groups that have members, in order, with their sizes",
  needs: "read",
  request: { query: schemas.pageQuery },
  status: 200,
  says: "A page",
  body: paged(groupRow),
});

const listMembers = endpoint({
  method: "get",
  path: "/v1/groups/{group}/members",
  tag: "groups",
  summary: "The members of a group, in order of their pids",
  needs: "read",
  request: { ...grouped, query: schemas.pageQuery },
  status: 200,
  says: "A page; empty for a group that nobody is in",
  body: paged(schemas.memberView),
});

const publish = endpoint({
  method: "post",
  path: "/v1/groups/{group}/publish",
  tag: "messages",
  summary: "Send a message to every member of a group",
  needs: "write",
  request: { ...grouped, query: schemas.scopeQuery, body: jsonBody(schemas.publish) },
  status: 202,
  says: "How many members it was sent to, as this node knows them",
  body: z.object({ members: z.number().openapi({ example: 3 }) }),
});

const send = endpoint({
  method: "post",
  path: "/v1/send",
  tag: "messages",
  summary: "Send a message to one process: at most once, and no error when nobody is there",
  needs: "write",
  request: { body: jsonBody(schemas.send) },
  status: 202,
  says: "It was sent",
  body: z.object({}),
});

const call = endpoint({
  method: "post",
  path: "/v1/call",
  tag: "messages",
  summary: "Call a process, and wait for its answer",
  needs: "write",
  request: { body: jsonBody(schemas.call) },
  status: 200,
  says: "The answer",
  body: z.object({ result: z.unknown() }),
});

/** Reads of the whole cluster, and messages to it. */
export function addClusterRoutes(app: OpenAPIHono<ServiceEnv>, parts: ServiceParts): void {
  const { node, operations } = parts;
  app.openapi(listNodes, (c) =>
    c.json({ self: node.id, cluster: node.cluster, items: node.nodes().map(shownNode) }, 200),
  );
  app.openapi(stats, (c) => c.json(node.stats(), 200));
  app.openapi(evict, async (c) => {
    const { name } = c.req.valid("param");
    await operations.evict(c.req.valid("query").scope, name);
    return c.json({ name }, 200);
  });
  app.openapi(publish, (c) => {
    const { group } = c.req.valid("param");
    const members = operations.publish(c.req.valid("query").scope, group, c.req.valid("json"));
    return c.json({ members }, 202);
  });
  app.openapi(send, (c) => {
    operations.send(c.req.valid("json"));
    return c.json({}, 202);
  });
  app.openapi(call, async (c) => {
    const result = await operations.call(c.req.valid("json"), c.req.raw.signal);
    return c.json({ result }, 200);
  });
  addLists(app, parts);
}

function addLists(app: OpenAPIHono<ServiceEnv>, { operations, watching }: ServiceParts): void {
  app.openapi(listNames, (c) => {
    const query = c.req.valid("query");
    const { items, ...rest } = pageOf(operations.scope(query.scope).names.list(), ({ name }) => name, query);
    return c.json({ items: items.map(shownRegistration), ...rest }, 200);
  });
  app.openapi(whereis, (c) => {
    const { name } = c.req.valid("param");
    return c.json(operations.whereis(c.req.valid("query").scope, name), 200);
  });
  app.openapi(listStrict, (c) => {
    const query = c.req.valid("query");
    operations.scope(query.scope);
    const holders = watching.scope(query.scope)?.strictTable.holders() ?? [];
    const { items, ...rest } = pageOf(holders, ({ key }) => key, query);
    return c.json({ items: items.map(({ key, value }) => shownHolder(key, value)), ...rest }, 200);
  });
  app.openapi(lookup, async (c) => {
    const { name } = c.req.valid("param");
    const { scope, timeoutMs } = c.req.valid("query");
    return c.json(await operations.lookupStrict(scope, name, timeoutMs), 200);
  });
  app.openapi(listGroups, (c) => {
    const query = c.req.valid("query");
    const { groups } = operations.scope(query.scope);
    const { items, ...rest } = pageOf(groups.list(), (group) => group, query);
    return c.json({ items: items.map((group) => ({ group, members: groups.count(group) })), ...rest }, 200);
  });
  app.openapi(listMembers, (c) => {
    const { group } = c.req.valid("param");
    const query = c.req.valid("query");
    const members = operations.scope(query.scope).groups.members(group);
    const { items, ...rest } = pageOf(members, ({ pid }) => pid, query);
    return c.json({ items: items.map((member) => shownMember(group, member)), ...rest }, 200);
  });
}
