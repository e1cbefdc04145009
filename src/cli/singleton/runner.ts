import type { Now } from "../../kernel/clock.ts";
import { EXIT, exitCodeOfSignal } from "../exit-codes.ts";
import type { CommandEnd, GuardTimes, ToWatchdog } from "./protocol.ts";
import { leftUntil } from "./system-clock.ts";

export type RunnerInput =
  /** It has the name, until the deadline if it hears nothing more. */
  | { readonly kind: "granted"; readonly deadline: Now }
  /** The name cannot be had. */
  | { readonly kind: "refused"; readonly exitCode: number }
  /** It has left the line, and has nothing. */
  | { readonly kind: "withdrawn" }
  | { readonly kind: "deadline"; readonly deadline: Now }
  | { readonly kind: "lost" }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals }
  | { readonly kind: "started"; readonly group: number }
  | ({ readonly kind: "ended" } & CommandEnd)
  | { readonly kind: "watchdogGone" }
  /** Whether the group that was killed has been seen to be gone. */
  | { readonly kind: "groupLookedFor"; readonly isGone: boolean }
  | { readonly kind: "released" }
  | { readonly kind: "tick" };

export type RunnerEffect =
  | { readonly kind: "stand" }
  | { readonly kind: "withdraw" }
  | { readonly kind: "launch"; readonly deadline: Now }
  | { readonly kind: "tell"; readonly message: ToWatchdog }
  /** To whoever sits there, once. */
  | { readonly kind: "sayLost" }
  /** Past the watchdog. */
  | { readonly kind: "killGroup"; readonly group: number }
  | { readonly kind: "killWatchdog" }
  | { readonly kind: "lookForGroup"; readonly group: number }
  | { readonly kind: "release" }
  /** `isAbrupt`: without giving the name back, which is free when nobody can count on it any more. */
  | { readonly kind: "exit"; readonly exitCode: number; readonly isAbrupt: boolean };

type Phase =
  | { readonly kind: "waiting" }
  | { readonly kind: "leaving"; readonly exitCode: number }
  | { readonly kind: "running" }
  /** The watchdog is gone, and the group was killed. */
  | { readonly kind: "orphaned" }
  | { readonly kind: "releasing"; readonly exitCode: number; readonly again: boolean }
  | { readonly kind: "over" };

/** How much later than the watchdog the runner acts, in case that one does not. */
const AFTER_WATCHDOG_MS = 500;

/**
 * One program at a time over the whole cluster: decides what a runner does as it is granted and loses the name, as signals come,
 * and as its command and its watchdog end.
 *
 * 1. A command runs only while the name is held, and the name is given back only when the command has ended.
 * 2. Whoever asks the runner to end asks the command. The runner ends when that has.
 * 3. The watchdog is the one who ends commands. If it ends itself, or has not done so in time (it may be stopped), the runner kills
 *    the group.
 * 4. What cannot be seen to have ended keeps the name until the lease has run out.
 */
export class Runner {
  readonly #times: GuardTimes;
  readonly #goesBack: boolean;
  #phase: Phase = { kind: "waiting" };
  #deadline: Now | undefined;
  #group: number | undefined;
  #isLost = false;
  /** Somebody wants this runner to end. */
  #isAsked = false;
  /** When to kill the group, if nothing else has ended it by then; then the watchdog, if that does not tell. */
  #killAtMs = Number.POSITIVE_INFINITY;
  #isKilled = false;

  /** @param goesBack whether it goes back in line when it has lost the name */
  constructor(times: GuardTimes, goesBack: boolean) {
    this.#times = times;
    this.#goesBack = goesBack;
  }

  begin(): readonly RunnerEffect[] {
    this.#deadline = undefined;
    this.#group = undefined;
    this.#isLost = false;
    this.#killAtMs = Number.POSITIVE_INFINITY;
    this.#isKilled = false;
    this.#phase = { kind: "waiting" };
    return [{ kind: "stand" }];
  }

  /** In how many milliseconds to send a tick; it may come later if nothing has begun. */
  nextLookMs(now: Now): number {
    return Math.max(0, this.#lookInMs(now));
  }

  step(input: RunnerInput, now: Now): readonly RunnerEffect[] {
    switch (this.#phase.kind) {
      case "waiting":
        return this.#waiting(input);
      case "leaving":
        return this.#leaving(input, this.#phase.exitCode);
      case "running":
        return this.#running(input, now);
      case "orphaned":
        return this.#orphaned(input);
      case "releasing":
        return this.#releasing(input, this.#phase);
      case "over":
        return [];
    }
  }

  #waiting(input: RunnerInput): readonly RunnerEffect[] {
    switch (input.kind) {
      case "granted":
        this.#phase = { kind: "running" };
        this.#deadline = input.deadline;
        return [{ kind: "launch", deadline: input.deadline }];
      case "refused":
        return this.#exit(input.exitCode);
      case "signal":
        this.#phase = { kind: "leaving", exitCode: exitCodeOfSignal(input.signal) };
        return [{ kind: "withdraw" }];
      default:
        return [];
    }
  }

  /** The grant may have been on its way. */
  #leaving(input: RunnerInput, exitCode: number): readonly RunnerEffect[] {
    if (input.kind === "granted") {
      this.#phase = { kind: "releasing", exitCode, again: false };
      return [{ kind: "release" }];
    }
    return input.kind === "withdrawn" || input.kind === "refused" ? this.#exit(exitCode) : [];
  }

  #running(input: RunnerInput, now: Now): readonly RunnerEffect[] {
    switch (input.kind) {
      case "deadline":
        this.#deadline = input.deadline;
        return [this.#tellDeadline(input.deadline)];
      case "lost":
        if (this.#isLost) return [];
        this.#isLost = true;
        this.#killAtMs = now.monotonicMs + this.#times.graceMs + AFTER_WATCHDOG_MS;
        return [{ kind: "sayLost" }, { kind: "tell", message: { kind: "lost" } }];
      case "signal":
        this.#isAsked = true;
        return [{ kind: "tell", message: { kind: "pass", signal: input.signal } }];
      case "started":
        this.#group = input.group;
        return [
          ...(this.#deadline === undefined ? [] : [this.#tellDeadline(this.#deadline)]),
          { kind: "tell", message: { kind: "go" } },
        ];
      case "ended":
        return this.#commandEnded(input);
      case "watchdogGone":
        return this.#watchdogGone();
      case "tick":
        return this.#overdue(now);
      default:
        return [];
    }
  }

  #tellDeadline(deadline: Now): RunnerEffect {
    return { kind: "tell", message: { kind: "deadline", deadline } };
  }

  #commandEnded({ code, isLost, signal }: CommandEnd): readonly RunnerEffect[] {
    const wasLost = isLost || this.#isLost;
    const own = signal === null ? (code ?? EXIT.failed) : exitCodeOfSignal(signal);
    this.#phase = {
      kind: "releasing",
      exitCode: wasLost ? EXIT.nameLost : own,
      again: wasLost && this.#goesBack && !this.#isAsked,
    };
    return [...(isLost && !this.#isLost ? [{ kind: "sayLost" } as const] : []), { kind: "release" }];
  }

  #watchdogGone(): readonly RunnerEffect[] {
    const group = this.#group;
    if (group === undefined) {
      // Nothing of the command has run: it was never told to go.
      this.#phase = { kind: "releasing", exitCode: EXIT.failed, again: false };
      return [{ kind: "release" }];
    }
    this.#phase = { kind: "orphaned" };
    return [
      { kind: "killGroup", group },
      { kind: "lookForGroup", group },
    ];
  }

  #overdue(now: Now): readonly RunnerEffect[] {
    const group = this.#group;
    if (group === undefined || this.#lookInMs(now) > 0) return [];
    // From the end of its pipe all goes on.
    if (this.#isKilled) return [{ kind: "killWatchdog" }];
    const isNews = !this.#isLost;
    this.#isKilled = true;
    this.#isLost = true;
    this.#killAtMs = now.monotonicMs + AFTER_WATCHDOG_MS;
    return [{ kind: "killGroup", group }, ...(isNews ? [{ kind: "sayLost" } as const] : [])];
  }

  #lookInMs(now: Now): number {
    const untilKillMs = this.#killAtMs - now.monotonicMs;
    if (this.#deadline === undefined || this.#isKilled) return untilKillMs;
    // When the watchdog should have acted, and while it is not too late.
    return Math.min(leftUntil(this.#deadline, now) - this.#times.marginMs / 2, untilKillMs);
  }

  #orphaned(input: RunnerInput): readonly RunnerEffect[] {
    if (input.kind === "signal") this.#isAsked = true;
    if (input.kind !== "groupLookedFor") return [];
    const exitCode = this.#isLost ? EXIT.nameLost : exitCodeOfSignal("SIGKILL");
    if (!input.isGone) {
      this.#phase = { kind: "over" };
      return [{ kind: "exit", exitCode, isAbrupt: true }];
    }
    const again = this.#isLost && this.#goesBack && !this.#isAsked;
    this.#phase = { kind: "releasing", exitCode, again };
    return [{ kind: "release" }];
  }

  #releasing(
    input: RunnerInput,
    { again, exitCode }: Extract<Phase, { kind: "releasing" }>,
  ): readonly RunnerEffect[] {
    if (input.kind === "signal") {
      this.#isAsked = true;
      this.#phase = { kind: "releasing", exitCode, again: false };
    }
    if (input.kind !== "released") return [];
    return again ? this.begin() : this.#exit(exitCode);
  }

  #exit(exitCode: number): readonly RunnerEffect[] {
    this.#phase = { kind: "over" };
    return [{ kind: "exit", exitCode, isAbrupt: false }];
  }
}
