import { type Lanes, type Shorten, shorten } from "./lanes.ts";
import type { TraceLine } from "./machine/telling.ts";
import type { Broken } from "./run.ts";

/** What a person reads in one go. */
const MOST_ROWS = 120;
const TIME_WIDTH = 11;
const LANE_WIDTH = 9;

/** One row: something at one node, or a message from one to another. */
export interface Row {
  readonly atMs: number;
  readonly place: number;
  readonly from: number | undefined;
  readonly isLost: boolean;
  readonly text: string;
  /** How often it happened in a row. */
  times: number;
}

export interface Diagram {
  readonly places: readonly number[];
  readonly rows: readonly Row[];
  /** Rows before the first, for which there was no room. */
  readonly leftOut: number;
  /** What stands above a lane. */
  readonly headOf: (place: number) => string;
  readonly lanes: Lanes;
  readonly broken: Broken;
}

/** How runs of a kind of plan are drawn. */
export interface Legend<P> {
  readonly headOf: (place: number) => string;
  readonly lanesOf: (lines: readonly TraceLine[], plan: P) => Lanes;
  /** Whether the line matters to whatever is looked into. */
  readonly isLife: (line: TraceLine) => boolean;
  /** Whether it is one of those that come again and again, and say nothing about names. */
  readonly isNoise: (line: TraceLine) => boolean;
}

/** The part of a run that its failure is about, as a space-time diagram: a lane for each place, time downwards. */
export function drawDiagram<P>(
  lines: readonly TraceLine[],
  plan: P,
  legend: Legend<P>,
  broken: Broken,
): Diagram {
  const { headOf, lanesOf } = legend;
  const short = shorten(lines);
  const subjects = subjectsOf(lines, broken.seen);
  const chosen = lines.filter((line) => isOfInterest(line, subjects, legend));
  const rows = merged(chosen.map((line) => rowOf(line, short, headOf)));
  const shown = rows.slice(-MOST_ROWS);
  const places = [...new Set(lines.map(({ place }) => place).filter((place) => place >= 0))].sort(
    (left, right) => left - right,
  );
  return {
    places,
    rows: shown,
    leftOut: rows.length - shown.length,
    headOf,
    lanes: lanesOf(lines, plan),
    broken: { ...broken, seen: short(broken.seen) },
  };
}

/** As text: `●` happens there, `▶` arrives, `✗` is lost on the way. `▒` stands still, `┊` has no bus. */
export function textOf({ places, rows, leftOut, headOf, lanes, broken }: Diagram): string {
  const head = `${"ms".padStart(TIME_WIDTH)}  ${places.map((place) => headOf(place).padEnd(LANE_WIDTH)).join("")}`;
  const body = rows.map((row) => {
    const cells = places.map((place) => lanes.stateAt(place, row.atMs));
    const times = row.times > 1 ? ` (${row.times} times)` : "";
    return `${row.atMs.toFixed(3).padStart(TIME_WIDTH)}  ${drawRow(places, cells, row)}${row.text}${times}`;
  });
  const cut = leftOut > 0 ? [`${" ".repeat(TIME_WIDTH)}  … ${leftOut} rows before these`] : [];
  const end = `${broken.atMs.toFixed(3).padStart(TIME_WIDTH)}  ${broken.invariant}: ${broken.seen}`;
  return [head, ...cut, ...body, end].map((line) => line.trimEnd()).join("\n");
}

const LANE_SIGNS = { up: "│", paused: "▒", offline: "┊", absent: " " } as const;

function drawRow(places: readonly number[], states: readonly (keyof typeof LANE_SIGNS)[], row: Row): string {
  const signs = Array.from(states.map((state) => LANE_SIGNS[state].padEnd(LANE_WIDTH)).join(""));
  const at = places.indexOf(row.place) * LANE_WIDTH;
  if (at < 0) return signs.join("");
  if (row.from === undefined) {
    signs[at] = "●";
    return signs.join("");
  }
  const begin = places.indexOf(row.from) * LANE_WIDTH;
  const step = begin < at ? 1 : -1;
  for (let index = begin + step; index !== at; index += step) signs[index] = signs[index] === " " ? "─" : "┼";
  signs[begin] = "○";
  if (row.isLost) signs[at - step * 2] = "✗";
  else signs[at] = step > 0 ? "▶" : "◀";
  return signs.join("");
}

/** Names, groups and processes that the failure speaks of. Empty: it is about nodes. */
function subjectsOf(lines: readonly TraceLine[], seen: string): ReadonlySet<string> {
  const known = new Set(lines.flatMap(({ about }) => about));
  const words = new Set(seen.split(/[\s:,;"'{}[\]()]+/));
  // A node's id alone is in nearly every line.
  const subjects = [...known].filter((one) => words.has(one) && (!one.includes("@") || one.includes("/")));
  return new Set(subjects);
}

function isOfInterest(
  line: TraceLine,
  subjects: ReadonlySet<string>,
  { isLife, isNoise }: Pick<Legend<never>, "isLife" | "isNoise">,
): boolean {
  if (isLife(line)) return true;
  if (isNoise(line)) return false;
  if (line.about.some((one) => subjects.has(one))) return true;
  return subjects.size === 0 && (line.kind === "lost" || line.kind === "receive" || line.kind === "input");
}

function rowOf({ atMs, place, kind, text, from }: TraceLine, short: Shorten, headOf: Diagram["headOf"]): Row {
  const isMessage = kind === "receive" || kind === "lost";
  const way = isMessage ? `${headOf(from ?? -1)} → ${headOf(place)}  ` : "";
  const what = kind === "fault" ? `fault: ${text}` : kind === "lost" ? `${text}, lost` : text;
  return {
    atMs,
    place,
    from: isMessage ? from : undefined,
    isLost: kind === "lost",
    text: way + short(what),
    times: 1,
  };
}

/** What is said again and again is said once. */
function merged(rows: readonly Row[]): Row[] {
  const kept: Row[] = [];
  for (const row of rows) {
    const last = kept.at(-1);
    if (last !== undefined && last.text === row.text && last.place === row.place) last.times += 1;
    else kept.push(row);
  }
  return kept;
}
