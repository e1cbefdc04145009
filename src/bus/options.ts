import type { z } from "zod";
import { InvalidArgumentError } from "../kernel/errors.ts";

/**
 * Checks the options of a bus. The first thing wrong is thrown as an `InvalidArgumentError` whose path starts with `owner`.
 * @param takes what each option takes, as a sentence's end
 * @param secret options whose values must not be shown, not even in an error
 */
export function checkBusOptions<T>(
  owner: string,
  schema: z.ZodType<T>,
  options: unknown,
  takes: Readonly<Record<string, string>>,
  secret: ReadonlySet<string> = new Set(),
): T {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const known = Object.keys(takes).join(", ");
  if (issue?.code === "unrecognized_keys") {
    throw new InvalidArgumentError(
      `${owner}.${issue.keys[0] ?? ""}`,
      // It may be a password under a wrong name.
      "(given)",
      `nothing: there is no option ${issue.keys[0] ?? ""}; there are ${known}`,
    );
  }
  const [first, ...rest] = issue?.path ?? [];
  if (issue === undefined || first === undefined) {
    throw new InvalidArgumentError(owner, kindOf(options), `an object with the options ${known}`);
  }
  const name = String(first);
  const path = rest.reduce<string>((path, key) => `${path}[${String(key)}]`, `${owner}.${name}`);
  const given = valueAt(options, issue.path);
  const value = secret.has(name) || mayHoldPassword(given) ? "(hidden)" : given;
  throw new InvalidArgumentError(path, value, takes[name] ?? issue.message);
}

/** What is wrong with the URL of a server may be a character in its password. */
function mayHoldPassword(value: unknown): boolean {
  return Array.isArray(value)
    ? value.some(mayHoldPassword)
    : typeof value === "string" && value.includes("@");
}

/** Not the value: the URL of a server may hold a password. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "(an array)";
  return value === null ? "(null)" : `(a ${typeof value})`;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}
