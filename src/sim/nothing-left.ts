/** Work of a machine that a node at rest has none of, by its counters. */
const NOTHING_LEFT = [
  "tables.claims",
  "tables.dockets",
  "tables.decisions",
  "tables.strayPromises",
  "tables.requests",
  "tables.endedAhead",
  // The tables did not mend by themselves what should never have come to differ.
  "tables.digestMismatches",
] as const;

/** What is left half done, where nothing should be. */
export function leftHalfDone(counters: Readonly<Record<string, number>>): readonly string[] {
  return NOTHING_LEFT.flatMap((counter) => {
    const count = counters[counter] ?? 0;
    return count === 0 ? [] : [`${counter} is ${count}`];
  });
}
