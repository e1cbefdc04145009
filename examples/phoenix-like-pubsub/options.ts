import { parseArgs } from "node:util";

export const USAGE = `Usage: npm run example:pubsub [-- [--port N] [--host HOST] [--bus-port N]]

Starts three nodes of one cluster, each with a page for a talk on a port of its own, until Ctrl-C.

  --port N      the port of the first; the others have the two after it (default: 4300; 0: any three that are free)
  --host HOST   where they listen (default: 127.0.0.1; 0.0.0.0 lets phones of the same network in, and everybody else there)
  --bus-port N  the port of the embedded bus, on which they meet (default: 4229)
  --help        shows this

NATS_URL in the environment: the nodes meet on that bus, in place of the embedded one.`;

export interface Options {
  readonly port: number;
  readonly host: string;
  readonly busPort: number;
}

/** What was asked for is not to be had. The message says why. */
export class UsageError extends Error {}

const DEFAULTS: Options = { port: 4300, host: "127.0.0.1", busPort: 4229 };
const LAST_PORT = 65_535;

/**
 * Undefined: help was asked for.
 *
 * @throws UsageError
 */
export function readOptions(argv: readonly string[], nodes: number): Options | undefined {
  const { help, host, port, "bus-port": busPort } = parse(argv);
  if (help === true) return undefined;
  if (host === "") throw misused("--host is empty: it takes a name or an address");
  return {
    host: host ?? DEFAULTS.host,
    port: port === undefined ? DEFAULTS.port : readPort("port", port, 0, LAST_PORT - nodes + 1),
    busPort: busPort === undefined ? DEFAULTS.busPort : readPort("bus-port", busPort, 1, LAST_PORT),
  };
}

function readPort(option: string, text: string, first: number, last: number): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port >= first && port <= last) return port;
  throw misused(`--${option} is ${JSON.stringify(text)}: a whole number from ${first} to ${last} is right`);
}

function parse(argv: readonly string[]) {
  const config = {
    args: [...argv],
    options: {
      port: { type: "string" },
      host: { type: "string" },
      "bus-port": { type: "string" },
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
