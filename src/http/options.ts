import { z } from "zod";
import { InvalidArgumentError } from "../kernel/errors.ts";
import { isText } from "../kernel/text.ts";
import type { Logger } from "../node/logger.ts";
import { type AccessToken, checkToken } from "./access.ts";
import { DEFAULT_LIMITS, type ServiceLimits } from "./limits.ts";

/** What `startService` takes. Everything has a default. */
export interface ServiceOptions {
  /** The address to listen at. Any but one of this machine's own (loopback) needs `tokens`. Default: `127.0.0.1`. */
  readonly host?: string | undefined;
  /** 0: any that is free. Default: 4780. */
  readonly port?: number | undefined;
  /** Who may do what. Default: on loopback everybody may read and write, and nobody may evict. */
  readonly tokens?: readonly AccessToken[] | undefined;
  /** The scopes that clients may use, besides `default`. They are opened. */
  readonly scopes?: readonly string[] | undefined;
  /** Names by which clients address the service, besides `localhost`. Without any, and with tokens, every name will do. */
  readonly hosts?: readonly string[] | undefined;
  /** Origins of pages that may use the service, such as `https://admin.example`. Default: only its own. */
  readonly origins?: readonly string[] | undefined;
  /** Whether `/metrics` tells of the whole program too: memory, processor, handles, event loop. For one service of a program. Default: false. */
  readonly processMetrics?: boolean | undefined;
  readonly limits?: { readonly [K in keyof ServiceLimits]?: number | undefined } | undefined;
  readonly logger?: Logger | undefined;
}

export interface ServiceSettings {
  readonly host: string;
  readonly port: number;
  readonly tokens: readonly AccessToken[];
  readonly scopes: readonly string[];
  readonly hosts: readonly string[];
  readonly origins: readonly string[];
  readonly processMetrics: boolean;
  readonly limits: ServiceLimits;
}

const DEFAULT_PORT = 4_780;
const LOOPBACK = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|localhost)$/;

const LIMIT = "a whole number from 1 to 1000000000";
const limits = z.strictObject(
  Object.fromEntries(
    Object.keys(DEFAULT_LIMITS).map((key) => [key, z.int(LIMIT).min(1, LIMIT).max(1e9, LIMIT).optional()]),
  ),
);

const TAKES: Readonly<Record<string, string>> = {
  host: "an IP address or name to listen at, such as 127.0.0.1",
  port: "a whole number from 0 to 65535",
  tokens: "an array of { scope, token }",
  scopes: "an array of names of scopes",
  hosts: "an array of names of hosts, without ports",
  origins: "an array of origins, such as https://admin.example",
  processMetrics: "true or false",
  limits: `limits, each ${LIMIT}`,
};

const schema = z.strictObject({
  host: z.string().min(1).default("127.0.0.1"),
  port: z.int().min(0).max(65_535).default(DEFAULT_PORT),
  tokens: z
    .array(z.strictObject({ scope: z.enum(["read", "write", "admin"]), token: z.string() }))
    .default([]),
  scopes: z.array(z.string().refine((scope) => isText(scope))).default([]),
  hosts: z.array(z.string().toLowerCase()).default([]),
  origins: z
    .array(z.string().refine((origin) => URL.canParse(origin) && new URL(origin).origin === origin))
    .default([]),
  processMetrics: z.boolean().default(false),
  limits: limits.default({}),
  logger: z.unknown().optional(),
});

/** @throws InvalidArgumentError for the first option that is wrong */
export function parseServiceOptions(options: ServiceOptions): ServiceSettings {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key = String(issue?.path[0] ?? (issue?.code === "unrecognized_keys" ? issue.keys[0] : ""));
    const takes =
      TAKES[key] ?? `nothing: there is no such option; there are ${Object.keys(TAKES).join(", ")}`;
    throw new InvalidArgumentError(
      issue?.path.join(".") || key,
      key === "tokens" ? "(hidden)" : (options as Readonly<Record<string, unknown>>)[key],
      takes,
    );
  }
  const { tokens, ...rest } = parsed.data;
  for (const { token } of tokens) checkToken(token);
  if (tokens.length === 0 && !isLoopback(rest.host))
    throw new InvalidArgumentError(
      "host",
      rest.host,
      "an address of this machine alone, or tokens (ROLLCALL_TOKEN) beside it",
    );
  return { ...rest, tokens, limits: { ...DEFAULT_LIMITS, ...rest.limits } };
}

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
