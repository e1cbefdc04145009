#!/usr/bin/env node
/*
 * The command `rollcall`. What it consists of is loaded here and not before, because a package that is missing (they are
 * optional dependencies of the library) is to be told in words.
 */
import { realClock } from "../node/real-clock.ts";

const LAST_WORDS_MS = 2_000;

try {
  const { run } = await import("./program.ts");
  process.exitCode = await run(process.argv.slice(2));
  // A connection to a server that hangs may be left. What was written has gone out by then, unless nobody reads it.
  realClock.after(LAST_WORDS_MS, () => process.exit());
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
  process.stderr.write(
    `${(error as Error).message}; the command line needs the optional dependencies of rollcall: npm install --include=optional\n`,
  );
  process.exitCode = 1;
}
