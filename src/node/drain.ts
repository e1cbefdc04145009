import type { Clock } from "../kernel/clock.ts";
import type { Deadlines, Due } from "./deadlines.ts";
import { deferred } from "./deferred.ts";
import type { ProcessTable } from "./process-table.ts";
import type { Shell } from "./shell.ts";

/** How often the mailboxes are looked at, in milliseconds. */
const LOOK_EVERY_MS = 20;

/** Looks at the mailboxes again and again, until they are empty or the time is over. */
class Look implements Due {
  dueAtMs = 0;
  heapIndex = -1;
  readonly #deadlines: Deadlines;
  readonly #processes: ProcessTable;
  readonly #emptied = deferred<void>();
  readonly #clock: Clock;
  readonly #endsAtMs: number;

  constructor(clock: Clock, deadlines: Deadlines, processes: ProcessTable, withinMs: number) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#processes = processes;
    this.#endsAtMs = clock.now().monotonicMs + withinMs;
    // Not at once: what is about to be sent in this turn shall still be handled.
    deadlines.add(this, 0);
  }

  get emptied(): Promise<void> {
    return this.#emptied.promise;
  }

  expire(): void {
    const remainingMs = this.#endsAtMs - this.#clock.now().monotonicMs;
    if (remainingMs <= 0 || this.#processes.idle) this.#emptied.resolve();
    else this.#deadlines.add(this, Math.min(remainingMs, LOOK_EVERY_MS));
  }
}

/**
 * Lets a node finish what it has been given, and stops it: after `deadlineMs` at the latest, or when somebody stops it
 * meanwhile. Its processes are told first, so that those whose work comes from elsewhere can leave their groups.
 */
export async function drain(shell: Shell, deadlineMs: number): Promise<void> {
  const { core, deadlines } = shell.parts;
  shell.beginDrain();
  for (const process of core.processes.all()) process.notify({ kind: "draining", deadlineMs });
  const wait = { operation: "drain", timeoutMs: Math.max(1, deadlineMs) };
  // Whoever has not let this node go by then will find it gone.
  const retired = core.requests.ask(wait, (request) => ({ kind: "retire", request })).catch(() => {});
  const { emptied } = new Look(core.clock, deadlines, core.processes, deadlineMs);
  await Promise.race([Promise.all([retired, emptied]), shell.closed]);
  await shell.close("stopped");
}
