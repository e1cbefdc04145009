import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "rollcall";
import { type Options, readOptions, USAGE, UsageError } from "./options.ts";
import { playRound } from "./round.ts";
import { stallNote } from "./story.ts";
import { drawSvg } from "./svg.ts";
import { drawComparison, drawLegend, drawTimeline, type Paper } from "./terminal.ts";
import type { Timeline } from "./timeline.ts";
import { shortcomings } from "./verdict.ts";

/** Who runs the tickers at first, in turn: one that the partition leaves with a minority of the lease servers, then one with most. */
const FIRST = ["east-1", "west-1"] as const;

/** Exit codes, as shells have them: for what did not go as it has to, for a wrong call, and for Ctrl-C. */
const FAILED = 1;
const MISUSED = 2;
const INTERRUPTED = 130;

const OUT = fileURLToPath(new URL("./out", import.meta.url));
const LEAST_COLUMNS = 60;
const MOST_COLUMNS = 120;
const DEFAULT_COLUMNS = 100;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    say(USAGE);
    return 0;
  }
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());
  try {
    return await playRounds(options, interrupted.signal);
  } catch (error) {
    if (interrupted.signal.aborted) return INTERRUPTED;
    throw error;
  }
}

async function playRounds({ once, out = OUT }: Options, signal: AbortSignal): Promise<number> {
  await mkdir(out, { recursive: true });
  for (let number = 1; ; number += 1) {
    const first = FIRST[(number - 1) % FIRST.length] ?? FIRST[0];
    say(`Round ${number}: ${first} runs the ticker at first. This takes about 12 s …\n`);
    const complaints: string[] = [];
    const timelines = await playRound({ first, logger: keeping(complaints), signal }).catch(
      (error: unknown) => {
        if (!signal.aborted) for (const complaint of complaints) console.error(complaint);
        throw error;
      },
    );
    show(timelines);
    await keep(timelines, out);
    const missing = shortcomings(timelines);
    for (const each of missing) console.error(`NOT SO: ${each}`);
    if (missing.length > 0) return FAILED;
    if (once) return 0;
    say("");
  }
}

function show(timelines: readonly Timeline[]): void {
  const paper = paperOf(process.stdout, process.env);
  for (const timeline of timelines) say(`${drawTimeline(timeline, paper).join("\n")}\n`);
  say(`${drawLegend(paper)}\n\nMeasured:\n`);
  say(drawComparison(timelines).join("\n"));
  const note = stallNote(timelines);
  if (note !== undefined) say(`\n${note}`);
}

async function keep(timelines: readonly Timeline[], out: string): Promise<void> {
  const files = [
    { name: "timeline.svg", text: drawSvg(timelines) },
    { name: "timeline.json", text: `${JSON.stringify(timelines, undefined, 2)}\n` },
  ];
  for (const { name, text } of files) await writeFile(join(out, name), text);
  const [svg, json] = files.map(({ name }) => relative(process.cwd(), join(out, name)));
  say(`\nThe same as a picture: ${svg}; the records: ${json}`);
}

/** Colour is for terminals, and for nobody who said NO_COLOR (see no-color.org). */
function paperOf(stream: NodeJS.WriteStream, { NO_COLOR = "", TERM }: NodeJS.ProcessEnv): Paper {
  const columns = Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, stream.columns ?? DEFAULT_COLUMNS));
  return { columns, colour: stream.isTTY === true && NO_COLOR === "" && TERM !== "dumb" };
}

/** Lost leases and dead nodes are the point here, and no news. They may say why a round came to nothing. */
function keeping(complaints: string[]): Logger {
  const keepLine = (details: object, message: string): void => {
    complaints.push(`${message} ${JSON.stringify(details)}`);
  };
  return { debug: () => {}, info: () => {}, warn: keepLine, error: keepLine };
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = MISUSED;
}
