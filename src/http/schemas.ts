import { z } from "@hono/zod-openapi";
import { LONGEST_WAIT_MS, PAGE, SESSION_GRACE, SESSION_TTL } from "./limits.ts";

/* What clients may send and what they get, in the words of OpenAPI. The WebSocket's operations take the same. */

const WHOLE = { type: "integer" } as const;

export const nameSchema = z.string().min(1).openapi({ example: "chat/room-7" });
export const scopeSchema = z
  .string()
  .min(1)
  .openapi({ example: "default", description: "One that the service was started with. Default: `default`" });
const anything = z.unknown().openapi({ description: "Any JSON", example: { text: "hello" } });
/** As above, and there must be one. */
const message = z
  .unknown()
  .refine((value) => value !== undefined, { error: "there must be one" })
  .openapi({ description: "Any JSON", example: { text: "hello" } });
const timeoutMs = z
  .number()
  .int()
  .min(1)
  .max(LONGEST_WAIT_MS)
  .openapi({ ...WHOLE, example: 5_000 });
const pid = z.string().openapi({ example: "web-1@0mwqi6o6xhqrpxhn5/3" });
const node = z.string().openapi({ example: "web-1@0mwqi6o6xhqrpxhn5" });
const token = z.string().regex(/^\d+$/).openapi({
  description:
    "The fencing token: of one name it only goes up. A decimal number, as text because it may be larger than JSON's numbers are exact",
  example: "42",
});
const sessionId = z.string().openapi({
  example: "yyS0jH0kQd6GkVb3GZxY1w",
  description: "Whoever knows it may use the session: keep it secret",
});

export const openSession = z.strictObject({
  ttlMs: z
    .number()
    .int()
    .min(SESSION_TTL.least)
    .max(SESSION_TTL.most)
    .default(SESSION_TTL.usual)
    .openapi({
      ...WHOLE,
      description: "How long it lives without a request, in milliseconds",
      example: SESSION_TTL.usual,
    }),
});

export const graceMs = z.coerce
  .number()
  .int()
  .min(SESSION_GRACE.least)
  .max(SESSION_GRACE.most)
  .openapi(WHOLE);

export const sessionView = z
  .object({
    session: sessionId,
    pid,
    node,
    ttlMs: z.number().openapi({ example: SESSION_TTL.usual }),
    expiresInMs: z
      .number()
      .nullable()
      .openapi({ description: "null: for as long as it is connected", example: 29_990 }),
    names: z.array(z.string()),
    strictNames: z.array(z.object({ name: z.string(), scope: z.string(), token })),
    groups: z.array(z.string()),
    waiting: z.number().openapi({ description: "Events that its client has not been given", example: 0 }),
  })
  .openapi("Session");

export const register = z.strictObject({
  meta: anything.optional(),
  timeoutMs: timeoutMs.optional(),
  takeOver: z
    .boolean()
    .optional()
    .openapi({ description: "Take the name from whoever holds it. Default: false" }),
});

export const registerStrict = z.strictObject({
  meta: anything.optional(),
  timeoutMs: timeoutMs.optional(),
  wait: z
    .boolean()
    .optional()
    .openapi({ description: "Stand in line while somebody holds it. Default: false" }),
});

export const join = z.strictObject({ meta: anything.optional() });

/** Whom a message is for: exactly one of them. */
export const address = z
  .union([
    z.strictObject({ pid }),
    z.strictObject({ name: nameSchema, scope: scopeSchema.optional() }),
    z.strictObject({ strictName: nameSchema, scope: scopeSchema.optional() }),
  ])
  .openapi({ example: { name: "prices" } });

export const monitorTarget = z
  .union([
    z.strictObject({ pid }),
    z.strictObject({ node }),
    z.strictObject({ name: nameSchema, scope: scopeSchema.optional() }),
  ])
  .openapi({ example: { name: "prices" } });

const from = sessionId.optional().openapi({ description: "The session that says it. Default: nobody" });

export const send = z.strictObject({ to: address, message, from });
export const call = z.strictObject({ to: address, message, timeoutMs: timeoutMs.optional(), from });
export const publish = z.strictObject({ message, from });
export const monitor = z.strictObject({ target: monitorTarget });
export const reply = z.union([
  z.strictObject({ call: z.string(), result: anything }),
  z.strictObject({ call: z.string(), error: z.string().max(4_096) }),
]);

export const registrationView = z
  .object({ name: nameSchema, pid, node, meta: anything })
  .openapi("Registration");
export const holderView = z
  .object({ name: nameSchema, pid, node, token, meta: anything })
  .openapi("StrictHolder");
export const memberView = z
  .object({
    group: z.string().openapi({ example: "room:lobby" }),
    pid,
    node,
    meta: anything,
    joins: z.number().openapi({ example: 1 }),
  })
  .openapi("Member");
export const nodeView = z
  .object({
    id: node,
    name: z.string().openapi({ example: "web-1" }),
    state: z.enum(["up", "suspect", "down"]),
    scopes: z.array(z.string()).openapi({ example: ["default"] }),
  })
  .openapi("Node");
export const grant = z
  .object({ name: nameSchema, pid, token, remainingMs: z.number().openapi({ example: 9_800 }) })
  .openapi("Grant");
const reason = z.looseObject({ kind: z.string() }).openapi({ example: { kind: "normal" } });
const told = <K extends string, S extends z.ZodRawShape>(kind: K, shape: S) =>
  z.object({
    id: z.number().openapi({ example: 1 }),
    kind: z.literal(kind),
    ...shape,
    missed: z.number().optional().openapi({ description: "Messages that were left out before this event" }),
  });
const ofName = { name: nameSchema, scope: scopeSchema };
const said = { message: anything, from: pid.optional(), token: token.optional() };

/** What a session is told. */
export const sessionEvent = z
  .discriminatedUnion("kind", [
    told("message", said),
    told("call", {
      call: z.string().openapi({ description: "Answer it with this", example: "c1" }),
      ...said,
    }),
    told("down", { monitor: z.string(), pid: pid.optional(), node, reason }),
    told("nameClash", { ...ofName, winner: pid.optional() }),
    told("nameTakenOver", { ...ofName, by: pid }),
    told("nameFreed", ofName),
    told("leaseLost", ofName),
    told("draining", { deadlineMs: z.number() }),
    told("ended", { reason }),
  ])
  .openapi("SessionEvent");

export const eventsPage = z
  .object({
    events: z.array(sessionEvent).openapi({
      example: [{ id: 1, kind: "message", message: { text: "hello" } }],
    }),
    next: z
      .number()
      .openapi({ description: "Give it as `after` next time: what it covers is forgotten", example: 1 }),
  })
  .openapi("Events");

export const problemView = z
  .object({
    type: z.string().openapi({ example: "urn:rollcall:problem:NAME_TAKEN" }),
    title: z.string().openapi({ example: "The name is held" }),
    status: z.number().openapi({ example: 409 }),
    code: z.string().openapi({ description: "Stable; `detail` is not", example: "NAME_TAKEN" }),
    detail: z.string().openapi({ example: 'name "prices" is held by web-1@0mwqi6o6xhqrpxhn5/3' }),
  })
  .openapi("Problem");

const count = (most: number) => z.coerce.number().int().min(1).max(most);

export const scopeQuery = z.object({ scope: scopeSchema.default("default") });
export const pageQuery = scopeQuery.extend({
  prefix: z.string().default("").openapi({ example: "room:" }),
  after: z.string().optional().openapi({ description: "`next` of the page before" }),
  limit: count(PAGE.most)
    .default(PAGE.usual)
    .openapi({ ...WHOLE, example: PAGE.usual }),
});
export const watchQuery = scopeQuery.extend({
  key: z.string().optional().openapi({ description: "Only this name, group or node" }),
  prefix: z.string().default("").openapi({ description: "Only what begins so", example: "room:" }),
});
export const waitQuery = scopeQuery.extend({ timeoutMs: count(LONGEST_WAIT_MS).optional().openapi(WHOLE) });
export const eventsQuery = z.object({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .openapi({ ...WHOLE, description: "The last event that you have", example: 0 }),
  waitMs: z.coerce
    .number()
    .int()
    .min(0)
    .max(60_000)
    .default(0)
    .openapi({ ...WHOLE, description: "How long to wait for an event", example: 25_000 }),
});
