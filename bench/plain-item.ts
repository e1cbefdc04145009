/** The items of the plain client: one key, one number, and as many bytes behind them as make it as large as one of ours. */
export class PlainItems {
  readonly #template: Buffer;
  readonly #longestKey: number;

  /** @param longestKey in ASCII characters, at most 255 */
  constructor(bytes: number, longestKey: number) {
    this.#template = Buffer.alloc(Math.max(bytes, NUMBER_BYTES + 1 + longestKey));
    this.#longestKey = longestKey;
  }

  get bytes(): number {
    return this.#template.length;
  }

  /** A fresh one for each message: the client sends it later, and does not copy it. */
  write(key: string, number: number): Buffer {
    if (key.length > this.#longestKey) throw new Error(`the key ${key} is too long`);
    const item = Buffer.from(this.#template);
    item.writeUInt32BE(number, 0);
    item[NUMBER_BYTES] = key.length;
    item.write(key, NUMBER_BYTES + 1, "latin1");
    return item;
  }
}

const NUMBER_BYTES = 4;

export function keyOf(item: Uint8Array): string {
  const start = NUMBER_BYTES + 1;
  return asBuffer(item).toString("latin1", start, start + (item[NUMBER_BYTES] ?? 0));
}

export function numberOf(item: Uint8Array): number {
  return asBuffer(item).readUInt32BE(0);
}

function asBuffer(item: Uint8Array): Buffer {
  return Buffer.from(item.buffer, item.byteOffset, item.length);
}
