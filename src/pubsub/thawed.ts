/**
 * A copy of a value, as messages are, in which all can be changed: its plain objects and arrays are frozen, also those that stand in
 * a Map or Set. Its other parts stay what they are: they are its reader's own. What refers to itself still does.
 */
export function thawed(value: unknown, copies = new Map<object, object>()): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const keep = <T extends object>(copy: T): T => {
    copies.set(value, copy);
    return copy;
  };
  if (value instanceof Map) {
    const copy = keep(new Map<unknown, unknown>());
    for (const [key, part] of value) copy.set(thawed(key, copies), thawed(part, copies));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set<unknown>());
    for (const part of value) copy.add(thawed(part, copies));
    return copy;
  }
  if (!Object.isFrozen(value)) return value;
  const copy: object = keep(
    Array.isArray(value) ? [] : (Object.create(Object.getPrototypeOf(value)) as object),
  );
  // Holes stay holes, and no key means anything else than itself.
  if (Array.isArray(copy)) copy.length = (value as readonly unknown[]).length;
  for (const [key, part] of Object.entries(value)) {
    const whole = { value: thawed(part, copies), writable: true, enumerable: true, configurable: true };
    Object.defineProperty(copy, key, whole);
  }
  return copy;
}
