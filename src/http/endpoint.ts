import { createRoute, type z } from "@hono/zod-openapi";
import type { AccessScope } from "./access.ts";
import { problemView } from "./schemas.ts";

type Method = "get" | "put" | "post" | "delete";

interface Endpoint<
  M extends Method,
  P extends string,
  R extends object,
  S extends number,
  B extends z.ZodType,
> {
  readonly method: M;
  readonly path: P;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Without: whoever can reach the service may. */
  readonly needs?: AccessScope;
  /** `{}` when there is nothing to say. */
  readonly request: R;
  readonly status: S;
  /** What the answer is. */
  readonly says: string;
  readonly body: B;
  /** Default: JSON. */
  readonly media?: string;
}

/** A route as OpenAPI tells it. All of them answer with a problem when something is wrong. */
export function endpoint<
  const M extends Method,
  const P extends string,
  R extends object,
  const S extends number,
  B extends z.ZodType,
>(told: Endpoint<M, P, R, S, B>) {
  return createRoute({
    ...start(told),
    responses: answers(told) as {
      [status in S]: { description: string; content: { "application/json": { schema: B } } };
    },
  });
}

/** A route whose handler writes the answer itself. */
export function rawEndpoint<
  const M extends Method,
  const P extends string,
  R extends object,
  const S extends number,
  B extends z.ZodType,
>(told: Endpoint<M, P, R, S, B>) {
  return createRoute({
    ...start(told),
    responses: answers(told) as { [status in S]: { description: string } },
  });
}

function start<M extends Method, P extends string, R extends object, S extends number, B extends z.ZodType>({
  description,
  method,
  needs,
  path,
  request,
  summary,
  tag,
}: Endpoint<M, P, R, S, B>) {
  const told = description === undefined ? {} : { description };
  return {
    method,
    path,
    operationId: nameOf(method, path),
    tags: [tag],
    summary,
    ...told,
    security: needs === undefined ? [] : [{ bearer: [needs] }],
    request,
  };
}

/** Such as `putSessionsNames`: what generators of clients name their functions by. */
function nameOf(method: string, path: string): string {
  const words = path.split("/").filter((word) => word !== "" && word !== "v1" && !word.startsWith("{"));
  const isOne = path.endsWith("}") ? "One" : "";
  return (
    method +
    words
      .flatMap((word) => word.split("-"))
      .map(capital)
      .join("") +
    isOne
  );
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

function answers({
  body,
  media,
  says,
  status,
}: {
  readonly body: z.ZodType;
  readonly media?: string;
  readonly says: string;
  readonly status: number;
}): unknown {
  return {
    [status]: { description: says, content: { [media ?? "application/json"]: { schema: body } } },
    default: {
      description: "What is wrong, as RFC 9457 has it",
      content: { "application/problem+json": { schema: problemView } },
    },
  };
}

export function jsonBody<S extends z.ZodType>(schema: S, required = true) {
  return { required, content: { "application/json": { schema } } };
}
