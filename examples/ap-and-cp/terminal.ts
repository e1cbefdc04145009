import { intersects, measure, type Span, totalMs } from "./measure.ts";
import { comparison, seconds, storyOf, TITLES, written } from "./story.ts";
import type { Holding, Timeline } from "./timeline.ts";

export interface Paper {
  /** How many characters a line may have. */
  readonly columns: number;
  readonly colour: boolean;
}

type Ink = "bold" | "dim" | "red" | "green" | "yellow";

const INKS: Readonly<Record<Ink, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** One character of a drawing. Its sign says everything; the ink only helps. */
interface Cell {
  readonly sign: string;
  readonly ink: Ink | undefined;
}

const EMPTY: Cell = { sign: " ", ink: undefined };
const ALONE: Cell = { sign: "█", ink: "green" };
const TOGETHER: Cell = { sign: "X", ink: "red" };
const TOGETHER_HERE: Cell = { sign: "^", ink: "red" };
const NOBODY: Cell = { sign: "_", ink: "yellow" };
const REFUSED: Cell = { sign: "!", ink: "yellow" };
const FENCE: Cell = { sign: "┆", ink: "dim" };
const WALL: Cell = { sign: "─", ink: "dim" };

const TOGETHER_LABEL = "two run";
const NOBODY_LABEL = "nobody";
/** Behind the last cell: how long it was two, or nobody. */
const NOTE_COLUMNS = 10;
const LEAST_CELLS = 30;

const LEGEND = "█ runs   X runs beside another   ^ two run   _ nobody runs   ! refused: no majority";

/** One timeline as lines of text: a lane for each node, what was two and what was nobody beneath, and the story. */
export function drawTimeline(timeline: Timeline, paper: Paper): readonly string[] {
  const drawing = new Drawing(timeline, paper);
  const { overlaps, gaps } = measure(timeline);
  const lanes = timeline.sides.flatMap(({ nodes }, index) => [
    ...(index === 0 ? [] : [drawing.wall()]),
    ...nodes.map((node) => drawing.lane(node, overlaps)),
  ]);
  return [
    inked(paper, "bold", TITLES[timeline.kind]),
    "",
    drawing.heads(),
    ...lanes,
    drawing.spans(TOGETHER_LABEL, overlaps, TOGETHER_HERE),
    drawing.spans(NOBODY_LABEL, gaps, NOBODY),
    drawing.axis(),
    "",
    ...storyOf(timeline).map(({ atMs, text }) => `${seconds(atMs).padStart(9)}  ${text}`),
  ].map((line) => line.trimEnd());
}

export function drawLegend(paper: Paper): string {
  return inked(paper, "dim", LEGEND);
}

/** What was measured, as a table. */
export function drawComparison(timelines: readonly Timeline[]): readonly string[] {
  const rows = comparison(timelines);
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}

class Drawing {
  readonly #timeline: Timeline;
  readonly #paper: Paper;
  readonly #labelColumns: number;
  readonly #cells: number;

  constructor(timeline: Timeline, paper: Paper) {
    this.#timeline = timeline;
    this.#paper = paper;
    const labels = [TOGETHER_LABEL, NOBODY_LABEL, ...timeline.sides.flatMap(({ nodes }) => nodes)];
    this.#labelColumns = Math.max(...labels.map(({ length }) => length)) + 1;
    this.#cells = Math.max(LEAST_CELLS, paper.columns - this.#labelColumns - NOTE_COLUMNS);
  }

  heads(): string {
    const { cutMs, healMs } = this.#timeline;
    const row = this.#row(EMPTY);
    this.#write(row, this.#cellOf(cutMs), "cut", "bold");
    this.#write(row, this.#cellOf(healMs), "heal", "bold");
    return this.#line("", row);
  }

  lane(node: string, overlaps: readonly Span[]): string {
    const holdings = this.#timeline.holdings.filter((holding) => holding.node === node);
    const row = this.#fenced();
    for (const { atMs } of this.#timeline.refusals.filter((refusal) => refusal.node === node))
      row[this.#cellOf(atMs)] = REFUSED;
    for (const index of row.keys()) {
      const span = this.#spanOf(index);
      const mine = holdings.filter((holding) => intersects(holding, span));
      if (mine.length === 0) continue;
      const isTogether = overlaps.some(
        (overlap) => intersects(overlap, span) && mine.some((holding) => intersects(holding, overlap)),
      );
      row[index] = isTogether ? TOGETHER : ALONE;
    }
    for (const holding of holdings) this.#writeToken(row, holding);
    return this.#line(node, row);
  }

  /** Between two sides: nothing gets through from cut to heal. */
  wall(): string {
    const { cutMs, healMs } = this.#timeline;
    const row = this.#row(EMPTY);
    const [from, to] = [this.#cellOf(cutMs), this.#cellOf(healMs)];
    for (let index = from; index <= to; index += 1) row[index] = WALL;
    const words = " partition ";
    if (to - from > words.length)
      this.#write(row, Math.floor((from + to - words.length) / 2) + 1, words, "dim");
    return this.#line("", row);
  }

  spans(label: string, spans: readonly Span[], cell: Cell): string {
    const row = this.#fenced();
    for (const index of row.keys()) {
      if (spans.some((span) => intersects(span, this.#spanOf(index)))) row[index] = cell;
    }
    return `${this.#line(label, row)} ${written(totalMs(spans))}`;
  }

  axis(): string {
    const row = this.#row(EMPTY);
    for (const second of axisSeconds(this.#timeline.endMs)) {
      const label = `${second} s`;
      const at = this.#cellOf(second * 1_000);
      if (at + label.length <= this.#cells) this.#write(row, at, label, "dim");
    }
    return this.#line("", row);
  }

  #writeToken(row: Cell[], { token, fromMs, toMs }: Holding): void {
    if (token === undefined) return;
    const [from, to] = [this.#cellOf(fromMs), this.#cellOf(toMs)];
    const words = [` token ${token} `, ` ${token} `].find(({ length }) => length <= to - from - 1);
    if (words === undefined) return;
    // Not over what must be seen: that another runs.
    const covered = row.slice(from + 1, from + 1 + words.length);
    if (covered.every((cell) => cell === ALONE)) this.#write(row, from + 1, words, "green");
  }

  #write(row: Cell[], at: number, words: string, ink: Ink): void {
    for (const [offset, sign] of [...words].entries()) {
      if (at + offset < row.length) row[at + offset] = { sign, ink };
    }
  }

  #row(cell: Cell): Cell[] {
    return Array.from({ length: this.#cells }, () => cell);
  }

  #fenced(): Cell[] {
    const row = this.#row(EMPTY);
    for (const atMs of [this.#timeline.cutMs, this.#timeline.healMs]) row[this.#cellOf(atMs)] = FENCE;
    return row;
  }

  #cellOf(atMs: number): number {
    return Math.min(this.#cells - 1, Math.floor((atMs / this.#timeline.endMs) * this.#cells));
  }

  #spanOf(index: number): Span {
    const cellMs = this.#timeline.endMs / this.#cells;
    return { fromMs: index * cellMs, toMs: (index + 1) * cellMs };
  }

  #line(label: string, row: readonly Cell[]): string {
    return (
      label.padEnd(this.#labelColumns) +
      runsOf(row)
        .map(({ text, ink }) => inked(this.#paper, ink, text))
        .join("")
    );
  }
}

/** Whole seconds to write beneath a timeline: about six of them. */
export function axisSeconds(endMs: number): readonly number[] {
  const step = Math.max(1, Math.round(endMs / 1_000 / 6));
  return Array.from({ length: Math.floor(endMs / 1_000 / step) + 1 }, (_, index) => index * step);
}

/** Neighbours of one ink, together. */
function runsOf(row: readonly Cell[]): readonly { readonly text: string; readonly ink: Ink | undefined }[] {
  const runs: { text: string; ink: Ink | undefined }[] = [];
  for (const { sign, ink } of row) {
    const last = runs.at(-1);
    if (last !== undefined && last.ink === ink) last.text += sign;
    else runs.push({ text: sign, ink });
  }
  return runs;
}

function inked({ colour }: Paper, ink: Ink | undefined, text: string): string {
  if (!colour || ink === undefined) return text;
  const [on, off] = INKS[ink];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}
