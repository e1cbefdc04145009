/**
 * Everyone of this node who listens to a signal, behind one listener for each signal: Node.js takes more than ten for a leak, and
 * a signal that many calls share is none.
 */
export class AbortListeners {
  readonly #bySignal = new Map<AbortSignal, Listening>();

  /** @param onAbort called once, if the signal aborts before `remove` */
  add(signal: AbortSignal, onAbort: () => void): void {
    const listening = this.#bySignal.get(signal) ?? this.#listen(signal);
    listening.callbacks.add(onAbort);
  }

  remove(signal: AbortSignal, onAbort: () => void): void {
    const listening = this.#bySignal.get(signal);
    if (listening === undefined || !listening.callbacks.delete(onAbort) || listening.callbacks.size > 0)
      return;
    this.#bySignal.delete(signal);
    signal.removeEventListener("abort", listening.run);
  }

  #listen(signal: AbortSignal): Listening {
    const callbacks = new Set<() => void>();
    const run = (): void => {
      this.#bySignal.delete(signal);
      for (const callback of [...callbacks]) callback();
    };
    const listening = { callbacks, run };
    this.#bySignal.set(signal, listening);
    signal.addEventListener("abort", run, { once: true });
    return listening;
  }
}

interface Listening {
  readonly callbacks: Set<() => void>;
  readonly run: () => void;
}
