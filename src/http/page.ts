/** One page of a long list, in order of its keys. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Give it as `after` for the next page; absent on the last. */
  readonly next?: string;
}

export interface PageQuery {
  readonly prefix: string;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Keeps no more than a page of the rows at a time, however many there are. */
export function pageOf<T>(rows: Iterable<T>, keyOf: (row: T) => string, query: PageQuery): Page<T> {
  const { after, limit, prefix } = query;
  const kept: { readonly key: string; readonly row: T }[] = [];
  for (const row of rows) {
    const key = keyOf(row);
    if (!key.startsWith(prefix) || (after !== undefined && key <= after)) continue;
    const last = kept[limit];
    if (last !== undefined && key >= last.key) continue;
    kept.splice(placeOf(kept, key), 0, { key, row });
    // One more than the page: to know whether there is another.
    if (kept.length > limit + 1) kept.pop();
  }
  const items = kept.slice(0, limit).map(({ row }) => row);
  const lastKey = kept[limit - 1]?.key;
  return kept.length > limit && lastKey !== undefined ? { items, next: lastKey } : { items };
}

function placeOf(kept: readonly { readonly key: string }[], key: string): number {
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((kept[middle]?.key ?? "") <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
