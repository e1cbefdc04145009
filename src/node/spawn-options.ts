import { InvalidArgumentError } from "../kernel/errors.ts";
import { checkFunction } from "./arguments.ts";
import { checkOptions } from "./known-options.ts";
import type { ProcessSettings } from "./process.ts";
import type { Handler, SpawnOptions } from "./types.ts";

const MOST_AT_ONCE = 1_000_000;
const LARGEST_MAILBOX = 10_000_000;

/** @throws InvalidArgumentError */
export function checkSpawnOptions(
  handler: Handler | undefined,
  options: SpawnOptions | undefined,
  mailbox: number,
): ProcessSettings {
  if (handler !== undefined) checkFunction(handler, "handler", "a function (message, context) => answer");
  const given = checkOptions(options, "spawn") ?? {};
  const onError = given.onError ?? "continue";
  if (onError !== "continue" && onError !== "exit") {
    throw new InvalidArgumentError("onError", onError, '"continue" or "exit"');
  }
  if (given.onNotice !== undefined)
    checkFunction(given.onNotice, "onNotice", "a function (notice, context) => void");
  return {
    handler,
    concurrency: whole("concurrency", given.concurrency ?? 1, MOST_AT_ONCE),
    mailbox: whole("mailbox", given.mailbox ?? mailbox, LARGEST_MAILBOX),
    onError,
    onNotice: given.onNotice,
  };
}

function whole(path: string, value: unknown, most: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new InvalidArgumentError(path, value, `a whole number from 1 to ${most}`);
}
