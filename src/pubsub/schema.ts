import { InvalidArgumentError } from "../kernel/errors.ts";

/** Whatever follows Standard Schema, version 1: schemas of zod, valibot, arktype and others. Only synchronous ones are of use here. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** One for all topics; by topic, where others take anything; or from a topic to its schema, or none. */
export type TopicSchemas =
  | StandardSchema
  | Readonly<Record<string, StandardSchema>>
  | ((topic: string) => StandardSchema | undefined);

/**
 * What may be sent to a topic, if schemas are given by topic. Of a topic that is not known before the program runs: anything. To
 * one of several, what all of them take: which of them it is, is not known either.
 */
export type InputOf<Schemas, Topic extends string> =
  SenderTo<Schemas, Topic> extends (input: infer Input) => void ? Input : never;

/** One for each topic. Whatever can be given to any of several functions can be given to all of them. */
type SenderTo<Schemas, Topic extends string> = Topic extends keyof Schemas
  ? Schemas[Topic] extends StandardSchema<infer Input, infer _Output>
    ? (input: Input) => void
    : (input: unknown) => void
  : (input: unknown) => void;

/** What its subscribers are given. Of one of several: what any of them gives. */
export type OutputOf<Schemas, Topic extends string> = Topic extends keyof Schemas
  ? Schemas[Topic] extends StandardSchema<infer _Input, infer Output>
    ? Output
    : unknown
  : unknown;

/** What a schema says of a message. */
export type Judgement =
  | { readonly fits: true; readonly value: unknown }
  | { readonly fits: false; readonly path: string; readonly value: unknown; readonly expected: string };

export type Judge = (topic: string, message: unknown) => Judgement;

/** @throws InvalidArgumentError for what is none of `TopicSchemas` */
export function judgeOf(messages: TopicSchemas | undefined): Judge | undefined {
  if (messages === undefined) return undefined;
  const schemaOf = schemasIn(messages);
  return (topic, message) => {
    const schema = schemaOf(topic);
    return schema === undefined ? { fits: true, value: message } : judge(schema, message);
  };
}

function schemasIn(messages: TopicSchemas): (topic: string) => StandardSchema | undefined {
  // Some libraries' schemas are functions, so this comes first.
  if (isSchema(messages)) return () => messages;
  if (typeof messages === "function") {
    return (topic) => {
      const schema = messages(topic);
      if (schema === undefined || isSchema(schema)) return schema;
      throw new InvalidArgumentError(`messages(${JSON.stringify(topic)})`, schema, "a Standard Schema");
    };
  }
  if (typeof messages !== "object" || messages === null) {
    throw new InvalidArgumentError("messages", messages, A_SCHEMA);
  }
  const byTopic = new Map(Object.entries(messages));
  for (const [topic, schema] of byTopic) {
    if (!isSchema(schema))
      throw new InvalidArgumentError(`messages[${JSON.stringify(topic)}]`, schema, A_SCHEMA);
  }
  return (topic) => byTopic.get(topic);
}

const A_SCHEMA = "a Standard Schema, such as one of zod; an object from topics to them; or a function";

function isSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard: unknown = "~standard" in value ? value["~standard"] : undefined;
  return (
    typeof standard === "object" &&
    standard !== null &&
    "validate" in standard &&
    typeof standard.validate === "function"
  );
}

function judge(schema: StandardSchema, message: unknown): Judgement {
  const result = schema["~standard"].validate(message);
  if ("then" in result) {
    // Nobody waits for it.
    Promise.resolve(result).catch(() => undefined);
    return { fits: false, path: "", value: message, expected: "nothing: its schema is not synchronous" };
  }
  if (result.issues === undefined) return { fits: true, value: result.value };
  const [issue] = result.issues;
  const keys = (issue?.path ?? []).map((step) => (typeof step === "object" ? step.key : step));
  return {
    fits: false,
    path: keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join(""),
    value: partOf(message, keys),
    expected: issue?.message ?? "what its schema takes",
  };
}

function partOf(message: unknown, keys: readonly PropertyKey[]): unknown {
  let part = message;
  for (const key of keys) {
    if (typeof part !== "object" || part === null) return undefined;
    part = (part as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return part;
}
