const FIRST_BYTES = 4_096;
/** A buffer that grew beyond this in a burst is not kept at that size. */
const KEPT_BYTES = 262_144;
const CR = 13;
const LF = 10;

/** Gathers what goes to one client in a turn, so that it leaves in one write. */
export class Outbox {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @param line latin1 */
  line(line: string): void {
    this.#reserve(line.length);
    this.#length += this.#buffer.write(line, this.#length, "latin1");
  }

  /** A payload, and the line end that follows it. */
  body(bytes: Uint8Array): void {
    this.#reserve(bytes.length + 2);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#buffer[this.#length] = CR;
    this.#buffer[this.#length + 1] = LF;
    this.#length += 2;
  }

  /** What was gathered. The buffer goes with it, because the socket may keep it for a while. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    const size = Math.min(KEPT_BYTES, Math.max(FIRST_BYTES, this.#length));
    this.#buffer = Buffer.allocUnsafe(size);
    this.#length = 0;
    return taken;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
