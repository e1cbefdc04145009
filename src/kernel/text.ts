import { InvalidArgumentError } from "./errors.ts";

/** Names, groups and scopes: any Unicode text of 1 to this many bytes of UTF-8. */
export const NAME_BYTES = 512;

/** Checks a name, group or scope that a user gave. A lone surrogate has no UTF-8 form, so it is refused. */
export function checkText(value: unknown, path: string, maxBytes = NAME_BYTES): string {
  if (typeof value === "string" && value !== "" && isShortEnough(value, maxBytes) && value.isWellFormed())
    return value;
  throw new InvalidArgumentError(
    path,
    value,
    `a non-empty string of at most ${maxBytes} bytes of well-formed Unicode`,
  );
}

export function isText(value: unknown, maxBytes = NAME_BYTES): value is string {
  return typeof value === "string" && value !== "" && isShortEnough(value, maxBytes) && value.isWellFormed();
}

function isShortEnough(value: string, maxBytes: number): boolean {
  // A UTF-16 code unit takes at most three bytes of UTF-8, so most strings need no exact count.
  return value.length * 3 <= maxBytes || (value.length <= maxBytes && Buffer.byteLength(value) <= maxBytes);
}
