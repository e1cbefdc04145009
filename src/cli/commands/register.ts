import {
  type AddCommand,
  type CommonFlags,
  examples,
  flagsOf,
  parseMeta,
  parseWhole,
  withCommonFlags,
} from "../command.ts";
import { type Environment, readEnvironment } from "../environment.ts";
import { CommandError, EXIT } from "../exit-codes.ts";
import { Interrupts } from "../interrupts.ts";
import { leaseTtlOf } from "../leases.ts";
import { openNode } from "../open-node.ts";
import { Output } from "../output.ts";
import { AvailableLine, StrictLine } from "../singleton/lines.ts";
import type { GuardTimes } from "../singleton/protocol.ts";
import { Singleton } from "../singleton/singleton.ts";

interface Flags extends CommonFlags {
  readonly strict?: boolean;
  readonly wait: boolean;
  readonly again?: boolean;
  readonly meta?: string;
  readonly graceMs: number;
}

const DEFAULT_GRACE_MS = 5_000;
const LONGEST_GRACE_MS = 3_600_000;
/** How long before an available name's deadline the command is asked to end. */
const AVAILABLE_WARN_MS = 2_000;
const AVAILABLE_BEAT_MS = 500;
/** Timers are late by less than this on a machine that does anything at all. */
const MARGIN_MS = 100;

export const addRegister: AddCommand = (program, done) => {
  const command = withCommonFlags(program.command("register"))
    .description("hold a name while a command runs: one of it at a time over the whole cluster")
    .argument("<name>")
    .argument("<command...>", "what to run, after `--`")
    .usage("[options] <name> -- <command...>")
    .option("--strict", "a strict name: never two at once. The command has ROLLCALL_FENCING_TOKEN")
    .option("--no-wait", "do not wait for the name: exit code 5 if somebody else holds it")
    .option("--again", "when the name was lost, wait for it again")
    .option("--meta <json>", "metadata that others see beside the name")
    .option(
      "--grace-ms <ms>",
      "how long the command may take to end when the name was lost, before it is killed",
      parseWhole("--grace-ms", 0, LONGEST_GRACE_MS),
      DEFAULT_GRACE_MS,
    )
    .action(async (name: string, words: readonly string[]) => {
      done(await hold(name, words, flagsOf<Flags>(command)));
    });
  examples(command, [
    "register reports -- ./make-reports.sh",
    "register billing --strict --again -- node billing.js --all",
    "register nightly --strict --no-wait -- ./nightly.sh || test $? -eq 5",
  ]);
};

async function hold(name: string, command: readonly string[], flags: Flags): Promise<number> {
  if (process.platform === "win32") {
    throw new CommandError(EXIT.misused, "register needs groups of processes, which Windows does not have");
  }
  const meta = parseMeta(flags.meta);
  const environment = readEnvironment(process.env, flags);
  const output = new Output();
  const interrupts = new Interrupts();
  const isStrict = flags.strict === true;
  try {
    const { signal } = interrupts;
    // Not as ROLLCALL_NODE says: what is run may be a node itself, which is called so.
    const own = { ...environment, node: flags.node };
    await using node = await openNode(own, { needsLeases: isStrict });
    signal.throwIfAborted();
    const scope = flags.scope === undefined ? node : await node.scope(flags.scope, { signal });
    const say = (text: string): void => output.say(`rollcall: ${text}`);
    const options = { node, scope, name, meta, waits: flags.wait, say };
    const line = isStrict ? new StrictLine(options) : new AvailableLine(options);
    // From here on they are for the command.
    interrupts.handOver();
    const timing = timingOf(environment, flags);
    const goesBack = flags.again === true;
    const end = await new Singleton({ node, line, name, command, ...timing, goesBack, say }).run();
    if (end.isAbrupt) process.exit(end.exitCode);
    return end.exitCode;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

/**
 * A lease that is renewed has half of its time left at the least, three tenths when two renewals have failed. So a quarter says
 * that the third is late as well, and leaves the command that time to end.
 */
function timingOf(
  environment: Environment,
  { graceMs, strict }: Flags,
): { times: GuardTimes; beatMs: number } {
  if (strict !== true) {
    const warnMs = Math.min(graceMs, AVAILABLE_WARN_MS);
    return { times: { warnMs, graceMs, marginMs: MARGIN_MS }, beatMs: AVAILABLE_BEAT_MS };
  }
  const ttlMs = leaseTtlOf(environment);
  const warnMs = Math.min(graceMs, ttlMs / 4);
  return {
    times: { warnMs, graceMs, marginMs: Math.min(MARGIN_MS, ttlMs / 20) },
    beatMs: Math.min(AVAILABLE_BEAT_MS, ttlMs / 20),
  };
}
