import { parseArgs } from "node:util";

export const USAGE = `Usage: npm run example:pubsub [-- [--port N] [--host HOST] [--bus-port N] [--cluster NAME] [--only N]]

Starts three nodes of one cluster, each with a page for a talk on a port of its own, until Ctrl-C.

  --port N        the port of the first; the others have the two after it (default: 4300; 0: any three that are free)
  --host HOST     where they listen (default: 127.0.0.1; 0.0.0.0 lets phones of the same network in, and everybody else there)
  --bus-port N    the port of the embedded bus, on which they meet (default: 4229)
  --cluster NAME  which talk it is: nodes on one bus meet if they name the same (default: talk)
  --only N        starts one of them, 1, 2 or 3, which joins those that run: give the other options as you did for these
  --help          shows this

NATS_URL in the environment: the nodes meet on that bus, in place of the embedded one. Others may use it too: name a cluster.`;

export interface Options {
  readonly port: number;
  readonly host: string;
  readonly busPort: number;
  readonly cluster: string;
  /** Which one, from 1. Undefined: all. */
  readonly only: number | undefined;
}

/** What was asked for is not to be had. The message says why. */
export class UsageError extends Error {}

const DEFAULTS: Omit<Options, "only"> = { port: 4300, host: "127.0.0.1", busPort: 4229, cluster: "talk" };
const LAST_PORT = 65_535;
/** As `startNode` has it. */
const CLUSTER_BYTES = 512;

/**
 * Undefined: help was asked for.
 *
 * @throws UsageError
 */
export function readOptions(argv: readonly string[], nodes: number): Options | undefined {
  const given = parse(argv);
  if (given.help === true) return undefined;
  const { host = DEFAULTS.host, cluster = DEFAULTS.cluster } = given;
  if (host === "") throw misused("--host is empty: it takes a name or an address");
  if (cluster === "" || Buffer.byteLength(cluster) > CLUSTER_BYTES)
    throw misused(`--cluster takes any text of 1 to ${CLUSTER_BYTES} bytes`);
  const options: Options = {
    host,
    cluster,
    port: readNumber("port", given.port, 0, LAST_PORT - nodes + 1) ?? DEFAULTS.port,
    busPort: readNumber("bus-port", given["bus-port"], 1, LAST_PORT) ?? DEFAULTS.busPort,
    only: readNumber("only", given.only, 1, nodes),
  };
  if (options.only !== undefined && options.port === 0)
    throw misused("--only joins others, and has to know their ports: --port takes that of the first");
  return options;
}

/**
 * What starts one of them again. Undefined: nobody can tell, as their ports are not in a row.
 *
 * @param only which one, from 1
 */
export function commandFor(options: Options, only: number): string | undefined {
  const { busPort, cluster, host, port } = options;
  if (port === 0) return undefined;
  const words = [
    ...["--only", `${only}`],
    ...(port === DEFAULTS.port ? [] : ["--port", `${port}`]),
    ...(host === DEFAULTS.host ? [] : ["--host", host]),
    ...(busPort === DEFAULTS.busPort ? [] : ["--bus-port", `${busPort}`]),
    ...(cluster === DEFAULTS.cluster ? [] : ["--cluster", cluster]),
  ];
  return `npm run example:pubsub -- ${words.map(quoted).join(" ")}`;
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w.:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function readNumber(option: string, text: string | undefined, first: number, last: number) {
  if (text === undefined) return undefined;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= first && number <= last) return number;
  throw misused(`--${option} is ${JSON.stringify(text)}: a whole number from ${first} to ${last} is right`);
}

function parse(argv: readonly string[]) {
  const config = {
    args: [...argv],
    options: {
      port: { type: "string" },
      host: { type: "string" },
      "bus-port": { type: "string" },
      cluster: { type: "string" },
      only: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  } as const;
  try {
    return parseArgs(config).values;
  } catch (error) {
    throw misused(error instanceof Error ? error.message : String(error));
  }
}

function misused(message: string): UsageError {
  return new UsageError(`${message}\n\n${USAGE}`);
}
