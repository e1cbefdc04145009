import { Value } from "../kernel/value.ts";

const FIXSTR = 0xa0;
const STR_8 = 0xd9;
const STR_16 = 0xda;
const BIN_8 = 0xc4;
const BIN_16 = 0xc5;

/**
 * Decodes a value that stands in a larger array of bytes. Texts and byte arrays, which many messages are, are taken right from
 * where they stand: that takes a fraction of the time of the general way, which is for everything else.
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
  const length = end - start;
  const token = bytes[start];
  if (token === BIN_8 || token === BIN_16) {
    const header = headerOf(bytes, start, length, token === BIN_8);
    if (header > 0) return bytes.subarray(start + header, end);
  }
  return readText(bytes, start, end) ?? Value.fromBytes(bytes.subarray(start, end)).forMany();
}

/** Neither a value that is made anew for each reader, nor bytes: nobody is ever given a view of a frame. */
export function isShared(message: unknown): boolean {
  return typeof message !== "object" || !(message instanceof Value || message instanceof Uint8Array);
}

/** One reader's own, of a message that is not shared. */
export function copyOf(message: unknown): unknown {
  return message instanceof Value ? message.get() : new Uint8Array(message as Uint8Array);
}

function readText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  const token = bytes[start];
  if (token !== STR_8 && token !== STR_16 && token !== FIXSTR + length - 1) return undefined;
  const header = length <= 32 && token < STR_8 ? 1 : headerOf(bytes, start, length, token === STR_8);
  return header > 0 ? Buffer.prototype.utf8Slice.call(bytes, start + header, end) : undefined;
}

/** How long the header is that says how much follows; 0 when that is not what there is. */
function headerOf(bytes: Uint8Array, start: number, length: number, isShort: boolean): number {
  if (isShort) return bytes[start + 1] === length - 2 ? 2 : 0;
  return (bytes[start + 1] as number) * 256 + (bytes[start + 2] as number) === length - 3 ? 3 : 0;
}
