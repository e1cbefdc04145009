/** A strict name, and the scope that it is in. */
export interface ScopedName {
  readonly scope: string;
  readonly name: string;
}

/**
 * What lease servers know a name by: they know nothing of scopes. The length keeps apart what would read the same, such as name
 * `b:c` of scope `a` and name `c` of scope `a:b`.
 */
export function keyOf(scope: string, name: string): string {
  return `${scope.length}:${scope}:${name}`;
}

/** @param key one that `keyOf` made */
export function nameOfKey(key: string): ScopedName {
  const start = key.indexOf(":") + 1;
  const end = start + Number.parseInt(key, 10);
  return { scope: key.slice(start, end), name: key.slice(end + 1) };
}
