import { parseArgs } from "node:util";

export const USAGE = `Usage: npm run example:ap-and-cp [-- [--once] [--out DIR]]

Runs one program through one partition, on available and on strict names at once, and shows who ran when.

  --once     ends after one round, of about 12 s, with 0 if it went as it has to; else it goes on until
             Ctrl-C, the first node now on the side with fewer lease servers, now on the other
  --out DIR  where timeline.svg and timeline.json of the latest round go (default: out, in the example)
  --help     shows this`;

export interface Options {
  readonly once: boolean;
  /** Undefined: not said. */
  readonly out: string | undefined;
}

/** What was asked for is not to be had. The message says why. */
export class UsageError extends Error {}

/**
 * Undefined: help was asked for.
 *
 * @throws UsageError
 */
export function readOptions(argv: readonly string[]): Options | undefined {
  const { help, once, out } = parse(argv);
  if (help === true) return undefined;
  if (out === "") throw new UsageError(`--out is empty: it takes a directory\n\n${USAGE}`);
  return { once: once === true, out };
}

function parse(argv: readonly string[]) {
  const config = {
    args: [...argv],
    options: {
      once: { type: "boolean" },
      out: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  } as const;
  try {
    return parseArgs(config).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}
