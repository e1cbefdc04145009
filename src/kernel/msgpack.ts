import { Packr, Unpackr } from "msgpackr";
import { MalformedError } from "./malformed.ts";

// Plain MessagePack, without the library's records (whose readers are generated code), classes and references:
// what those are for is written here as plain trees, and read back by code that trusts nothing.
const plain = {
  useRecords: false,
  mapsAsObjects: true,
  moreTypes: false,
  structuredClone: false,
  useToJSON: false,
} as const;
const packr = new Packr({ ...plain, variableMapSize: true });
const unpackr = new Unpackr(plain);

/** Encodes null, undefined, booleans, numbers (-0 as 0), 64-bit bigints, text, Uint8Arrays, arrays and plain objects. */
export function pack(tree: unknown): Uint8Array {
  return packr.pack(tree);
}

/**
 * Decodes one tree that fills `bytes`. Byte arrays in it are views of `bytes`.
 *
 * @throws MalformedError and nothing else, whatever the bytes; memory and time stay in proportion to their number.
 */
export function unpack(bytes: Uint8Array): unknown {
  if (skipOne(bytes, 0) !== bytes.length) throw new MalformedError("bytes after the end of a value");
  return unpackChecked(plainView(bytes), 0, bytes.length);
}

/** Decodes trees that stand one after another and fill `bytes`. Otherwise like `unpack`. */
export function unpackAll(bytes: Uint8Array): unknown[] {
  const source = plainView(bytes);
  const trees: unknown[] = [];
  for (let start = 0; start < source.length; ) {
    const end = skipOne(source, start);
    trees.push(unpackChecked(source, start, end));
    start = end;
  }
  return trees;
}

/** Not the caller's object, on which the library would leave a property, and not a Buffer, of which the views would be Buffers. */
function plainView(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function unpackChecked(bytes: Uint8Array, start: number, end: number): unknown {
  try {
    return unpackr.unpack(bytes, { start, end });
  } catch (error) {
    // Nesting deeper than the stack is what is left to fail.
    throw new MalformedError("a value that cannot be decoded", { cause: error });
  }
}

/**
 * Where the tree that starts at `start` ends. It goes over the bytes before the library does, and lets through only what
 * `pack` writes, because the library trusts its input: it compiles functions from the keys of a record, follows offsets, and
 * allocates by the length in a header.
 */
function skipOne(bytes: Uint8Array, start: number): number {
  const end = bytes.length;
  let position = start;
  let pending = 1;
  while (pending > 0) {
    // Each tree takes a byte at least, so no header may promise more of them than there are bytes.
    if (pending > end - position) throw cutShort();
    pending -= 1;
    const token = bytes[position] as number;
    position += 1;
    if (token < 0x80 || token >= 0xe0) continue;
    if (token < 0x90) pending += (token & 0x0f) * 2;
    else if (token < 0xa0) pending += token & 0x0f;
    else if (token < 0xc0) position += token & 0x1f;
    else {
      const size = SIZE_OF_HEAD[token - 0xc0] as number;
      if (size > end - position) throw size === REFUSED ? refused(token) : cutShort();
      const head = position;
      position += size;
      if (token === UNDEFINED && bytes[head] !== 0) throw refused(token);
      if (token < 0xc4 || (token > 0xc6 && token < 0xd9)) continue;
      const length = readLength(bytes, head, size);
      if (token < 0xdc) position += length;
      else pending += token < 0xde ? length : length * 2;
    }
  }
  if (position > end) throw cutShort();
  return position;
}

function readLength(bytes: Uint8Array, head: number, size: number): number {
  const first = bytes[head] as number;
  if (size === 1) return first;
  const second = first * 0x100 + (bytes[head + 1] as number);
  if (size === 2) return second;
  return second * 0x1_0000 + (bytes[head + 2] as number) * 0x100 + (bytes[head + 3] as number);
}

function cutShort(): MalformedError {
  return new MalformedError("a value cut short");
}

function refused(token: number): MalformedError {
  return new MalformedError(`a value of a type that is not used here, 0x${token.toString(16)}`);
}

/** The extension that stands for undefined: its type is 0. */
const UNDEFINED = 0xd4;
const REFUSED = Number.POSITIVE_INFINITY;
const no = REFUSED;
/** For each token from 0xc0 to 0xdf: the bytes of the number that it holds, or of the length that stands in front. */
const SIZE_OF_HEAD: readonly number[] = [
  ...[0, no, 0, 0], // nil, never used, false, true
  ...[1, 2, 4], // bin 8, 16 and 32
  ...[no, no, no], // ext
  ...[4, 8, 1, 2, 4, 8, 1, 2, 4, 8], // float 32 and 64, uint 8 to 64, int 8 to 64
  ...[2, no, no, no, no], // fixext: undefined, then others
  ...[1, 2, 4, 2, 4, 2, 4], // str 8 to 32, array 16 and 32, map 16 and 32
];
