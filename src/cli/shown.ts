import { Repeats } from "../kernel/repeats.ts";

/*
 * How values of the cluster are written. Whoever can join can choose names, metadata and messages, so nothing of them reaches a
 * terminal as it is: what could move a cursor, hide a text or begin a new line is escaped.
 */

/** Control characters, separators of lines, and marks that turn the direction of writing. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** On one line, as it is if that is safe. */
export function shownText(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** A message or metadata: texts as they are, all else as JSON. */
export function shownValue(value: unknown): string {
  return typeof value === "string" ? shownText(value) : shownJson(value);
}

/** One line of JSON, whatever is in the value. */
export function shownJson(value: unknown): string {
  return shownText(JSON.stringify(plain(value, outside())) ?? "null");
}

/** A document, for people and programs. */
export function jsonDocument(value: unknown): string {
  // Line breaks are between the parts here, never within: JSON escapes those.
  return (JSON.stringify(plain(value, outside()), null, 2) ?? "null").split("\n").map(shownText).join("\n");
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

interface Around {
  readonly parents: readonly unknown[];
  /** Whether this is within something that was told before. */
  readonly isAgain: boolean;
  readonly repeats: Repeats;
}

/** What was told before, and would make the whole too large if it were told again. */
const LARGE = "(large)";

function outside(): Around {
  return { parents: [], isAgain: false, repeats: new Repeats() };
}

/**
 * What of a value JSON can tell. Messages and metadata hold more than JSON has: numbers too large for it become text, maps become
 * lists of pairs where their keys are not texts, bytes become base64.
 */
function plain(value: unknown, { parents, repeats, ...around }: Around): unknown {
  if (typeof value === "bigint") return plain(String(value), { parents, repeats, ...around });
  if (typeof value === "string") return around.isAgain && !repeats.hasRoomForText(value) ? LARGE : value;
  if (typeof value !== "object" || value === null) return value;
  if (parents.includes(value)) return "(circular)";
  const isAgain = repeats.isAgain(value) || around.isAgain;
  if (!repeats.hasRoomFor(value, isAgain)) return LARGE;
  return plainObject(value, { parents: [...parents, value], isAgain, repeats });
}

function plainObject(value: object, within: Around): unknown {
  const inside = (part: unknown): unknown => plain(part, within);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Error) return plainError(value, inside);
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64");
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (value instanceof Set) return [...value].map(inside);
  if (value instanceof Map) {
    const pairs = [...value].map(([key, part]): [unknown, unknown] => [inside(key), inside(part)]);
    return pairs.every(([key]) => typeof key === "string") ? Object.fromEntries(pairs) : pairs;
  }
  if (Array.isArray(value)) return value.map(inside);
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inside(part)]));
}

function plainError(error: Error, inside: (part: unknown) => unknown): unknown {
  const { cause, message, name } = error;
  const code = (error as NodeJS.ErrnoException).code;
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    ...(cause === undefined ? {} : { cause: inside(cause) }),
  };
}
