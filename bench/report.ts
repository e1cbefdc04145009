import type { ContestantResult, ContestResult, RivalResult } from "./contest-run.ts";
import type { MachineFacts } from "./machine.ts";
import type { Summary } from "./statistics.ts";

/** Everything that one run has found: what `--json` writes. */
export interface BenchReport {
  readonly startedAt: string;
  readonly machine: MachineFacts;
  readonly quick: boolean;
  readonly benchmarks: readonly ContestResult[];
}

/** What a terminal shows without breaking lines. Only the table may be wider. */
const COLUMNS = 100;

const HEADINGS = ["per second", "median", "min – max", "ours ÷ theirs", "min – max", "first mark"] as const;

const MARK =
  "first mark: the least that we want of the ratio to the plain client (the first of the others), by its median";

export function writeReport({ machine, quick, benchmarks }: BenchReport): string {
  const { cores, processor, system, node, natsServer, loadAverage } = machine;
  const lines = [
    "Rollcall beside the plain `nats` client: three processes, one nats-server, on loopback",
    `${cores} cores (${processor}), ${system}, Node ${node}, nats-server ${natsServer}`,
    `load average at the start: ${loadAverage.join(", ")}`,
    ...(quick ? ["a quick run: it shows that the bench works, and judges nothing"] : []),
    "",
    ...tableOf(benchmarks, quick),
    "",
    ...wrapped(MARK, ""),
    "",
    ...benchmarks.flatMap(notesOf),
  ];
  return lines.join("\n");
}

function tableOf(benchmarks: readonly ContestResult[], quick: boolean): readonly string[] {
  const bodies = benchmarks.flatMap((result) => rowsOf(result, quick));
  const rows: readonly (readonly string[])[] = [HEADINGS, ...bodies];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("   ")
      .trimEnd(),
  );
}

function rowsOf(result: ContestResult, quick: boolean): readonly (readonly string[])[] {
  return [
    [`${result.unit}: ${result.ours.name}`, ...rateCells(result.ours)],
    ...result.others.map((rival, index) => [
      `  ${rival.name}`,
      ...rateCells(rival),
      rival.ratio.median.toFixed(2),
      rangeOf(rival.ratio, (ratio) => ratio.toFixed(2)),
      // The mark is about the raw limit, which is the first of the others.
      index === 0 ? markOf(rival, result.mark, quick) : "",
    ]),
  ];
}

function rateCells({ rate }: ContestantResult): readonly string[] {
  return [grouped(rate.median), rangeOf(rate, grouped)];
}

function rangeOf({ min, max }: Summary, write: (value: number) => string): string {
  return `${write(min)} – ${write(max)}`;
}

function markOf({ ratio }: RivalResult, mark: number, quick: boolean): string {
  // Of a few items nothing follows.
  if (quick) return mark.toFixed(1);
  return `${mark.toFixed(1)} ${ratio.median >= mark ? "reached" : "missed"}`;
}

function notesOf(result: ContestResult): readonly string[] {
  const { toAll, toOne } = result.itemBytes;
  const bytes = toOne === 0 ? `${toAll} bytes` : `${toAll} bytes to all nodes and ${toOne} to single ones`;
  const rounds = `${grouped(result.items)} items a round, ${result.rounds} rounds after a warm-up`;
  return [
    ...wrapped(`${result.unit}: ${result.what}; ${rounds}, the contestants in turn`, ""),
    ...wrapped(`we send ${bytes} for an item, its share of the frames' headers included`, "  "),
    ...[result.ours, ...result.others].flatMap(({ name, does }) => wrapped(`${name}: ${does}`, "  ")),
    "",
  ];
}

/** In lines of at most `COLUMNS`, those after the first further in. */
function wrapped(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = `${indent}    ${word}`;
    } else {
      line += line.trim() === "" ? word : ` ${word}`;
    }
  }
  return [...lines, line];
}

function grouped(rate: number): string {
  return Math.round(rate)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}
