const MAP_METHODS = ["get", "set", "has", "delete"] as const;
const SET_METHODS = ["add", "has", "delete"] as const;
const ITERATIONS = ["entries", "keys", "values", "forEach", Symbol.iterator] as const;

/**
 * Counts what happens to all Maps and Sets of this process while `run` runs: each look-up and change is one, and a walk counts
 * every item that there is to walk over, whether it gets that far or not. Machine work that does not depend on the machine.
 */
export function countCollectionWork(run: () => void): number {
  let work = 0;
  const restore: (() => void)[] = [];
  const patch = (prototype: object, key: PropertyKey, cost: (self: { readonly size: number }) => number) => {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
    const original: unknown = descriptor?.value;
    if (descriptor === undefined || typeof original !== "function") throw new Error(`no ${String(key)}`);
    restore.push(() => Object.defineProperty(prototype, key, descriptor));
    Object.defineProperty(prototype, key, {
      ...descriptor,
      value(this: { readonly size: number }, ...given: unknown[]): unknown {
        work += cost(this);
        return Reflect.apply(original, this, given);
      },
    });
  };
  for (const key of MAP_METHODS) patch(Map.prototype, key, () => 1);
  for (const key of SET_METHODS) patch(Set.prototype, key, () => 1);
  for (const key of ITERATIONS) {
    patch(Map.prototype, key, ({ size }) => size);
    patch(Set.prototype, key, ({ size }) => size);
  }
  try {
    run();
  } finally {
    for (const undo of restore) undo();
  }
  return work;
}
