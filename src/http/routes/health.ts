import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Registry } from "prom-client";
import type { ServiceEnv, ServiceParts } from "../context.ts";
import { rawEndpoint } from "../endpoint.ts";

const check = z.object({ name: z.string(), ok: z.boolean(), detail: z.string() });

const livez = rawEndpoint({
  method: "get",
  path: "/livez",
  tag: "health",
  summary: "Whether the process answers",
  request: {},
  status: 200,
  says: "It does",
  body: z.object({ ok: z.literal(true) }),
});

const readyz = rawEndpoint({
  method: "get",
  path: "/readyz",
  tag: "health",
  summary: "Whether the node can be sent work",
  description: "503 when it cannot, with the same body: `checks` say why.",
  request: {},
  status: 200,
  says: "It can",
  body: z.object({ ready: z.boolean(), checks: z.array(check) }),
});

const metrics = rawEndpoint({
  method: "get",
  path: "/metrics",
  tag: "health",
  summary: "Counts and sizes, for Prometheus",
  needs: "read",
  request: {},
  status: 200,
  says: "In the text format of Prometheus",
  media: "text/plain",
  body: z.string(),
});

/** `/livez` and `/readyz` are for everybody who can reach the service; `/metrics` for who may read. */
export function addHealthRoutes(
  app: OpenAPIHono<ServiceEnv>,
  { readiness }: ServiceParts,
  registry: Registry,
): void {
  app.openapi(livez, (c) => c.json({ ok: true }));
  app.openapi(readyz, async (c) => {
    const health = await readiness.look();
    return c.json(health, health.ready ? 200 : 503);
  });
  app.openapi(metrics, async (c) =>
    c.body(await registry.metrics(), 200, { "content-type": registry.contentType }),
  );
}
