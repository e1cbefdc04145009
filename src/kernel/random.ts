/** The only source of chance in the project: the system's in the shell, a seeded one in tests. */
export interface Random {
  /** A whole number from 0 to 2^32 - 1, all equally likely. */
  u32(): number;
  /** An independent stream. In a seeded source it depends on the seed and the label alone, not on earlier draws. */
  fork(label: string): Random;
}

/** A number from 0 (included) to 1 (excluded). */
export function fraction(random: Random): number {
  return random.u32() / 0x1_0000_0000;
}

/** A reproducible stream (sfc32, public domain, by Chris Doty-Humphrey). Not for secrets. */
export class SeededRandom implements Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    this.#seed = seed;
    this.#a = seedWord(seed, 0x9e3779b9);
    this.#b = seedWord(seed, 0x243f6a88);
    this.#c = seedWord(seed, 0xb7e15162);
    for (let round = 0; round < 12; round += 1) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) >>> 0;
    this.#c = (this.#c + sum) >>> 0;
    return sum;
  }

  fork(label: string): Random {
    return new SeededRandom(`${this.#seed}/${label}`);
  }
}

function seedWord(seed: string, start: number): number {
  let word = start;
  for (let index = 0; index < seed.length; index += 1) {
    word = Math.imul(word ^ seed.charCodeAt(index), 0x85ebca6b);
    word ^= word >>> 13;
  }
  return word >>> 0;
}
