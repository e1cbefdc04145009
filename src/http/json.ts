/**
 * A value of the cluster as JSON can say it. What JSON has no word for is an object with one key that starts with a dollar sign:
 * `$bigint`, `$bytes` (base64), `$date`, `$map`, `$set`, `$number` (NaN and the infinities), `$error`. Undefined is null.
 */
export function toJson(value: unknown): unknown {
  return say(value, 0, new Set());
}

/** Values of the cluster may go in circles, and be nested deeper than readers of JSON like. */
const DEEPEST = 200;
const BEYOND = { $deep: true };

type Parents = Set<object>;

function say(value: unknown, depth: number, parents: Parents): unknown {
  switch (typeof value) {
    case "string":
      return value.toWellFormed();
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : { $number: String(value) };
    case "bigint":
      return { $bigint: value.toString() };
    case "object":
      return value === null ? null : sayObject(value, depth, parents);
    default:
      return null;
  }
}

function sayObject(value: object, depth: number, parents: Parents): unknown {
  if (depth >= DEEPEST || parents.has(value)) return BEYOND;
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  if (ArrayBuffer.isView(value)) return { $bytes: base64(value.buffer, value.byteOffset, value.byteLength) };
  if (value instanceof ArrayBuffer) return { $bytes: base64(value, 0, value.byteLength) };
  parents.add(value);
  const inner = (part: unknown): unknown => say(part, depth + 1, parents);
  const said = sayParts(value, inner);
  parents.delete(value);
  return said;
}

function sayParts(value: object, inner: (part: unknown) => unknown): unknown {
  // `Array.from`, because a hole is passed over by `map`.
  if (Array.isArray(value)) return Array.from(value, inner);
  if (value instanceof Map) return { $map: Array.from(value, ([key, of]) => [inner(key), inner(of)]) };
  if (value instanceof Set) return { $set: Array.from(value, inner) };
  if (value instanceof Error) return { $error: { name: value.name, message: value.message } };
  // An own `__proto__`, which assignment would swallow.
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key.toWellFormed(), inner(part)]));
}

function base64(buffer: ArrayBufferLike, offset: number, length: number): string {
  return Buffer.from(buffer, offset, length).toString("base64");
}
