export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws Error for an empty list: there is no figure that says nothing */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((left, right) => left - right);
  const [min] = sorted;
  const max = sorted.at(-1);
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  const upper = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || lower === undefined || upper === undefined) {
    throw new Error("nothing was measured");
  }
  return { median: (lower + upper) / 2, min, max };
}
