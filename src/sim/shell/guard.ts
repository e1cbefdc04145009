/** What must not be used in a simulation: the same seed would not do the same twice. */
const LEAKS: readonly (readonly [object, string, string])[] = [
  [globalThis, "setTimeout", "setTimeout"],
  [globalThis, "setInterval", "setInterval"],
  [Date, "now", "Date.now"],
  [performance, "now", "performance.now"],
  [Math, "random", "Math.random"],
];

/**
 * While it stands, code that reaches for real time or real chance throws, and what is thrown or rejected without anybody to
 * catch it is reported. Other people's packages are let through: those are test runners and the like.
 */
export class Guard {
  readonly #report: (problem: string, cause: unknown) => void;
  readonly #undo: (() => void)[] = [];

  constructor(report: (problem: string, cause: unknown) => void) {
    this.#report = report;
  }

  install(): void {
    for (const [owner, key, shown] of LEAKS) this.#replace(owner, key, shown);
    const onRejection = (cause: unknown): void => this.#report("a rejection that nobody handles", cause);
    process.on("unhandledRejection", onRejection);
    this.#undo.push(() => process.off("unhandledRejection", onRejection));
  }

  remove(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #replace(owner: object, key: string, shown: string): void {
    const own = Object.getOwnPropertyDescriptor(owner, key);
    const original = (owner as Record<string, (...args: unknown[]) => unknown>)[key];
    if (original === undefined) return;
    const report = this.#report;
    const value = function (this: unknown, ...args: unknown[]): unknown {
      const trace = { stack: "" };
      Error.captureStackTrace(trace, value);
      if (!isOurs(trace.stack)) return original.apply(owner, args);
      const leak = new Error(`${shown} in a simulation: time and chance come from it alone`);
      report("real time or chance in a simulation", leak);
      throw leak;
    };
    Object.defineProperty(owner, key, { value, writable: true, configurable: true });
    this.#undo.push(() => {
      if (own === undefined) Reflect.deleteProperty(owner, key);
      else Object.defineProperty(owner, key, own);
    });
  }
}

/** Whether the caller is neither Node nor an installed package. */
function isOurs(stack: string): boolean {
  // The first line names the error, not a place.
  const caller = stack.split("\n")[1];
  return caller !== undefined && !/node_modules|node:|native/.test(caller);
}
