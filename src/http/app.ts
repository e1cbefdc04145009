import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import type { Registry } from "prom-client";
import type { AccessScope } from "./access.ts";
import { readBody } from "./body.ts";
import type { ServiceEnv, ServiceParts } from "./context.ts";
import { INTERNAL_PROBLEM, type Problem, problemOf, ServiceError } from "./problem.ts";
import { addClusterRoutes } from "./routes/cluster.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addPage } from "./routes/page.ts";
import { addSessionRoutes } from "./routes/sessions.ts";
import { addStreamRoutes } from "./routes/streams.ts";
import { VERSION } from "./version.ts";

/** How long a browser may take a page for one that is let in. */
const CORS_SECONDS = 600;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]);
const NOTHING = "{}";
const JSON_MEDIA = /^application\/json(;|$)/i;

/** The service's routes, behind the checks that all of them share. */
export function createApp(
  parts: ServiceParts,
  metrics: Registry,
  origins: readonly string[],
): OpenAPIHono<ServiceEnv> {
  const app = new OpenAPIHono<ServiceEnv>({
    strict: true,
    defaultHook(result) {
      if (result.success) return;
      const issue = result.error.issues[0];
      throw new ServiceError("BAD_REQUEST", `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
    },
  });
  app.onError((error, c) => refuse(c, parts, error));
  app.notFound((c) => refuse(c, parts, notFound(c)));
  if (origins.length > 0)
    app.use(cors({ origin: [...origins], maxAge: CORS_SECONDS, exposeHeaders: ["retry-after"] }));
  addChecks(app, parts);
  addHealthRoutes(app, parts, metrics);
  addSessionRoutes(app, parts);
  addClusterRoutes(app, parts);
  addStreamRoutes(app, parts);
  addDocument(app);
  addPage(app);
  return app;
}

function addChecks(app: OpenAPIHono<ServiceEnv>, parts: ServiceParts): void {
  const { access, buckets, clock, counts, limits } = parts;
  app.use(async (c, next) => {
    // They do not fit a `Request`, or say nothing here.
    const client = c.env.incoming.socket.remoteAddress ?? "";
    const waitMs = buckets.take(client, clock.now());
    if (waitMs > 0) {
      c.header("retry-after", String(Math.ceil(waitMs / 1_000)));
      throw new ServiceError(
        "RATE_LIMITED",
        `at most ${limits.requestsPerSecond} requests per second from one address`,
      );
    }
    c.header("x-content-type-options", "nosniff");
    c.header("cache-control", "no-store");
    await next();
    counts.requests.set(c.res.status, (counts.requests.get(c.res.status) ?? 0) + 1);
  });
  app.use(async (c, next) => {
    const credentials = {
      authorization: c.req.header("authorization"),
      host: c.req.header("host"),
      origin: c.req.header("origin"),
    };
    const needed = neededFor(c.req.method, c.req.path);
    if (needed === undefined) access.checkSender(credentials);
    else access.check(needed, credentials);
    await next();
  });
  app.use(async (c, next) => {
    const { incoming } = c.env;
    const { headers } = incoming;
    const isStreamed = headers["transfer-encoding"] !== undefined;
    const isJson = JSON_MEDIA.test(headers["content-type"] ?? "");
    if (isStreamed || Number(headers["content-length"] ?? 0) > 0) {
      if (!isJson)
        throw new ServiceError(
          "UNSUPPORTED_MEDIA_TYPE",
          "send JSON, and say so: content-type: application/json",
        );
      const text = await readBody(incoming, limits.bodyBytes);
      // Where hono looks first, which would read the body without a limit. It keeps promises there, whatever its types say.
      c.req.bodyCache.text = Promise.resolve(text === "" ? NOTHING : text) as unknown as string;
    } else if (isJson) {
      // Libraries say what the body is also where there is none.
      c.req.bodyCache.text = Promise.resolve(NOTHING) as unknown as string;
    }
    await next();
  });
}

/** Undefined: whoever asks from here may. */
function neededFor(method: string, path: string): AccessScope | undefined {
  if (!path.startsWith("/v1/")) return path === "/metrics" ? "read" : undefined;
  if (path.startsWith("/v1/sessions")) return "write";
  if (method === "GET" || method === "HEAD") return "read";
  return method === "DELETE" ? "admin" : "write";
}

function addDocument(app: OpenAPIHono<ServiceEnv>): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "Needed where the service was given tokens: read, write or admin",
  });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Rollcall",
      version: VERSION,
      description: "Names, groups and messages of a Rollcall cluster, for any language",
      license: { name: "MIT" },
    },
    servers: [{ url: "/" }],
  });
}

function notFound(c: Context<ServiceEnv>): ServiceError {
  if (!METHODS.has(c.req.method))
    return new ServiceError("METHOD_NOT_ALLOWED", `${c.req.method} is not taken here`);
  if (/\/socket$/.test(c.req.path)) return new ServiceError("UPGRADE_REQUIRED", "connect with a WebSocket");
  return new ServiceError("NOT_FOUND", `there is no ${c.req.method} ${c.req.path}; see /openapi.json`);
}

function refuse(c: Context<ServiceEnv>, parts: ServiceParts, error: unknown): Response {
  const problem = problemOf(error) ?? fromHono(error) ?? unexpected(c, parts, error);
  const { counts } = parts;
  counts.problems.set(problem.code, (counts.problems.get(problem.code) ?? 0) + 1);
  // What is left of its body is not waited for.
  if (problem.code === "BODY_TOO_LARGE") c.header("connection", "close");
  if (problem.status === 401) c.header("www-authenticate", 'Bearer realm="rollcall"');
  // Headers are out: the stream can only end.
  if (c.env.outgoing.headersSent) c.env.outgoing.destroy();
  return c.body(JSON.stringify(problem), problem.status as 500, {
    "content-type": "application/problem+json",
  });
}

/** What hono itself found wrong: a body that is not JSON. */
function fromHono(error: unknown): Problem | undefined {
  if (!(error instanceof HTTPException) || error.status >= 500) return undefined;
  return problemOf(new ServiceError("BAD_JSON", "the body cannot be read as JSON"));
}

function unexpected(c: Context<ServiceEnv>, { logger }: ServiceParts, error: unknown): Problem {
  // Nobody is there any more to be told.
  if (c.req.raw.signal.aborted) logger.debug({ error }, "a client of the HTTP service hung up");
  else logger.error({ error, method: c.req.method, path: c.req.path }, "a request failed");
  return INTERNAL_PROBLEM;
}
