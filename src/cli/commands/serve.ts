import { parseTokens, type Service, startService } from "../../http.ts";
import { type ClusterNode, InvalidArgumentError } from "../../index.ts";
import { realClock } from "../../node/real-clock.ts";
import {
  type AddCommand,
  type CommonFlags,
  examples,
  flagsOf,
  parseWhole,
  untilAborted,
  withClusterFlags,
} from "../command.ts";
import { type Environment, readEnvironment, wrong } from "../environment.ts";
import { CommandError, EXIT, exitCodeOfSignal } from "../exit-codes.ts";
import { Interrupts } from "../interrupts.ts";
import { loggerOf, openNode } from "../open-node.ts";

interface ServeFlags extends CommonFlags {
  readonly host: string;
  readonly port: number;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  readonly scopes?: readonly string[];
  readonly lingerMs: number;
  readonly deadlineMs: number;
}

const PORT = 4_780;
const LONGEST_MS = 600_000;
/** How long those who send work may take to see that the node is not ready: some look every few seconds. */
const LINGER_MS = 5_000;
/** Service managers kill after 30 s. */
const DEADLINE_MS = 25_000;

export const addServe: AddCommand = (program, done) => {
  const command = withClusterFlags(program.command("serve"))
    .description("run a node with an HTTP and WebSocket service in front, and a live page")
    .option("--host <address>", "where to listen; any but loopback needs ROLLCALL_TOKEN", "127.0.0.1")
    .option("--port <port>", "0: any that is free", parseWhole("--port", 0, 65_535), PORT)
    .option("--allow-host <name...>", "names that clients may address the service by")
    .option("--allow-origin <origin...>", "origins of pages that may use the service")
    .option("--scopes <name...>", "scopes that clients may use, besides `default`")
    .option(
      "--linger-ms <ms>",
      "how long to go on after SIGTERM, not ready",
      parseWhole("--linger-ms", 0, LONGEST_MS),
      LINGER_MS,
    )
    .option(
      "--deadline-ms <ms>",
      "how long ending may take in all",
      parseWhole("--deadline-ms", 1, LONGEST_MS),
      DEADLINE_MS,
    )
    .action(async () => done(await serve(flagsOf(command))));
  examples(command, [
    "serve",
    "serve --port 4781 --node second",
    "serve --nats nats://10.0.0.5:4222 --host 0.0.0.0    # with ROLLCALL_TOKEN set",
  ]);
};

/** @returns the exit code */
async function serve(flags: ServeFlags): Promise<number> {
  const environment = readEnvironment(process.env, flags);
  const interrupts = new Interrupts();
  // Whoever asks twice means it.
  interrupts.again((signal) => process.exit(exitCodeOfSignal(signal)));
  const { signal } = interrupts;
  let started: Started;
  try {
    started = await start(environment, flags, signal);
  } catch (error) {
    // Whatever it failed of: it was asked to end, and has.
    if (signal.aborted) return EXIT.ok;
    throw error;
  }
  const { node, service } = started;
  welcome(service, node, environment);
  await Promise.race([node.closed, untilAborted(signal)]);
  if (interrupts.exitCode === undefined) {
    await service.close();
    const { error } = await node.closed;
    throw error ?? new CommandError(EXIT.failed, "the node has stopped");
  }
  await leave(service, node, flags, interrupts);
  return EXIT.ok;
}

interface Started {
  readonly node: ClusterNode;
  readonly service: Service;
}

/** Rejects, with nothing left open, when the signal aborts meanwhile. Later it is for `leave`: the node is not to stop by itself. */
async function start(environment: Environment, flags: ServeFlags, signal: AbortSignal): Promise<Started> {
  const tokens = tokensOf(environment);
  const starting = new AbortController();
  const giveUp = (): void => starting.abort(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    const node = await openNode(environment, { logLevel: "warn", signal: starting.signal });
    try {
      const service = await startService(node, {
        host: flags.host,
        port: flags.port,
        tokens,
        hosts: flags.allowHost,
        origins: flags.allowOrigin,
        scopes: flags.scopes,
        processMetrics: true,
        logger: loggerOf(environment, "warn"),
      });
      if (!signal.aborted) return { node, service };
      await service.close();
      throw signal.reason;
    } catch (error) {
      await node.stop();
      throw inWords(error, flags);
    }
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** Not ready; after a while no more requests; what the node decides for others handed over; goodbye. */
async function leave(
  service: Service,
  node: ClusterNode,
  flags: ServeFlags,
  interrupts: Interrupts,
): Promise<void> {
  const endsAtMs = realClock.now().monotonicMs + flags.deadlineMs;
  const leftMs = (): number => Math.max(1, endsAtMs - realClock.now().monotonicMs);
  // Ctrl-C is somebody who waits; a service manager has others to tell.
  const lingerMs = interrupts.caught === "SIGINT" ? 0 : Math.min(flags.lingerMs, flags.deadlineMs / 2);
  service.leave({ deadlineMs: lingerMs });
  await new Promise<void>((resolve) => realClock.after(lingerMs, resolve));
  await service.close({ deadlineMs: leftMs() / 2 });
  await node.drain({ deadlineMs: leftMs() });
}

function tokensOf({ token }: Environment) {
  if (token === undefined) return [];
  try {
    return parseTokens(token);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw wrong("ROLLCALL_TOKEN", token, false, error.expected);
    throw error;
  }
}

function inWords(error: unknown, { host, port }: ServeFlags): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return new CommandError(EXIT.failed, `port ${port} of ${host} is taken: choose another with --port`);
  if (code === "EACCES" || code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return new CommandError(
      EXIT.failed,
      `cannot listen at ${host} port ${port} (${code}): see --host and --port`,
    );
  return error;
}

/** What to try next. */
function welcome({ port, url }: Service, node: ClusterNode, { nats }: Environment): void {
  const bus = nats === undefined ? "the embedded bus" : "NATS";
  const tries = [
    [`open ${url}/ in a browser`, "the nodes, names and groups, live"],
    [`curl -s -X POST ${url}/v1/sessions`, "a session: a process that registers and receives for you"],
    [`curl -sN ${url}/v1/watch/names`, "every name, and every change as it happens"],
    [`npm start -- --port ${port + 1}`, "a second node, here: both list the same names"],
  ] as const;
  const width = Math.max(...tries.map(([what]) => what.length));
  const lines = [
    `Node ${node.name} of cluster ${node.cluster} serves ${url} over ${bus}; Ctrl-C ends it, or a signal to process ${process.pid}. Try, in another terminal:`,
    ...tries.map(([what, why]) => `  ${what.padEnd(width)}    ${why}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
