/** Fields of something of which we know nothing: each may be missing. */
export type Loose<K extends string> = { readonly [P in K]?: unknown };

export function loose<K extends string>(value: unknown): Loose<K> {
  return (isRecord(value) ? value : {}) as Loose<K>;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

export function hasMethod<K extends string>(value: unknown, name: K): value is { [P in K]: () => void } {
  return isRecord(value) && typeof value[name] === "function";
}
