/** How long a condition may take by default: far above what any takes on a busy machine, so that only a real fault fails. */
const WITHIN_MS = 5_000;
const POLL_MS = 2;

/** Waits until the condition holds, by looking again and again. Rejects, saying what it saw, when it does not come to hold. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  options: { withinMs?: number; what?: () => string } = {},
): Promise<void> {
  const withinMs = options.withinMs ?? WITHIN_MS;
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      const seen = options.what === undefined ? "" : `; ${options.what()}`;
      throw new Error(`did not come true within ${withinMs} ms: ${condition.toString()}${seen}`);
    }
    await pause(POLL_MS);
  }
}

/** Only for looking again later, and for things that must NOT happen within a time. Never to wait for something. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
