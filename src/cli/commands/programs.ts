import { type ChildProcess, spawn } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { AddCommand } from "../command.ts";
import { EXIT, exitCodeOfSignal } from "../exit-codes.ts";

/** Programs of their own, which stand beside this one and read their own arguments. */
export const addPrograms: AddCommand = (program, done) => {
  program
    .command("sim")
    .description("run the simulator: plans of what goes wrong, and every rule looked after at each step")
    .argument("[arguments...]", "as `rollcall sim --help` lists them")
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    // Without it, garbage collection takes a third of the time.
    .action(async (words: readonly string[]) =>
      done(await runBeside("sim", words, ["--max-semi-space-size=64"])),
    );
  program
    .command("demo")
    .description("tell in one terminal what Rollcall does, with five real nodes")
    .argument("[arguments...]", "`--once` ends with the story")
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(async (words: readonly string[]) => done(await runBeside("demo", words)));
};

/** What is for the program that runs, not for this one. */
const HANDED_ON = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGCONT"] as const;

function runBeside(name: string, words: readonly string[], flags: readonly string[] = []): Promise<number> {
  const file = fileURLToPath(new URL(`../${name}${extname(import.meta.url)}`, import.meta.url));
  // In a session of its own, where no Ctrl-C comes by itself: what a terminal sends to all of a group and what somebody sends to
  // this process alone look the same here, and who is sent it twice ends as it stands. A console of Windows has no such sessions.
  const isApart = process.platform !== "win32";
  const child = spawn(process.execPath, [...process.execArgv, ...flags, file, ...words], {
    stdio: "inherit",
    detached: isApart,
  });
  // That one ends first, and says how.
  for (const signal of HANDED_ON)
    process.on(signal, () => {
      if (isApart || signal !== "SIGINT") child.kill(signal);
    });
  if (isApart) process.on("SIGTSTP", () => stopBoth(child));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      resolve(signal === null ? (code ?? EXIT.failed) : exitCodeOfSignal(signal)),
    );
  });
}

/** Ctrl-Z, which does nothing to who is in a session of its own. */
function stopBoth(child: ChildProcess): void {
  child.kill("SIGSTOP");
  process.kill(process.pid, "SIGSTOP");
}
