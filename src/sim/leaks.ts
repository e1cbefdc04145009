/** A thing that gives real time, or real chance, by the name under which code finds it at the moment of the call. */
export interface Leak {
  readonly owner: object;
  readonly key: string;
  /** As programs write it. */
  readonly shown: string;
}

export function leaks(owner: object, prefix: string, keys: readonly string[]): readonly Leak[] {
  return keys.map((key) => ({ owner, key, shown: `${prefix}${key}` }));
}

/** What every program has at hand that would make equal runs differ. */
export const GLOBAL_LEAKS: readonly Leak[] = [
  ...leaks(globalThis, "", ["setTimeout", "setInterval", "setImmediate", "fetch"]),
  ...leaks(Date, "Date.", ["now"]),
  ...leaks(Math, "Math.", ["random"]),
  ...leaks(performance, "performance.", ["now"]),
  // First, for it hangs on what comes next.
  ...leaks(process.hrtime, "process.hrtime.", ["bigint"]),
  ...leaks(process, "process.", ["hrtime", "uptime"]),
  ...leaks(crypto, "crypto.", ["randomUUID", "getRandomValues"]),
  ...leaks(AbortSignal, "AbortSignal.", ["timeout"]),
];

/**
 * Puts another value there.
 *
 * @returns what puts all back as it was
 */
export function replaced({ owner, key }: Leak, value: unknown): () => void {
  const own = Object.getOwnPropertyDescriptor(owner, key);
  Object.defineProperty(owner, key, { value, configurable: true, writable: true, enumerable: false });
  return () => {
    // What was inherited comes into sight again.
    if (own === undefined) Reflect.deleteProperty(owner, key);
    else Object.defineProperty(owner, key, own);
  };
}
