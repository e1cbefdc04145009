import type { Clock } from "../kernel/clock.ts";
import type { Deadlines, Due } from "./deadlines.ts";
import { deferred } from "./deferred.ts";
import type { Shell } from "./shell.ts";

/** How often it is looked whether the work is done, in milliseconds. */
const LOOK_EVERY_MS = 20;

/** Looks again and again, until the work is done or the time is over. */
class Look implements Due {
  dueAtMs = 0;
  heapIndex = -1;
  readonly #deadlines: Deadlines;
  readonly #clock: Clock;
  readonly #isDone: () => boolean;
  readonly #over = deferred<void>();
  readonly #endsAtMs: number;

  constructor(clock: Clock, deadlines: Deadlines, isDone: () => boolean, withinMs: number) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#isDone = isDone;
    this.#endsAtMs = clock.now().monotonicMs + withinMs;
    // Not at once: what is about to be sent in this turn shall still be handled.
    deadlines.add(this, 0);
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  expire(): void {
    const remainingMs = this.#endsAtMs - this.#clock.now().monotonicMs;
    if (remainingMs <= 0 || this.#isDone()) this.#over.resolve();
    else this.#deadlines.add(this, Math.min(remainingMs, LOOK_EVERY_MS));
  }
}

/**
 * Lets a node finish what it has been given, and stops it: after `deadlineMs` at the latest, or when somebody stops it
 * meanwhile. Its processes are told first, so that they can leave their groups and give their names away; where that takes a
 * promise, it is waited for.
 */
export async function drain(shell: Shell, deadlineMs: number): Promise<void> {
  const { core, deadlines } = shell.parts;
  shell.beginDrain();
  let telling = 0;
  for (const process of core.processes.all()) {
    const told = process.notify({ kind: "draining", deadlineMs });
    if (told === undefined) continue;
    telling += 1;
    void told.then(() => {
      telling -= 1;
    });
  }
  const wait = { operation: "drain", timeoutMs: Math.max(1, deadlineMs) };
  // Whoever has not let this node go by then will find it gone.
  const retired = core.requests.ask(wait, (request) => ({ kind: "retire", request })).catch(() => {});
  const { over } = new Look(core.clock, deadlines, () => telling === 0 && core.processes.idle, deadlineMs);
  await Promise.race([Promise.all([retired, over]), shell.closed]);
  await shell.close("stopped");
}
