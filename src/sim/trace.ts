/**
 * The fingerprint of a run: two runs that did the same, in the same order, at the same times, have the same. It costs a few
 * nanoseconds for each event, so that every run has one.
 */
export class TraceHash {
  #high = 0x9e3779b9;
  #low = 0x85ebca6b;

  add(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0xcc9e2d51);
    this.#low ^= this.#low >>> 15;
    this.#high = (Math.imul(this.#high, 0x1b873593) + this.#low) | 0;
  }

  addText(text: string): void {
    for (let index = 0; index < text.length; index += 1) this.add(text.charCodeAt(index));
  }

  get value(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.#high) + hex(this.#low);
  }
}
