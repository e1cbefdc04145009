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
  | { readonly fits: false; readonly keys: readonly PropertyKey[]; readonly expected: string };

export interface Judge {
  /**
   * @param copy makes what the schema is given, which may do with it what it likes. Not called for a topic without a schema
   * @returns undefined: there is none, and any message is fine
   * @throws InvalidArgumentError for a schema that throws, or gives what is no result
   */
  judge(topic: string, copy: () => unknown): Judgement | undefined;
  /** How errors call what its schema gives. */
  pathOf(topic: string): string;
}

/** @throws InvalidArgumentError for what is none of `TopicSchemas` */
export function judgeOf(messages: TopicSchemas | undefined): Judge | undefined {
  if (messages === undefined) return undefined;
  const schemaOf = schemasIn(messages);
  const pathOf = (topic: string): string => `${placeOf(messages, topic)}["~standard"].validate(message)`;
  return {
    pathOf,
    judge: (topic, copy) => {
      const schema = schemaOf(topic);
      return schema === undefined ? undefined : judge(schema, copy(), pathOf(topic));
    },
  };
}

function placeOf(messages: TopicSchemas, topic: string): string {
  if (isSchema(messages)) return "messages";
  return typeof messages === "function"
    ? `messages(${JSON.stringify(topic)})`
    : `messages[${JSON.stringify(topic)}]`;
}

/** Where in the message a part stands, as errors call it. */
export function pathTo(keys: readonly PropertyKey[]): string {
  return keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
}

export function partOf(message: unknown, keys: readonly PropertyKey[]): unknown {
  let part = message;
  for (const key of keys) {
    if (typeof part !== "object" || part === null) return undefined;
    part = (part as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return part;
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

function judge(schema: StandardSchema, message: unknown, path: string): Judgement {
  let result: unknown;
  try {
    result = schema["~standard"].validate(message);
  } catch (error) {
    const misbehaviour = new InvalidArgumentError(
      path,
      error,
      "issues for what does not fit; this was thrown",
    );
    misbehaviour.cause = error;
    throw misbehaviour;
  }
  if (typeof result !== "object" || result === null) throw new InvalidArgumentError(path, result, A_RESULT);
  if ("then" in result) {
    // Nobody waits for it.
    Promise.resolve(result).catch(() => undefined);
    return { fits: false, keys: [], expected: "nothing: its schema is not synchronous" };
  }
  const issues: unknown = "issues" in result ? result.issues : undefined;
  if (issues === undefined) return { fits: true, value: "value" in result ? result.value : undefined };
  if (!Array.isArray(issues)) throw new InvalidArgumentError(path, result, A_RESULT);
  const [issue] = issues as readonly (Partial<SchemaIssue> | null | undefined)[];
  const expected = typeof issue?.message === "string" ? issue.message : "what its schema takes";
  return { fits: false, keys: keysIn(issue?.path), expected };
}

const A_RESULT = "a result with value, or with a list of issues";

/** None, if one of them is no key: the message does not fit, wherever that is. */
function keysIn(path: unknown): readonly PropertyKey[] {
  if (!Array.isArray(path)) return [];
  const keys = (path as readonly unknown[]).map((step) =>
    typeof step === "object" && step !== null && "key" in step ? step.key : step,
  );
  return keys.every(isKey) ? keys : [];
}

function isKey(value: unknown): value is PropertyKey {
  return typeof value === "string" || typeof value === "number" || typeof value === "symbol";
}
