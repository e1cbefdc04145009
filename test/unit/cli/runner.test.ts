import { describe, expect, test } from "vitest";
import { Runner, type RunnerEffect, type RunnerInput } from "../../../src/cli/singleton/runner.ts";
import type { Now } from "../../../src/kernel/clock.ts";

const TIMES = { warnMs: 2_000, graceMs: 5_000, marginMs: 100 };
const GROUP = 4_711;

const at = (ms: number): Now => ({ monotonicMs: ms, wallMs: 1_700_000_000_000 + ms });
const deadline = at(10_000);
const tell = (message: Extract<RunnerEffect, { kind: "tell" }>["message"]): RunnerEffect => ({
  kind: "tell",
  message,
});
const exit = (exitCode: number, isAbrupt = false): RunnerEffect => ({ kind: "exit", exitCode, isAbrupt });

class Play {
  readonly runner: Runner;

  constructor(goesBack = false) {
    this.runner = new Runner(TIMES, goesBack);
    expect(this.runner.begin()).toStrictEqual([{ kind: "stand" }]);
  }

  at(ms: number, input: RunnerInput): readonly RunnerEffect[] {
    return this.runner.step(input, at(ms));
  }

  /** With a command that runs. */
  running(): this {
    expect(this.at(0, { kind: "granted", deadline })).toStrictEqual([{ kind: "launch", deadline }]);
    expect(this.at(1, { kind: "started", group: GROUP })).toStrictEqual([
      tell({ kind: "deadline", deadline }),
      tell({ kind: "go" }),
    ]);
    return this;
  }

  ended(ms: number, code: number | null, signal: NodeJS.Signals | null = null, isLost = false) {
    return this.at(ms, { kind: "ended", code, signal, isLost });
  }
}

describe("a runner", () => {
  test("exits as its command did, when the name has been given back", () => {
    const play = new Play().running();
    expect(play.ended(5, 7)).toStrictEqual([{ kind: "release" }]);
    expect(play.at(6, { kind: "released" })).toStrictEqual([exit(7)]);
  });

  test("exits with 128 and the signal that ended its command", () => {
    const play = new Play().running();
    play.ended(5, null, "SIGTERM");
    expect(play.at(6, { kind: "released" })).toStrictEqual([exit(143)]);
  });

  test("passes a signal on, and gives the name back only when the command has ended", () => {
    const play = new Play().running();
    expect(play.at(5, { kind: "signal", signal: "SIGINT" })).toStrictEqual([
      tell({ kind: "pass", signal: "SIGINT" }),
    ]);
    expect(play.ended(4_000, 0)).toStrictEqual([{ kind: "release" }]);
    expect(play.at(4_001, { kind: "released" })).toStrictEqual([exit(0)]);
  });

  test("leaves the line when it is signalled there", () => {
    const play = new Play();
    expect(play.at(5, { kind: "signal", signal: "SIGTERM" })).toStrictEqual([{ kind: "withdraw" }]);
    expect(play.at(6, { kind: "withdrawn" })).toStrictEqual([exit(143)]);
  });

  test("gives back what it was granted while it left the line, and starts nothing", () => {
    const play = new Play();
    play.at(5, { kind: "signal", signal: "SIGINT" });
    expect(play.at(6, { kind: "granted", deadline })).toStrictEqual([{ kind: "release" }]);
    expect(play.at(7, { kind: "released" })).toStrictEqual([exit(130)]);
  });

  test("exits with what a refusal says", () => {
    expect(new Play().at(1, { kind: "refused", exitCode: 5 })).toStrictEqual([exit(5)]);
  });

  test("tells of a loss once, and exits with 5 when the command has ended", () => {
    const play = new Play().running();
    expect(play.at(5, { kind: "lost" })).toStrictEqual([{ kind: "sayLost" }, tell({ kind: "lost" })]);
    expect(play.at(6, { kind: "lost" })).toStrictEqual([]);
    expect(play.ended(7, 0, null, true)).toStrictEqual([{ kind: "release" }]);
    expect(play.at(8, { kind: "released" })).toStrictEqual([exit(5)]);
  });

  test("says so when the watchdog was the one who found that the name was lost", () => {
    const play = new Play().running();
    expect(play.ended(7, null, "SIGKILL", true)).toStrictEqual([{ kind: "sayLost" }, { kind: "release" }]);
    expect(play.at(8, { kind: "released" })).toStrictEqual([exit(5)]);
  });

  test("goes back in line after a loss if it was told to, but not after a signal", () => {
    const goesBack = new Play(true).running();
    goesBack.at(5, { kind: "lost" });
    goesBack.ended(6, 0);
    expect(goesBack.at(7, { kind: "released" })).toStrictEqual([{ kind: "stand" }]);
    goesBack.running().ended(9, 4);
    expect(goesBack.at(10, { kind: "released" })).toStrictEqual([exit(4)]);

    const asked = new Play(true).running();
    asked.at(5, { kind: "lost" });
    asked.at(6, { kind: "signal", signal: "SIGTERM" });
    asked.ended(7, 0);
    expect(asked.at(8, { kind: "released" })).toStrictEqual([exit(5)]);

    const askedLate = new Play(true).running();
    askedLate.ended(7, null, "SIGKILL", true);
    askedLate.at(8, { kind: "signal", signal: "SIGTERM" });
    expect(askedLate.at(9, { kind: "released" })).toStrictEqual([exit(5)]);
  });

  test("hands each deadline on", () => {
    const play = new Play().running();
    const next = { kind: "deadline", deadline: at(13_000) } as const;
    expect(play.at(3_000, next)).toStrictEqual([tell(next)]);
    expect(play.at(9_999, { kind: "tick" })).toStrictEqual([]);
  });

  test("kills the group itself when the watchdog has not by the deadline, then the watchdog, and ends with 5", () => {
    const play = new Play().running();
    expect(play.at(9_949, { kind: "tick" })).toStrictEqual([]);
    expect(play.runner.nextLookMs(at(9_949))).toBe(1);
    expect(play.at(9_950, { kind: "tick" })).toStrictEqual([
      { kind: "killGroup", group: GROUP },
      { kind: "sayLost" },
    ]);
    expect(play.at(10_449, { kind: "tick" })).toStrictEqual([]);
    expect(play.at(10_450, { kind: "tick" })).toStrictEqual([{ kind: "killWatchdog" }]);
    expect(play.at(10_460, { kind: "watchdogGone" })).toStrictEqual([
      { kind: "killGroup", group: GROUP },
      { kind: "lookForGroup", group: GROUP },
    ]);
    play.at(10_461, { kind: "groupLookedFor", isGone: true });
    expect(play.at(10_462, { kind: "released" })).toStrictEqual([exit(5)]);
  });

  test("kills the group itself when the watchdog has not within the grace after a loss", () => {
    const play = new Play().running();
    play.at(1_000, { kind: "lost" });
    expect(play.at(6_499, { kind: "tick" })).toStrictEqual([]);
    expect(play.at(6_500, { kind: "tick" })).toStrictEqual([{ kind: "killGroup", group: GROUP }]);
  });

  test("kills the group at once when the watchdog is gone, and gives the name back when nobody of it runs", () => {
    const play = new Play().running();
    expect(play.at(5, { kind: "watchdogGone" })).toStrictEqual([
      { kind: "killGroup", group: GROUP },
      { kind: "lookForGroup", group: GROUP },
    ]);
    expect(play.at(6, { kind: "groupLookedFor", isGone: true })).toStrictEqual([{ kind: "release" }]);
    expect(play.at(7, { kind: "released" })).toStrictEqual([exit(137)]);
  });

  test("keeps the name from others when somebody of the group may still run", () => {
    const play = new Play().running();
    play.at(5, { kind: "watchdogGone" });
    expect(play.at(6, { kind: "groupLookedFor", isGone: false })).toStrictEqual([exit(137, true)]);
  });

  test("a watchdog that ends before the command has begun ends the run, with nothing to kill", () => {
    const play = new Play();
    play.at(0, { kind: "granted", deadline });
    expect(play.at(1, { kind: "watchdogGone" })).toStrictEqual([{ kind: "release" }]);
    expect(play.at(2, { kind: "released" })).toStrictEqual([exit(1)]);
  });

  test("the end of the pipe after a report is nothing", () => {
    const play = new Play().running();
    play.ended(5, 0);
    expect(play.at(6, { kind: "watchdogGone" })).toStrictEqual([]);
  });
});
