import { randomFillSync } from "node:crypto";
import type { Random } from "../kernel/random.ts";

/** How many numbers are asked of the system at once. */
const POOL = 256;

/** The operating system's randomness, a pool at a time. Forks are no different: all draws are independent. */
export class SystemRandom implements Random {
  readonly #pool = new Uint32Array(POOL);
  #next = POOL;

  u32(): number {
    if (this.#next === POOL) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    const drawn = this.#pool[this.#next] as number;
    // A number that was given out may be part of an incarnation or a nonce: no copy stays behind.
    this.#pool[this.#next] = 0;
    this.#next += 1;
    return drawn;
  }

  fork(_label: string): Random {
    return new SystemRandom();
  }
}
