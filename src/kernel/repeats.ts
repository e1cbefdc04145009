/** How much of a value is said again: parts, and characters or bytes of text. */
const MOST_PARTS = 100_000;
const MOST_TEXT = 1024 * 1024;

/**
 * Bounds what writing a value out as a tree takes. What a value holds once was measured when it came, by its bytes. But parts of
 * it may be shared, and holes of an array cost nothing: a hundred bytes can stand for more than fits into memory. So what stands
 * there for the first time is free, and what is said again has a budget.
 */
export class Repeats {
  readonly #seen = new Set<object>();
  /** Bytes of a buffer that no view has told yet. */
  readonly #untold = new Map<ArrayBufferLike, number>();
  #parts = MOST_PARTS;
  #text = MOST_TEXT;

  /** Whether there is room for that object and its parts. */
  hasRoomFor(value: object, isAgain: boolean): boolean {
    if (ArrayBuffer.isView(value)) return this.#hasRoomForBytes(value.buffer, value.byteLength);
    if (value instanceof ArrayBuffer) return this.#hasRoomForBytes(value, value.byteLength);
    this.#parts -= isAgain ? 1 + sizeOf(value) : holesOf(value);
    if (isAgain) this.#text -= ownText(value);
    return this.#parts >= 0 && this.#text >= 0;
  }

  /** Whether there is room for a text within something that is said again. */
  hasRoomForText(text: string): boolean {
    this.#text -= text.length;
    return this.#text >= 0;
  }

  /** Whether the object was there before. From now on it was. */
  isAgain(value: object): boolean {
    const isAgain = this.#seen.has(value);
    this.#seen.add(value);
    return isAgain;
  }

  #hasRoomForBytes(buffer: ArrayBufferLike, length: number): boolean {
    const untold = this.#untold.get(buffer) ?? buffer.byteLength;
    this.#untold.set(buffer, Math.max(0, untold - length));
    this.#text -= Math.max(0, length - untold);
    return this.#text >= 0;
  }
}

function sizeOf(value: object): number {
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map || value instanceof Set) return value.size;
  return Object.keys(value).length;
}

/** Characters that are told of an object besides its parts. */
function ownText(value: object): number {
  if (value instanceof Error) return value.name.length + value.message.length;
  if (value instanceof RegExp) return value.source.length;
  if (Array.isArray(value)) return 0;
  return Object.keys(value).reduce((sum, key) => sum + key.length, 0);
}

function holesOf(value: object): number {
  // Short ones are not worth the counting.
  return Array.isArray(value) && value.length > 1_000 ? value.length - Object.keys(value).length : 0;
}
