import { Value } from "../kernel/value.ts";
import { readText, viewBytes } from "../kernel/value-flat.ts";

/**
 * Decodes a value that stands in a larger array of bytes, a text or a byte array right from where it stands.
 *
 * @throws MalformedError when the bytes are not a value
 */
export function readPayload(bytes: Uint8Array, start: number, end: number): unknown {
  const message = readPayloadForMany(bytes, start, end);
  return isShared(message) ? message : copyOf(message);
}

/**
 * As `readPayload`, for many readers, at once: what all of them are given, or, where it is not shared, that of which each is
 * given a copy.
 */
export function readPayloadForMany(bytes: Uint8Array, start: number, end: number): unknown {
  return (
    readText(bytes, start, end) ??
    viewBytes(bytes, start, end) ??
    Value.fromBytes(bytes.subarray(start, end)).forMany()
  );
}

/** As `readPayloadForMany`, of what this node itself has just encoded. */
export function forManyHere(value: Value): unknown {
  return viewBytes(value.bytes, 0, value.bytes.length) ?? value.forMany();
}

/** Neither a value that is made anew for each reader, nor bytes: nobody is ever given a view of a frame. */
export function isShared(message: unknown): boolean {
  return typeof message !== "object" || !(message instanceof Value || message instanceof Uint8Array);
}

/** One reader's own, of a message that is not shared. */
export function copyOf(message: unknown): unknown {
  return message instanceof Value ? message.get() : new Uint8Array(message as Uint8Array);
}
