import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, test } from "vitest";
import { ServiceStage } from "../support/service-stage.ts";

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly responses: Readonly<Record<string, unknown>>;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly example?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

test("/openapi.json is a valid document that tells every route, with what it may go wrong with, and examples", async () => {
  await using stage = await ServiceStage.start();
  const { client } = await stage.serve();
  const document = (await client.get("/openapi.json")).body as unknown as Document;
  const result = await new Validator().validate(document as never);
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ what: `${method} ${path}`, operation })),
  );
  expect(operations.map(({ what }) => what)).toEqual(
    expect.arrayContaining([
      "post /v1/sessions",
      "put /v1/sessions/{session}/strict-names/{name}",
      "get /v1/sessions/{session}/events",
      "get /v1/watch/{kind}",
      "post /v1/call",
    ]),
  );
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toContain("putSessionsStrictNamesOne");
  for (const { operation, what } of operations) {
    expect([what, operation.summary, operation.tags]).toEqual([
      what,
      expect.any(String),
      [expect.any(String)],
    ]);
    expect([what, Object.keys(operation.responses)]).toEqual([what, expect.arrayContaining(["default"])]);
    const schema = operation.requestBody?.content["application/json"]?.schema;
    if (schema !== undefined) expect([what, hasExample(schema)]).toEqual([what, true]);
  }
  const sent = operations.find(({ what }) => what === "post /v1/send")?.operation.requestBody;
  expect(sent?.content["application/json"]?.schema.required).toEqual(["to", "message"]);
  expect(Object.keys(document.components.schemas)).toContain("SessionEvent");
  for (const [name, schema] of Object.entries(document.components.schemas))
    expect([name, hasExample(schema)]).toEqual([name, true]);
});

function hasExample(schema: Schema): boolean {
  const parts = [...Object.values(schema.properties ?? {}), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return schema.example !== undefined || schema.$ref !== undefined || parts.some(hasExample);
}
