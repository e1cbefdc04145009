import { Lanes, type Shorten, shorten } from "./lanes.ts";
import type { TraceLine } from "./machine/telling.ts";
import type { Plan } from "./plan.ts";
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
  readonly lanes: Lanes;
  readonly broken: Broken;
}

/** What matters to whatever is looked into. */
const LIFE = new Set(["fault", "ended"]);
/** What is said and heard all the time while somebody is away. */
const PROBES = ["noResponders", "rumour"];
const LIFE_INPUTS = ["start", "busDisconnected", "busConnected"];

/** The part of a run that its failure is about, as a space-time diagram: a lane for each node, time downwards. */
export function drawDiagram(lines: readonly TraceLine[], plan: Plan, broken: Broken): Diagram {
  const short = shorten(lines);
  const subjects = subjectsOf(lines, broken.seen);
  const chosen = lines.filter((line) => isOfInterest(line, subjects));
  const rows = merged(chosen.map((line) => rowOf(line, short)));
  const shown = rows.slice(-MOST_ROWS);
  const places = [...new Set(lines.map(({ place }) => place).filter((place) => place >= 0))].sort(
    (left, right) => left - right,
  );
  return {
    places,
    rows: shown,
    leftOut: rows.length - shown.length,
    lanes: new Lanes(lines, plan),
    broken: { ...broken, seen: short(broken.seen) },
  };
}

/** As text: `●` happens there, `▶` arrives, `✗` is lost on the way. `▒` stands still, `┊` has no bus. */
export function textOf({ places, rows, leftOut, lanes, broken }: Diagram): string {
  const head = `${"ms".padStart(TIME_WIDTH)}  ${places.map((place) => `n${place}`.padEnd(LANE_WIDTH)).join("")}`;
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

function isOfInterest(line: TraceLine, subjects: ReadonlySet<string>): boolean {
  if (LIFE.has(line.kind) || line.kind === "nodeEvent") return true;
  if (line.kind === "input" && LIFE_INPUTS.some((kind) => line.text.startsWith(kind))) return true;
  if (PROBES.some((kind) => line.text.startsWith(kind))) return false;
  if (line.about.some((one) => subjects.has(one))) return true;
  return subjects.size === 0 && (line.kind === "lost" || line.kind === "receive" || line.kind === "input");
}

function rowOf({ atMs, place, kind, text, from }: TraceLine, short: Shorten): Row {
  const isMessage = kind === "receive" || kind === "lost";
  const way = isMessage ? `n${from} → n${place}  ` : "";
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
