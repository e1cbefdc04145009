/** Aborted with the first of them, for its reason. `AbortSignal.any` came with Node.js 20.3. */
export function anyAborted(...signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    const hand = (): void => controller.abort(signal.reason);
    if (signal.aborted) hand();
    else signal.addEventListener("abort", hand, { once: true });
  }
  return controller.signal;
}
