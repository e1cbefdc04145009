import nodeCrypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers";
import timersPromises from "node:timers/promises";
import { GLOBAL_LEAKS, type Leak, leaks, replaced } from "../leaks.ts";

/** The same again, as Node's own modules have it. */
const LEAKS: readonly Leak[] = [
  ...GLOBAL_LEAKS,
  ...leaks(timers, "node:timers ", ["setTimeout", "setInterval", "setImmediate"]),
  ...leaks(timersPromises, "node:timers/promises ", ["setTimeout", "setInterval", "setImmediate"]),
  ...leaks(timersPromises.scheduler, "node:timers/promises scheduler.", ["wait"]),
  ...leaks(nodeCrypto, "node:crypto ", [
    "randomUUID",
    "randomBytes",
    "randomInt",
    "randomFill",
    "randomFillSync",
  ]),
];

const THE_DATE: Leak = { owner: globalThis, key: "Date", shown: "new Date()" };

/** As it is where no guard stands. */
const { setImmediate: immediate } = timers;

/** When all promises have run as far as they can: their queue, and that of `nextTick`, are empty before an immediate runs. */
export function drained(): Promise<void> {
  return new Promise((resolve) => immediate(resolve));
}

type Callable = (...args: unknown[]) => unknown;

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
    for (const leak of LEAKS) this.#stop(leak);
    this.#stopDates();
    // Named imports of Node's modules are another way to the same functions.
    syncBuiltinESMExports();
    const onRejection = (cause: unknown): void => this.#report("a rejection that nobody handles", cause);
    process.on("unhandledRejection", onRejection);
    this.#undo.push(() => process.off("unhandledRejection", onRejection));
  }

  remove(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
    syncBuiltinESMExports();
  }

  #stop(leak: Leak): void {
    const original = Reflect.get(leak.owner, leak.key) as Callable | undefined;
    if (original === undefined) return;
    const refuse = this.#refuseOurs(leak);
    const value = function (this: unknown, ...args: unknown[]): unknown {
      refuse(value);
      return Reflect.apply(original, this, args);
    };
    // `process.hrtime.bigint`, and what `promisify` makes of timers, hang on these.
    Object.defineProperties(value, Object.getOwnPropertyDescriptors(original));
    this.#undo.push(replaced(leak, value));
  }

  /** A date that is given is one thing; today's is another. */
  #stopDates(): void {
    const refuse = this.#refuseOurs(THE_DATE);
    const guarding: ProxyHandler<DateConstructor> = {
      construct(target, args, newTarget: Callable) {
        if (args.length === 0) refuse(guarding.construct as Callable);
        return Reflect.construct(target, args, newTarget) as Date;
      },
      apply(target) {
        refuse(guarding.apply as Callable);
        return target();
      },
    };
    this.#undo.push(replaced(THE_DATE, new Proxy(Date, guarding)));
  }

  /** @returns what throws when whoever called `stand` is not let through */
  #refuseOurs({ shown }: Leak): (stand: Callable) => void {
    const report = this.#report;
    return (stand) => {
      const trace = { stack: "" };
      Error.captureStackTrace(trace, stand);
      if (!isOurs(trace.stack)) return;
      const leak = new Error(`${shown} in a simulation: time and chance come from it alone`);
      report("real time or chance in a simulation", leak);
      throw leak;
    };
  }
}

/** Whether the caller is neither Node nor an installed package. */
function isOurs(stack: string): boolean {
  // Built-in functions that call back, such as `forEach`, have no place.
  const caller = stack.split("\n").find((line) => /:\d+:\d+\)?$/.test(line));
  return caller !== undefined && !LET_THROUGH.test(caller);
}

const LET_THROUGH = /[\\/]node_modules[\\/]|[( ]node:/;
