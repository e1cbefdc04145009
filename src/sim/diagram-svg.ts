import type { Diagram, Row } from "./diagram.ts";

const LANE_WIDTH = 90;
const ROW_HEIGHT = 18;
const LEFT = 90;
const TOP = 40;
/** Room for the words beside the lanes. */
const WORDS_WIDTH = 620;

const LANE_STYLES = {
  up: 'stroke="#555" stroke-width="1.5"',
  paused: 'stroke="#c80" stroke-width="7" stroke-opacity="0.5"',
  offline: 'stroke="#888" stroke-width="1.5" stroke-dasharray="2 4"',
  absent: undefined,
} as const;

/** The diagram as a picture: a whole SVG file. */
export function svgOf({ places, rows, leftOut, headOf, lanes, broken }: Diagram): string {
  const xOf = (place: number): number => LEFT + places.indexOf(place) * LANE_WIDTH;
  const wordsX = LEFT + places.length * LANE_WIDTH;
  const height = TOP + (rows.length + 2) * ROW_HEIGHT;
  const heads = places.map((place) => text(xOf(place), TOP - 14, headOf(place), 'text-anchor="middle"'));
  const before = leftOut > 0 ? [text(wordsX, TOP - 14, `… ${leftOut} rows before these`)] : [];
  const body = rows.map((row, index) => {
    const y = TOP + index * ROW_HEIGHT;
    const pieces = places.map((place) => lanePiece(xOf(place), y, lanes.stateAt(place, row.atMs)));
    const times = row.times > 1 ? ` (${row.times} times)` : "";
    return [
      ...pieces,
      text(8, y + 4, row.atMs.toFixed(3)),
      markOf(row, y, xOf, places),
      text(wordsX, y + 4, row.text + times),
    ].join("");
  });
  const end = text(8, height - ROW_HEIGHT, `${broken.invariant}: ${broken.seen}`, 'fill="#b00"');
  const width = wordsX + WORDS_WIDTH;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="monospace" font-size="11">`,
    '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0 0 8 4 0 8z" fill="#06c"/></marker></defs>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...heads,
    ...before,
    ...body,
    end,
    "</svg>",
  ].join("\n");
}

function lanePiece(x: number, y: number, state: keyof typeof LANE_STYLES): string {
  const style = LANE_STYLES[state];
  if (style === undefined) return "";
  return `<line x1="${x}" y1="${y - ROW_HEIGHT / 2}" x2="${x}" y2="${y + ROW_HEIGHT / 2}" ${style}/>`;
}

function markOf(row: Row, y: number, xOf: (place: number) => number, places: readonly number[]): string {
  if (!places.includes(row.place)) return "";
  const x = xOf(row.place);
  if (row.from === undefined || !places.includes(row.from))
    return `<circle cx="${x}" cy="${y}" r="3.5" fill="#333"/>`;
  const fromX = xOf(row.from);
  if (!row.isLost)
    return `<line x1="${fromX}" y1="${y}" x2="${x}" y2="${y}" stroke="#06c" marker-end="url(#head)"/>`;
  const tipX = x - Math.sign(x - fromX) * 20;
  return `<line x1="${fromX}" y1="${y}" x2="${tipX}" y2="${y}" stroke="#b00" stroke-dasharray="4 3"/>${text(tipX, y + 4, "✗", 'fill="#b00" text-anchor="middle"')}`;
}

function text(x: number, y: number, words: string, style = ""): string {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<text x="${x}" y="${y}" ${style}>${safe}</text>`;
}
