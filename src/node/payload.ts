import { Value } from "../kernel/value.ts";
import { readBytes, readText } from "../kernel/value-flat.ts";

/**
 * Decodes a value that stands in a larger array of bytes, a text or a byte array right from where it stands.
 *
 * @throws MalformedError when the bytes are not a value
 */
export function readPayload(bytes: Uint8Array, start: number, end: number): unknown {
  return (
    readText(bytes, start, end) ??
    readBytes(bytes, start, end) ??
    Value.fromBytes(bytes.subarray(start, end)).get()
  );
}

/**
 * As `readPayload`, for many readers: what all of them are given, or a `Value` of which each takes its own copy, for as long as
 * the bytes stand.
 */
export function readPayloadForMany(bytes: Uint8Array, start: number, end: number): unknown {
  return readText(bytes, start, end) ?? Value.fromBytes(bytes.subarray(start, end)).forMany();
}
