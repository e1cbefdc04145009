import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { type ClusterNode, NameTakenError, type Process } from "../../index.ts";
import type { Now } from "../../kernel/clock.ts";
import { realClock } from "../../node/real-clock.ts";
import { exitCodeOf } from "../exit-codes.ts";
import type { Holding, Line } from "./lines.ts";
import { groupRuns, signalGroup } from "./process-group.ts";
import { type FromWatchdog, type GuardTimes, readLines, type ToWatchdog, writeLine } from "./protocol.ts";
import { Runner, type RunnerEffect, type RunnerInput } from "./runner.ts";
import { later, systemNow } from "./system-clock.ts";

export interface SingletonOptions {
  readonly node: ClusterNode;
  readonly line: Line;
  readonly name: string;
  readonly command: readonly string[];
  readonly times: GuardTimes;
  /** How often the watchdog is told the deadline. */
  readonly beatMs: number;
  readonly goesBack: boolean;
  say(text: string): void;
}

export interface SingletonEnd {
  readonly exitCode: number;
  /** End at once, without a word to the cluster. */
  readonly isAbrupt: boolean;
}

const WATCHDOG = fileURLToPath(new URL(`../watchdog${extname(import.meta.url)}`, import.meta.url));
/** The descriptor of the pipe, in the watchdog. */
const PIPE = 3;
/** How long a group that was killed may take to be gone, and how often to look. */
const GONE_MS = 1_000;
const LOOK_EVERY_MS = 10;
const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/** Carries out what `Runner` decides. */
export class Singleton {
  readonly #options: SingletonOptions;
  readonly #runner: Runner;
  #process: Process | undefined;
  #holding: Holding | undefined;
  #standing = new AbortController();
  #watchdog: ChildProcess | undefined;
  #cancelBeat = (): void => undefined;
  #finish = (_: SingletonEnd): void => undefined;

  constructor(options: SingletonOptions) {
    this.#options = options;
    this.#runner = new Runner(options.times, options.goesBack);
  }

  /** Until the command has ended, or the name was lost for good. */
  run(): Promise<SingletonEnd> {
    const onSignal = (signal: NodeJS.Signals): void => this.#feed({ kind: "signal", signal });
    for (const signal of PASSED_ON) process.on(signal, onSignal);
    return new Promise<SingletonEnd>((resolve) => {
      this.#finish = resolve;
      for (const effect of this.#runner.begin()) this.#carryOut(effect);
    }).finally(() => this.#cancelBeat());
  }

  #feed(input: RunnerInput): void {
    for (const effect of this.#runner.step(input, systemNow())) this.#carryOut(effect);
  }

  #carryOut(effect: RunnerEffect): void {
    switch (effect.kind) {
      case "stand":
        void this.#stand();
        return;
      case "withdraw":
        this.#standing.abort();
        return;
      case "launch":
        this.#launch(effect.deadline);
        this.#beat();
        return;
      case "tell":
        this.#tell(effect.message);
        return;
      case "sayLost":
        this.#options.say(
          `${JSON.stringify(this.#options.name)} is lost, or about to be: the command has to end`,
        );
        return;
      case "killGroup":
        signalGroup(effect.group, "SIGKILL");
        return;
      case "killWatchdog":
        this.#watchdog?.kill("SIGKILL");
        return;
      case "lookForGroup":
        this.#lookForGroup(effect.group, systemNow().monotonicMs + GONE_MS);
        return;
      case "release":
        void this.#release();
        return;
      case "exit":
        this.#finish(effect);
    }
  }

  async #stand(): Promise<void> {
    const { line, node, say } = this.#options;
    this.#standing = new AbortController();
    const { signal } = this.#standing;
    try {
      const holder = node.spawn();
      this.#process = holder;
      const holding = await line.stand(holder, signal);
      this.#holding = holding;
      this.#feed({ kind: "granted", deadline: deadlineOf(holding) });
      // Not before: only who has something can lose it.
      if (holding.lost.aborted) this.#lost(holding);
      else holding.lost.addEventListener("abort", () => this.#lost(holding), { once: true });
    } catch (error) {
      this.#process?.exit();
      if (signal.aborted) return this.#feed({ kind: "withdrawn" });
      say(wordsOf(error, this.#options.name));
      this.#feed({ kind: "refused", exitCode: exitCodeOf(error) });
    }
  }

  #lost(holding: Holding): void {
    // Given back by us.
    if (this.#holding !== holding) return;
    this.#feed({ kind: "deadline", deadline: deadlineOf(holding) });
    this.#feed({ kind: "lost" });
    this.#beat();
  }

  #launch(deadline: Now): void {
    const { command, say, times } = this.#options;
    this.#watchdog = undefined;
    try {
      const watchdog = this.#spawnWatchdog();
      this.#watchdog = watchdog;
      // With `--again` the pipe to the last one may be seen to end when the next command runs, whose name would be given back.
      const hear = (input: RunnerInput): void => {
        if (this.#watchdog === watchdog) this.#feed(input);
      };
      watchdog.once("error", (error) => say(`the watchdog cannot be started: ${error.message}`));
      const pipe = watchdog.stdio[PIPE] as Socket;
      // By the end of the pipe, not by that of the process: what was said before is heard first.
      readLines<FromWatchdog>(
        pipe,
        (message) => hear(message),
        () => hear({ kind: "watchdogGone" }),
      );
      writeLine(pipe, { kind: "setup", command, deadline, times });
    } catch (error) {
      say(`the watchdog cannot be started: ${error}`);
      this.#feed({ kind: "watchdogGone" });
    }
  }

  #spawnWatchdog(): ChildProcess {
    const { ROLLCALL_FENCING_TOKEN: _, ...environment } = process.env;
    const token = this.#holding?.token;
    // Nobody can debug two processes at one port.
    const flags = process.execArgv.filter((flag) => !flag.startsWith("--inspect"));
    return spawn(process.execPath, [...flags, WATCHDOG], {
      stdio: ["inherit", "inherit", "inherit", "pipe"],
      // In a session of its own, where no Ctrl-C comes by itself.
      detached: true,
      env: {
        ...environment,
        ROLLCALL_NAME: this.#options.name,
        ...(token === undefined ? {} : { ROLLCALL_FENCING_TOKEN: String(token) }),
      },
    });
  }

  #tell(message: ToWatchdog): void {
    const pipe = this.#watchdog?.stdio[PIPE];
    if (pipe != null) writeLine(pipe as Socket, message);
  }

  /** Tells how long the name is held, again and again, and sees to it that the watchdog did its work. */
  #beat(): void {
    if (this.#holding !== undefined) this.#feed({ kind: "deadline", deadline: deadlineOf(this.#holding) });
    // After a stall this comes before what was read meanwhile, which may be that the command has ended long ago; its group may be
    // somebody else's by now. So the look is taken when all that has been read.
    realClock.endOfTurn(() => realClock.endOfTurn(() => this.#feed({ kind: "tick" })));
    const waitMs = Math.min(this.#options.beatMs, Math.max(1, this.#runner.nextLookMs(systemNow())));
    this.#cancelBeat();
    this.#cancelBeat = realClock.after(waitMs, () => this.#beat());
  }

  #lookForGroup(group: number, untilMs: number): void {
    if (!groupRuns(group)) this.#feed({ kind: "groupLookedFor", isGone: true });
    else if (systemNow().monotonicMs >= untilMs) this.#feed({ kind: "groupLookedFor", isGone: false });
    else realClock.after(LOOK_EVERY_MS, () => this.#lookForGroup(group, untilMs));
  }

  async #release(): Promise<void> {
    this.#cancelBeat();
    const holding = this.#holding;
    this.#holding = undefined;
    await holding?.release();
    this.#process?.exit();
    this.#feed({ kind: "released" });
  }
}

function wordsOf(error: unknown, name: string): string {
  if (error instanceof NameTakenError) return `${JSON.stringify(name)} is held by ${error.holder}`;
  return error instanceof Error ? error.message : String(error);
}

/** The clocks are read before the remaining time is asked for: what passes in between is on the safe side. */
function deadlineOf(holding: Holding): Now {
  const now = systemNow();
  return later(now, holding.remainingMs());
}
