import type { Shell } from "./shell.ts";

/** How often the mailboxes are looked at, in milliseconds. */
const LOOK_EVERY_MS = 20;

/**
 * Lets a node finish what it has been given, and stops it: at the latest after `deadlineMs`, or when it is stopped meanwhile.
 * Its processes are told first, so that those whose work comes from elsewhere can leave their groups.
 */
export async function drain(shell: Shell, deadlineMs: number): Promise<void> {
  const { clock, processes, requests } = shell.parts.core;
  shell.beginDrain();
  for (const process of processes.all()) process.notify({ kind: "draining", deadlineMs });
  const endsAtMs = clock.now().monotonicMs + deadlineMs;
  const wait = { operation: "drain", timeoutMs: Math.max(1, deadlineMs) };
  // Whoever is not done by then will find this node gone.
  const retired = requests.ask(wait, (request) => ({ kind: "retire", request })).catch(() => {});
  const emptied = new Promise<void>((resolve) => {
    const look = (): void => {
      const isOver = shell.phase === "stopped" || clock.now().monotonicMs >= endsAtMs;
      if (isOver || processes.idle) resolve();
      else clock.after(LOOK_EVERY_MS, look);
    };
    // Not at once: what is about to be sent in this turn shall still be handled.
    clock.after(0, look);
  });
  await Promise.all([retired, emptied]);
  await shell.close("stopped");
}
