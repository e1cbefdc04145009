import { InvalidArgumentError } from "../../kernel/errors.ts";

/** @throws InvalidArgumentError unless it is a time in milliseconds that can pass */
export function checkMs(path: string, value: number, least = 0): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return value;
  throw new InvalidArgumentError(path, value, `milliseconds, ${least} or more`);
}

/** @throws InvalidArgumentError unless it is a whole number from 1 to `most` */
export function checkCount(path: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new InvalidArgumentError(path, value, `a whole number from 1 to ${most}`);
}

/**
 * A key that is not known is mostly a slip: `seed` for `seeds` would run one for a hundred.
 *
 * @throws InvalidArgumentError
 */
export function checkKeys<O extends object>(
  options: O,
  known: Readonly<Record<keyof O & string, true>>,
): void {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("options", options, "an object");
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(known, key))
      throw new InvalidArgumentError(key, value, `nothing: there are ${Object.keys(known).join(", ")}`);
  }
}
