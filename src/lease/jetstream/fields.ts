import { MalformedError } from "../../kernel/malformed.ts";
import { MAX_MARK } from "./limits.ts";

// What the fields of an entry or a snapshot may be. Each throws a MalformedError for anything else.

export function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new MalformedError(`${typeof value} where the log of leases has a list`);
}

export function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw new MalformedError(`${typeof value} where the log of leases has a text`);
}

export function whole(value: unknown): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  throw new MalformedError(`${typeof value} where the log of leases has a whole number`);
}

/** Something to count with, that leaves room to count on. */
export function counted(value: unknown): number {
  const number = whole(value);
  if (number >= 0 && number <= MAX_MARK) return number;
  throw new MalformedError(`${number} where the log of leases counts from 0 to ${MAX_MARK}`);
}

export function finite(value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new MalformedError(`${typeof value} where the log of leases has a number`);
}

export function flag(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new MalformedError(`${typeof value} where the log of leases has true or false`);
}

/** A copy: what comes is a part of all that came from the socket with it. */
export function bytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw new MalformedError(`${typeof value} where the log of leases has bytes`);
}
