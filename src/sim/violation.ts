/** Something that must never be, and was. */
export class Violation extends Error {
  constructor(
    /** Which rule was broken. */
    readonly invariant: string,
    /** What was seen. */
    readonly seen: string,
    /** When, on the clock of the simulation. */
    readonly atMs: number,
  ) {
    super(`${invariant}: ${seen}, at ${atMs.toFixed(3)} ms`);
  }
}
