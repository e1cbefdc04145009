/** The first thing that two tables do not have alike. */
export interface Difference {
  readonly key: string;
  readonly left: string | undefined;
  readonly right: string | undefined;
}

export function differenceOf(
  left: ReadonlyMap<string, string>,
  right: ReadonlyMap<string, string>,
): Difference | undefined {
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    if (left.get(key) !== right.get(key)) return { key, left: left.get(key), right: right.get(key) };
  }
  return undefined;
}
