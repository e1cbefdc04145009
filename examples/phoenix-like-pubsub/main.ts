import { hostsOf } from "./hosts.ts";
import { commandFor, type Options, readOptions, USAGE, UsageError } from "./options.ts";
import { SiteChild } from "./site-child.ts";

const NODES = ["talk-1", "talk-2", "talk-3"] as const;

/** Exit codes, as shells have them: for what could not start, for a wrong call, and for Ctrl-C. */
const FAILED = 1;
const MISUSED = 2;
const INTERRUPTED = 130;

interface Started {
  readonly site: SiteChild;
  /** Which one, from 1. */
  readonly number: number;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), NODES.length);
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const interruption = new AbortController();
  const interrupted = new Promise<number>((resolve) => {
    interruption.signal.addEventListener("abort", () => resolve(INTERRUPTED));
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interruption.abort());
  const { only, port } = options;
  const numbers = only === undefined ? NODES.map((_name, index) => index + 1) : [only];
  const started = numbers.map((number) => ({
    number,
    site: new SiteChild(`talk-${number}`, port === 0 ? 0 : port + number - 1, options),
  }));
  try {
    return await Promise.race([interrupted, run(started, options, interruption.signal)]);
  } finally {
    await Promise.all(started.map(({ site }) => site[Symbol.asyncDispose]()));
  }
}

/**
 * Until the last of them is gone.
 *
 * @param interruption from then on nobody has to be told who goes
 */
async function run(
  started: readonly Started[],
  options: Options,
  interruption: AbortSignal,
): Promise<number> {
  const got = await Promise.all(started.map(({ site }) => site.listening()));
  // One alone knows where the others are: in a row.
  const ports = options.only === undefined ? got : NODES.map((_name, index) => options.port + index);
  await Promise.all(started.map(({ site }) => site.begin(ports)));
  console.log(invitation(started, ports, options));
  let left = started.length;
  const gone = started.map(async ({ number, site }) => {
    await site.gone;
    left -= 1;
    if (interruption.aborted) return;
    const others = left === 0 ? "it was the last that was started here" : "its visitors go to the others";
    const again = commandFor(options, number);
    console.log(`${site.name} is gone; ${others}${again === undefined ? "" : `. Start it again: ${again}`}`);
  });
  await Promise.all(gone);
  return FAILED;
}

function invitation(started: readonly Started[], ports: readonly number[], options: Options): string {
  const lines = started.map(({ number, site }) => {
    const urls = hostsOf(options.host).map((host) => `http://${host}:${ports[number - 1]}`);
    return `  ${site.name}   ${urls.join("   ")}   (process ${site.pid})`;
  });
  const head = ["Rate the talk, on any of these:", "", ...lines, ""];
  if (options.only !== undefined) return [...head, "It has joined the others. Ctrl-C ends it."].join("\n");
  const again = commandFor(options, NODES.length - 1);
  return [
    ...head,
    "Open two of them. Then end one of these processes: kill -9 …",
    ...(again === undefined ? [] : [`Start it again, say the second: ${again}`]),
    "Ctrl-C ends all.",
  ].join("\n");
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = error instanceof UsageError ? MISUSED : FAILED;
  },
);
