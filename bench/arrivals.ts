const POLL_MS = 1;

/** Counts what has come, for those who can be told of each. */
export class Arrivals {
  #missing = 0;
  #complete: () => void = () => {};

  /** Resolves in the moment in which so many have come from now on. */
  expect(items: number): Promise<void> {
    this.#missing = items;
    return new Promise((resolve) => {
      this.#complete = resolve;
    });
  }

  add(): void {
    this.#missing -= 1;
    if (this.#missing === 0) this.#complete();
  }
}

/** For those who must look: at most a millisecond late, of hundreds. */
export function until(condition: () => boolean, everyMs = POLL_MS): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      try {
        if (condition()) resolve();
        else setTimeout(look, everyMs);
      } catch (error) {
        reject(error);
      }
    };
    look();
  });
}
