import { fraction, type Random } from "../kernel/random.ts";

/** A stream of choices. */
export class Draw {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  fraction(): number {
    return fraction(this.#random);
  }

  chance(likely: number): boolean {
    return this.fraction() < likely;
  }

  /** Whole numbers, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.fraction() * list.length)] as T;
  }

  /** Times are whole milliseconds: a plan is for people too. */
  time([least, most]: readonly [number, number]): number {
    return this.between(least, most);
  }
}
