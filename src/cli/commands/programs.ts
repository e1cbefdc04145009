import { spawn } from "node:child_process";
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

function runBeside(name: string, words: readonly string[], flags: readonly string[] = []): Promise<number> {
  const file = fileURLToPath(new URL(`../${name}${extname(import.meta.url)}`, import.meta.url));
  // Ctrl-C reaches both; what comes to us alone is handed on. Either way that one ends first, and says how.
  const ignore = (): void => undefined;
  const child = spawn(process.execPath, [...process.execArgv, ...flags, file, ...words], {
    stdio: "inherit",
  });
  const handOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGINT", ignore);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, handOn);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      resolve(signal === null ? (code ?? EXIT.failed) : exitCodeOfSignal(signal)),
    );
  });
}
