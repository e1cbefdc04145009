import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { type AddCommand, withClusterFlags } from "./command.ts";
import { addCall } from "./commands/call.ts";
import { addCompletion } from "./commands/completion.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addGroups } from "./commands/groups.ts";
import { addJoin } from "./commands/join.ts";
import { addNames } from "./commands/names.ts";
import { addNodes } from "./commands/nodes.ts";
import { addPrograms } from "./commands/programs.ts";
import { addPublish } from "./commands/publish.ts";
import { addRegister } from "./commands/register.ts";
import { addServe } from "./commands/serve.ts";
import { addTop } from "./commands/top.ts";
import { addWatch } from "./commands/watch.ts";
import { addWhereis } from "./commands/whereis.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { shownText } from "./shown.ts";

/** Every command, in the order in which the help has them. A new one is added here, and nowhere else. */
const COMMANDS: readonly AddCommand[] = [
  addServe,
  addNodes,
  addNames,
  addGroups,
  addWhereis,
  addWatch,
  addJoin,
  addPublish,
  addCall,
  addRegister,
  addTop,
  addDoctor,
  addPrograms,
  addCompletion,
];

const AFTER = `
A MESSAGE is JSON, or text where it is none. Each command joins the cluster as a node and leaves it again.

Environment: ROLLCALL_CLUSTER, ROLLCALL_SECRET, NATS_URL, NATS_CREDS, REDIS_URLS, ROLLCALL_LEASES, LOG_LEVEL and
more: docs/cli.md. Exit codes: 0 done, 1 failed, 2 misused, 3 nobody holds it or is there, 4 out of reach,
5 the name is taken or was lost, 128 + signal.`;

export function makeProgram(done: (exitCode: number) => void): Command {
  const program = new Command("rollcall")
    .description("Names, groups and who is alive, over a cluster of Node.js processes")
    .version(readVersion(), "-V, --version")
    // So that flags behind the command are the command's: `sim` has some of the same spelling.
    .enablePositionalOptions()
    .addHelpText("after", AFTER)
    .exitOverride()
    .showSuggestionAfterError();
  withClusterFlags(program).option("--json", "machine-readable output, for commands that list");
  for (const add of COMMANDS) add(program, done);
  return program;
}

/** @returns the exit code */
export async function run(words: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  try {
    await makeProgram((result) => {
      code = result;
    }).parseAsync(words, { from: "user" });
    return code;
  } catch (error) {
    // Commander has written what is to be said.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.misused;
    process.stderr.write(`rollcall: ${shownText(messageOf(error))}\n`);
    if (process.env["LOG_LEVEL"] === "debug" && error instanceof Error)
      process.stderr.write(`${error.stack}\n`);
    return exitCodeOf(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

function readVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
