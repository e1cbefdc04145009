import type { Command } from "commander";
import { type ClusterNode, InvalidArgumentError, type Scope } from "../index.ts";
import { anyAborted } from "./any-aborted.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { Interrupts } from "./interrupts.ts";
import { openNode } from "./open-node.ts";
import { Output } from "./output.ts";

/**
 * Adds one command, or several that belong together, to the program. Each file of `commands` has one.
 *
 * @param done to be told the exit code, when an action has come to its end without throwing
 */
export type AddCommand = (program: Command, done: (exitCode: number) => void) => void;

/** The flags that every command has which joins a cluster. */
export interface CommonFlags {
  readonly cluster?: string;
  readonly node?: string;
  readonly nats?: string;
  readonly json?: boolean;
  readonly scope?: string;
}

/** What a command is given to work with. */
export interface Visit {
  readonly node: ClusterNode;
  /** The tables of the scope that was asked for. */
  readonly scope: Pick<Scope, "groups" | "names" | "strictNames">;
  readonly environment: Environment;
  readonly output: Output;
  readonly json: boolean;
  /** Aborted when the command is to end: by a signal, because nobody reads it any more, or because the node has closed. */
  readonly signal: AbortSignal;
}

export interface VisitOptions {
  readonly needsLeases?: boolean;
  /** Stays, and may be alone: no hint then that nobody else is there. */
  readonly mayBeAlone?: boolean;
}

/** Flags that may stand in front of the command too: `rollcall --cluster shop names`. */
export function withClusterFlags(command: Command): Command {
  return command
    .option("--cluster <name>", "the cluster; default: ROLLCALL_CLUSTER, else `default`")
    .option("--node <name>", "the name of this command's own node; default: one that nobody has")
    .option(
      "--nats <servers>",
      "NATS servers, separated by commas; default: NATS_URL, else the embedded bus",
    );
}

export function withCommonFlags(command: Command): Command {
  return withClusterFlags(command).option("--scope <name>", "the scope; default: `default`");
}

export function examples(command: Command, lines: readonly string[]): Command {
  const indented = lines.map((line) => `  $ rollcall ${line}`).join("\n");
  return command.addHelpText("after", `\nExamples:\n${indented}`);
}

/** Those of the command count, then those in front of it. */
export function flagsOf<F extends CommonFlags>(command: Command): F {
  return { ...command.parent?.opts(), ...command.opts() } as F;
}

/**
 * Joins the cluster as an ordinary node, does the work, and leaves in good order.
 *
 * The node is called as `--node` says, and not as `ROLLCALL_NODE` does: that is the name of the service in whose surroundings
 * somebody looks around, and two nodes cannot have it.
 *
 * @returns the exit code
 */
export async function visit(
  flags: CommonFlags,
  options: VisitOptions,
  work: (visit: Visit) => Promise<number>,
): Promise<number> {
  const environment = readEnvironment(process.env, flags);
  const output = new Output();
  const interrupts = new Interrupts();
  const ended = new AbortController();
  const signal = anyAborted(interrupts.signal, output.closed, ended.signal);
  try {
    const node = await openNode(
      { ...environment, node: flags.node },
      { needsLeases: options.needsLeases ?? false, signal },
    );
    void node.closed.then(({ error }) => ended.abort(error));
    try {
      if (options.mayBeAlone !== true) hintIfAlone(node, environment, output);
      const { scope } = flags;
      const tables = scope === undefined ? node : await node.scope(scope, { signal });
      const code = await work({
        node,
        scope: tables,
        environment,
        output,
        json: flags.json === true,
        signal,
      });
      // Closed against our will: the work has seen no more than that it is to end.
      if (ended.signal.aborted) throw ended.signal.reason;
      return interrupts.exitCode ?? code;
    } finally {
      await node.stop();
    }
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    if (output.closed.aborted) return EXIT.ok;
    throw error;
  }
}

/** Most often it is a variable that somebody forgot. */
export function hintIfAlone(node: ClusterNode, environment: Environment, output: Output): void {
  if (node.nodes().length > 1) return;
  const { cluster, nats, secrets } = environment;
  const where = nats === undefined ? "on the embedded bus of this machine" : "on NATS";
  const missing = [
    ...(nats === undefined ? ["NATS_URL or --nats"] : []),
    "ROLLCALL_CLUSTER or --cluster",
    ...(secrets.length === 0 ? ["ROLLCALL_SECRET"] : []),
  ];
  output.say(
    `no other node of cluster ${JSON.stringify(cluster)} is ${where}; if there should be one, see ${missing.join(", ")}`,
  );
}

/** Until the command is to end. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** JSON, or text where it is none. */
export function parseMessage(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @throws CommandError for what is no JSON */
export function parseMeta(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(
      EXIT.misused,
      `--meta is no JSON: ${text}; it takes a value such as '{"shard":3}'`,
    );
  }
}

/** @throws CommandError for what is no whole number in these bounds */
export function parseWhole(flag: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(flag, text, `a whole number from ${least} to ${most}`);
  };
}
