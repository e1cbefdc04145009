import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { realClock } from "../node/real-clock.ts";
import { EXIT } from "./exit-codes.ts";
import { Guard, type GuardEffect, type GuardInput } from "./singleton/guard.ts";
import { signalGroup } from "./singleton/process-group.ts";
import { type FromWatchdog, readLines, type ToWatchdog, writeLine } from "./singleton/protocol.ts";
import { systemNow } from "./singleton/system-clock.ts";

/*
 * The watchdog of one command: an OS process of its own, in a session of its own, so that neither the end of its runner nor a
 * Ctrl-C in the terminal keeps it from ending what it has started. Rules are in `Guard`; here is what carries them out.
 */

/** The descriptor of the pipe to the runner, and that of the gate in the command's shell. */
const PIPE = 3;

/**
 * What the command is started by: a shell that waits for a word, and then becomes the command. Until the runner knows the group,
 * and so could end it without the watchdog, nothing of the command has run; and where the watchdog ends before it has said the
 * word, nothing ever does. Commands that are not there or cannot be run end with 127 and 126, as they do in every shell.
 */
const GATE = 'read -r _ <&3 || exit 1; exec 3<&-; exec "$@"';

class Watchdog {
  readonly #runner: Socket;
  readonly #guard: Guard;
  readonly #child: ChildProcess;
  #cancel = (): void => undefined;

  constructor(runner: Socket, setup: Extract<ToWatchdog, { kind: "setup" }>) {
    this.#runner = runner;
    this.#guard = new Guard(setup.times, setup.deadline);
    this.#child = spawn("/bin/sh", ["-c", GATE, "rollcall", ...setup.command], {
      stdio: ["inherit", "inherit", "inherit", "pipe"],
      // A group of its own, which can be signalled as a whole.
      detached: true,
    });
    this.#child.once("error", (error) => {
      process.stderr.write(`rollcall: ${error.message}\n`);
      if (this.#child.pid === undefined) this.feed({ kind: "ended", code: EXIT.cannotRun, signal: null });
    });
    this.#child.once("exit", (code, signal) => this.feed({ kind: "ended", code, signal }));
    this.#gate?.on("error", () => undefined);
    if (this.#child.pid !== undefined) this.#tell({ kind: "started", group: this.#child.pid });
  }

  feed(input: GuardInput): void {
    if (this.#guard.isOver) return;
    for (const effect of this.#guard.step(input, systemNow())) this.#carryOut(effect);
    this.#cancel();
    if (this.#guard.isOver) return;
    this.#cancel = realClock.after(this.#guard.nextLookMs(systemNow()), () => {
      // Timers come before what can be read: after a stall that may be a later deadline.
      realClock.endOfTurn(() => this.feed({ kind: "tick" }));
    });
  }

  #carryOut(effect: GuardEffect): void {
    switch (effect.kind) {
      case "open":
        this.#gate?.end("go\n");
        return;
      case "signal":
        if (this.#child.pid !== undefined) signalGroup(this.#child.pid, effect.signal);
        return;
      case "report":
        this.#tell({ kind: "ended", ...effect.end });
        // Ends this process, when that is written.
        this.#runner.end();
    }
  }

  get #gate(): Writable | undefined {
    return (this.#child.stdio[PIPE] as Writable | null | undefined) ?? undefined;
  }

  #tell(message: FromWatchdog): void {
    writeLine(this.#runner, message);
  }
}

/** Some commands cannot even be handed to a shell: too many words, no memory. */
function begin(setup: Extract<ToWatchdog, { kind: "setup" }>): Watchdog | undefined {
  try {
    return new Watchdog(runner, setup);
  } catch (error) {
    process.stderr.write(`rollcall: ${error instanceof Error ? error.message : error}\n`);
    writeLine(runner, { kind: "ended", code: EXIT.cannotRun, signal: null, isLost: false });
    runner.end();
    return undefined;
  }
}

const runner = new Socket({ fd: PIPE });
let watchdog: Watchdog | undefined;
readLines<ToWatchdog>(
  runner,
  (message) => {
    if (message.kind !== "setup") watchdog?.feed(message);
    else watchdog = begin(message);
  },
  () => watchdog?.feed({ kind: "runnerGone" }),
);
// Whoever sends these to the watchdog means the command. It stays until that has ended.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
  process.on(signal, () => watchdog?.feed({ kind: "pass", signal }));
}
