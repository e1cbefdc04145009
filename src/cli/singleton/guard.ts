import type { Now } from "../../kernel/clock.ts";
import type { CommandEnd, GuardTimes } from "./protocol.ts";
import { leftUntil } from "./system-clock.ts";

export type GuardInput =
  | { readonly kind: "go" }
  | { readonly kind: "deadline"; readonly deadline: Now }
  | { readonly kind: "lost" }
  | { readonly kind: "pass"; readonly signal: NodeJS.Signals }
  /** The pipe to the runner has ended, and so has the runner. */
  | { readonly kind: "runnerGone" }
  /** The command has ended. Others of its group may still run. */
  | { readonly kind: "ended"; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: "tick" };

export type GuardEffect =
  /** The command, which waits at the gate, may begin. */
  | { readonly kind: "open" }
  /** To the whole group. */
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals }
  | { readonly kind: "report"; readonly end: CommandEnd };

/** How often to look at the clocks although nothing is due: the calendar tells of a suspension, and no timer does. */
const LOOK_EVERY_MS = 250;

/**
 * Decides when the watchdog signals the command it watches over, so that the command never outlives the name it runs under.
 *
 * 1. The command ends at `deadline - marginMs` at the latest, unless the runner tells a later deadline. Whatever has befallen the
 *    runner or the pipe, no word is needed for that.
 * 2. It is asked to end when the name was lost, or `warnMs` before the deadline, and made to after `graceMs`. Once asked it is done
 *    with, even if a later deadline is told: it may have ended half of its work already.
 * 3. It is killed at once when the runner is gone: nobody renews anything then.
 * 4. When it has ended by itself, what is left of its group ends too.
 */
export class Guard {
  readonly #times: GuardTimes;
  #deadline: Now;
  /** Before that there is nothing to end but the shell that waits at the gate. */
  #isBegun = false;
  #isAsked = false;
  /** When SIGKILL follows, once it was asked to end. */
  #killAtMs = Number.POSITIVE_INFINITY;
  #isKilled = false;
  #isOver = false;

  constructor(times: GuardTimes, deadline: Now) {
    this.#times = times;
    this.#deadline = deadline;
  }

  step(input: GuardInput, now: Now): readonly GuardEffect[] {
    if (this.#isOver) return [];
    const effects: GuardEffect[] = [];
    switch (input.kind) {
      case "go":
        this.#isBegun = true;
        if (!this.#isAsked && leftUntil(this.#deadline, now) > this.#times.warnMs)
          effects.push({ kind: "open" });
        break;
      case "deadline":
        // Looked at with the next tick: where this process stood still, there may be a later one behind it.
        this.#deadline = input.deadline;
        break;
      case "lost":
        this.#ask(now, effects);
        break;
      case "pass":
        effects.push({ kind: "signal", signal: input.signal });
        break;
      case "runnerGone":
        this.#kill(effects);
        break;
      case "ended":
        return this.#end(input);
      case "tick":
        this.#look(now, effects);
    }
    return effects;
  }

  /** In how many milliseconds to send a tick. Before the tick, whatever the runner has told meanwhile. */
  nextLookMs(now: Now): number {
    const { marginMs, warnMs } = this.#times;
    const leftMs = leftUntil(this.#deadline, now);
    const due = [
      LOOK_EVERY_MS,
      leftMs - marginMs,
      this.#isAsked ? this.#killAtMs - now.monotonicMs : leftMs - warnMs,
    ];
    return Math.max(0, Math.min(...due));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  #look(now: Now, effects: GuardEffect[]): void {
    const { marginMs, warnMs } = this.#times;
    const leftMs = leftUntil(this.#deadline, now);
    if (!this.#isBegun && !this.#isAsked) return;
    if (leftMs <= warnMs) this.#ask(now, effects);
    if (leftMs <= marginMs || now.monotonicMs >= this.#killAtMs) this.#kill(effects);
  }

  #ask(now: Now, effects: GuardEffect[]): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#killAtMs = now.monotonicMs + this.#times.graceMs;
    effects.push({ kind: "signal", signal: "SIGTERM" });
  }

  #kill(effects: GuardEffect[]): void {
    if (this.#isKilled) return;
    this.#isKilled = true;
    effects.push({ kind: "signal", signal: "SIGKILL" });
  }

  #end({ code, signal }: Omit<CommandEnd, "isLost">): readonly GuardEffect[] {
    this.#isOver = true;
    const isLost = this.#isAsked || this.#isKilled;
    return [
      { kind: "signal", signal: "SIGKILL" },
      { kind: "report", end: { code, signal, isLost } },
    ];
  }
}
