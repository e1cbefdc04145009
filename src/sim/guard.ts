/**
 * What would let time, chance or the event loop of this machine into a run. By name, so that it is replaced where code
 * finds it at the moment of the call.
 */
const LEAKS: readonly (readonly [owner: object, names: readonly string[]])[] = [
  [Date, ["now"]],
  [Math, ["random"]],
  [performance, ["now"]],
  [process, ["nextTick", "hrtime", "uptime"]],
  [crypto, ["randomUUID", "getRandomValues"]],
  [AbortSignal, ["timeout"]],
  [globalThis, ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"]],
];

/** A run reached for something that differs from run to run. */
export class LeakError extends Error {}

type Slot = readonly [owner: object, name: string, before: PropertyDescriptor | undefined];

/** Runs it, synchronously, while every leak throws; and puts all back as it was. */
export function guarded<T>(run: () => T): T {
  const slots: Slot[] = [];
  try {
    for (const [owner, names] of LEAKS) for (const name of names) slots.push(stop(owner, name));
    return run();
  } finally {
    for (const [owner, name, before] of slots) {
      // What was inherited comes into sight again.
      if (before === undefined) Reflect.deleteProperty(owner, name);
      else Object.defineProperty(owner, name, before);
    }
  }
}

function stop(owner: object, name: string): Slot {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  const value = (): never => {
    throw new LeakError(`${name} was used in a simulated run, which would not repeat`);
  };
  Object.defineProperty(owner, name, { value, configurable: true, writable: true, enumerable: false });
  return [owner, name, before];
}
