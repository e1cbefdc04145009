import { Repeats } from "../kernel/repeats.ts";

/**
 * A value of the cluster as JSON can say it. What JSON has no word for is an object with one key that starts with a dollar sign:
 * `$bigint`, `$bytes` (base64), `$date`, `$map`, `$set`, `$number` (NaN and the infinities), `$error`, `$deep` and
 * `$large` for what is left out. Undefined is null.
 */
export function toJson(value: unknown): unknown {
  return say(value, { depth: 0, isAgain: false, parents: new Set(), repeats: new Repeats() });
}

/** Values of the cluster may go in circles, and be nested deeper than readers of JSON like. */
const DEEPEST = 200;
const BEYOND = { $deep: true };
/** What was said before, and would make the whole too large if it were said again. */
const LARGE = { $large: true };

interface Around {
  readonly depth: number;
  /** Whether this is within something that was said before. */
  readonly isAgain: boolean;
  readonly parents: Set<object>;
  readonly repeats: Repeats;
}

function say(value: unknown, around: Around): unknown {
  switch (typeof value) {
    case "string":
      return around.isAgain && !around.repeats.hasRoomForText(value) ? LARGE : value.toWellFormed();
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : { $number: String(value) };
    case "bigint":
      return sayBigint(value.toString(), around);
    case "object":
      return value === null ? null : sayObject(value, around);
    default:
      return null;
  }
}

function sayBigint(text: string, { isAgain, repeats }: Around): unknown {
  return isAgain && !repeats.hasRoomForText(text) ? LARGE : { $bigint: text };
}

function sayObject(value: object, { depth, parents, repeats, ...around }: Around): unknown {
  if (depth >= DEEPEST || parents.has(value)) return BEYOND;
  const isAgain = repeats.isAgain(value) || around.isAgain;
  if (!repeats.hasRoomFor(value, isAgain)) return LARGE;
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  if (ArrayBuffer.isView(value)) return { $bytes: base64(value.buffer, value.byteOffset, value.byteLength) };
  if (value instanceof ArrayBuffer) return { $bytes: base64(value, 0, value.byteLength) };
  parents.add(value);
  const inner = (part: unknown): unknown => say(part, { depth: depth + 1, isAgain, parents, repeats });
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
