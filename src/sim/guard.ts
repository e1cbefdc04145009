import { GLOBAL_LEAKS, type Leak, leaks, replaced } from "./leaks.ts";

/** Machines wait for nothing either, not even for the end of the present turn. */
const LEAKS: readonly Leak[] = [
  ...GLOBAL_LEAKS,
  ...leaks(process, "process.", ["nextTick"]),
  ...leaks(globalThis, "", ["queueMicrotask"]),
];

/** A run reached for something that differs from run to run. */
export class LeakError extends Error {}

/** Runs it, synchronously, while every leak throws; and puts all back as it was. */
export function guarded<T>(run: () => T): T {
  const undo: (() => void)[] = [];
  try {
    for (const leak of LEAKS) undo.push(replaced(leak, () => refuse(leak)));
    return run();
  } finally {
    for (const putBack of undo) putBack();
  }
}

function refuse({ shown }: Leak): never {
  throw new LeakError(`${shown} was used in a simulated run, which would not repeat`);
}
