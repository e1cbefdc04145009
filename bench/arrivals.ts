const POLL_MS = 1;

/** Counts what has come, for those who can be told of each. */
export class Arrivals {
  #missing = 0;
  #complete: () => void = () => {};
  #completion: Promise<void> = Promise.resolve();

  /** Resolves in the moment in which all that are expected have come. */
  get completion(): Promise<void> {
    return this.#completion;
  }

  /** So many, from now on. */
  expect(items: number): void {
    this.#missing = items;
    this.#completion = new Promise((resolve) => {
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
