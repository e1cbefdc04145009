import type { Shell } from "./shell.ts";
import { Wait, type WaitOptions } from "./waits.ts";

/** Waits until the bus has taken everything sent so far, however often the connection drops meanwhile. */
class FlushedWait extends Wait<void> {
  readonly #shell: Shell;
  #withdraw: (() => void) | undefined;

  constructor(shell: Shell, options: WaitOptions) {
    super(shell.parts.core.waits, options);
    this.#shell = shell;
    this.#attempt();
  }

  protected override forget(): void {
    this.#withdraw?.();
  }

  readonly #attempt = (): void => {
    const { outbox } = this.#shell.parts.core;
    const { epoch } = this.#shell.connection;
    outbox.confirm().then(
      () => this.resolve(),
      () => {
        if (this.settled) return;
        // It may be back already, on a later connection.
        if (outbox.isFlowing && this.#shell.connection.epoch !== epoch) this.#attempt();
        else this.#withdraw = this.#shell.onceFlowing(this.#attempt);
      },
    );
  };
}

export async function waitUntilFlushed(shell: Shell, options: WaitOptions): Promise<void> {
  await new FlushedWait(shell, options).promise;
}
