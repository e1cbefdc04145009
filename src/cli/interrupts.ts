import { exitCodeOfSignal } from "./exit-codes.ts";

/** What asks a program to end, and is not sent by an error of its own. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Ctrl-C, and what service managers and closing terminals send. The first asks for an end in good order: the node says goodbye.
 * Another one ends the program as it stands.
 */
export class Interrupts {
  readonly #controller = new AbortController();
  #onAnother: ((signal: NodeJS.Signals) => void) | undefined;
  #caught: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of ENDING) {
      process.on(signal, () => {
        if (this.#caught !== undefined) {
          if (this.#onAnother !== undefined) this.#onAnother(signal);
          else process.exit(exitCodeOfSignal(signal));
        }
        this.#caught ??= signal;
        this.#controller.abort(new Error(`ended by ${signal}`));
      });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get caught(): NodeJS.Signals | undefined {
    return this.#caught;
  }

  /** What any further one does. */
  again(run: (signal: NodeJS.Signals) => void): void {
    this.#onAnother = run;
  }

  /** As shells have it for a program that ended because of one; undefined: none came. */
  get exitCode(): number | undefined {
    return this.#caught === undefined ? undefined : exitCodeOfSignal(this.#caught);
  }

  /** From now on somebody else takes care of them. */
  handOver(): void {
    for (const signal of ENDING) process.removeAllListeners(signal);
  }
}
