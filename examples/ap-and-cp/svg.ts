import { intersects, type Measures, measure, type Span, totalMs } from "./measure.ts";
import { comparison, numbered, seconds, storyOf, TITLES, written } from "./story.ts";
import type { Holding, Timeline } from "./timeline.ts";
import { element, type Markup } from "./xml.ts";

const WIDTH = 960;
const MARGIN = 24;
const LABEL_WIDTH = 76;
const PLOT_LEFT = MARGIN + LABEL_WIDTH;
const PLOT_WIDTH = WIDTH - PLOT_LEFT - MARGIN;
const HEAD_HEIGHT = 66;
const TITLE_HEIGHT = 72;
const LANE_HEIGHT = 30;
const BAR_HEIGHT = 22;
const WALL_HEIGHT = 20;
const NOTE_HEIGHT = 24;
const AXIS_HEIGHT = 34;
const LEGEND_HEIGHT = 40;
/** However short, what must not happen, or is what is paid, is to be seen. */
const LEAST_WIDTH = 3;
/** What a character of the small texts takes, about. */
const CHARACTER_WIDTH = 6.6;

const LIGHT = { paper: "#ffffff", ink: "#1f2328", faint: "#59636e", line: "#d1d9e0", band: "#f3f0e6" };
const DARK = { paper: "#0d1117", ink: "#f0f6fc", faint: "#9198a1", line: "#3d444d", band: "#201d14" };

function themed({ paper, ink, faint, line, band }: typeof LIGHT): string {
  return `.paper{fill:${paper}}text{fill:${ink}}.faint{fill:${faint}}.line{stroke:${line}}.band{fill:${band}}`;
}

const STYLE = `${themed(LIGHT)}
.fence{stroke:#9a6700;stroke-dasharray:4 3}.run{fill:#1a7f37}.both{fill:#cf222e}.hatch{stroke:#ffffff;stroke-opacity:.35;stroke-width:3}
.dot{fill:#ffffff}.note-both{fill:#cf222e}.note-none{fill:#bf8700}.refused{fill:#9a6700;font-weight:bold}text.on{fill:#ffffff}
@media (prefers-color-scheme:dark){${themed(DARK)}.refused{fill:#d29922}.fence{stroke:#d29922}}`;

/** All timelines of a round as a picture: a whole SVG file, which needs nothing else, with a dark and a light look. */
export function drawSvg(timelines: readonly Timeline[]): string {
  let top = HEAD_HEIGHT;
  const panels = timelines.map((timeline) => {
    const panel = new Panel(timeline, top);
    top += panel.height;
    return panel.draw();
  });
  const height = top + LEGEND_HEIGHT;
  const picture = element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      role: "img",
      "aria-labelledby": "ap-and-cp-title ap-and-cp-description",
      "font-family": "ui-sans-serif, system-ui, sans-serif",
      "font-size": 13,
    },
    element("title", { id: "ap-and-cp-title" }, "One program, one partition, two kinds of names"),
    element("desc", { id: "ap-and-cp-description" }, described(timelines)),
    element("style", {}, { xml: STYLE }),
    HATCH,
    element("rect", { class: "paper", width: WIDTH, height, rx: 8 }),
    words(MARGIN, 34, "One program, one partition, two kinds of names", {
      "font-size": 20,
      "font-weight": 600,
    }),
    words(MARGIN, 54, "Who runs the ticker, which is to run once in the cluster", { class: "faint" }),
    ...panels,
    legend(height - 16),
  );
  return `${picture.xml}\n`;
}

/** The same in words: what happened, and what was measured. */
function described(timelines: readonly Timeline[]): string {
  const stories = timelines.map((timeline) => {
    const lines = storyOf(timeline).map(({ atMs, text }) => `${seconds(atMs)}: ${text}.`);
    return `${TITLES[timeline.kind]}. ${lines.join(" ")}`;
  });
  const [heads = [], ...rows] = comparison(timelines);
  const measured = rows.map(
    ([what, ...cells]) => `${what}: ${cells.map((cell, index) => `${heads[index + 1]} ${cell}`).join("; ")}.`,
  );
  return [...stories, ...measured].join("\n");
}

const HATCH = element(
  "defs",
  {},
  element(
    "pattern",
    {
      id: "ap-and-cp-hatch",
      width: 8,
      height: 8,
      patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)",
    },
    element("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 8 }),
  ),
);

class Panel {
  readonly #timeline: Timeline;
  readonly #measures: Measures;
  readonly #top: number;
  readonly #lanesTop: number;
  readonly #notesTop: number;
  readonly height: number;

  constructor(timeline: Timeline, top: number) {
    const lanes = timeline.sides.reduce((sum, { nodes }) => sum + nodes.length, 0);
    this.#timeline = timeline;
    this.#measures = measure(timeline);
    this.#top = top;
    this.#lanesTop = top + TITLE_HEIGHT;
    this.#notesTop = this.#lanesTop + lanes * LANE_HEIGHT + (timeline.sides.length - 1) * WALL_HEIGHT;
    this.height = this.#notesTop - top + 2 * NOTE_HEIGHT + AXIS_HEIGHT;
  }

  draw(): Markup {
    const { kind } = this.#timeline;
    const { overlaps, gaps } = this.#measures;
    return element(
      "g",
      {},
      words(MARGIN, this.#top + 22, TITLES[kind], { "font-size": 16, "font-weight": 600 }),
      words(MARGIN, this.#top + 42, this.#subtitle(), { class: "faint" }),
      this.#partition(),
      ...this.#lanes(),
      ...this.#notes("two run", "note-both", overlaps, this.#notesTop),
      ...this.#notes("nobody", "note-none", gaps, this.#notesTop + NOTE_HEIGHT),
      ...this.#axis(),
    );
  }

  #subtitle(): string {
    const { overlaps, gaps, twice, due } = this.#measures;
    const done = twice.length === 0 ? "none" : `${twice.length} (${numbered(twice)})`;
    const kept = this.#timeline.decisions.map((decision) => ` The resolver kept ${decision.kept}.`);
    return [
      `Two at once: ${written(totalMs(overlaps))}. Nobody: ${written(totalMs(gaps))}.`,
      ` Of ${due} pieces of work done twice: ${done}.`,
      ...kept,
    ].join("");
  }

  #partition(): Markup {
    const { cutMs, healMs } = this.#timeline;
    const [from, to] = [this.#x(cutMs), this.#x(healMs)];
    const bottom = this.#notesTop + 2 * NOTE_HEIGHT;
    const fence = (x: number, label: string): readonly Markup[] => [
      element("line", { class: "fence", x1: x, y1: this.#lanesTop - 4, x2: x, y2: bottom }),
      words(x, this.#lanesTop - 8, label, { "text-anchor": "middle", "font-size": 12 }),
    ];
    return element(
      "g",
      {},
      element("rect", {
        class: "band",
        x: from,
        y: this.#lanesTop - 4,
        width: to - from,
        height: bottom - this.#lanesTop + 4,
      }),
      ...fence(from, "cut"),
      ...fence(to, "heal"),
    );
  }

  #lanes(): readonly Markup[] {
    let y = this.#lanesTop;
    return this.#timeline.sides.flatMap(({ nodes }, index) => {
      const wall = index === 0 ? [] : [this.#wall(y + WALL_HEIGHT / 2)];
      if (index > 0) y += WALL_HEIGHT;
      const lanes = nodes.map((node) => {
        const lane = this.#lane(node, y);
        y += LANE_HEIGHT;
        return lane;
      });
      return [...wall, ...lanes];
    });
  }

  #wall(y: number): Markup {
    const { cutMs, healMs } = this.#timeline;
    const [from, to] = [this.#x(cutMs), this.#x(healMs)];
    return element(
      "g",
      {},
      element("line", { class: "fence", x1: from, y1: y, x2: to, y2: y }),
      words((from + to) / 2, y - 3, "partition", {
        "text-anchor": "middle",
        "font-size": 11,
        class: "faint",
      }),
    );
  }

  #lane(node: string, y: number): Markup {
    const { holdings, refusals } = this.#timeline;
    const middle = y + LANE_HEIGHT / 2;
    const right = PLOT_LEFT + PLOT_WIDTH;
    return element(
      "g",
      {},
      words(MARGIN, middle + 4, node, {}),
      element("line", { class: "line", x1: PLOT_LEFT, y1: middle, x2: right, y2: middle }),
      ...refusals
        .filter((refusal) => refusal.node === node)
        .map(({ atMs }) =>
          words(this.#x(atMs), middle + 5, "!", { class: "refused", "text-anchor": "middle" }),
        ),
      ...holdings.filter((holding) => holding.node === node).map((holding) => this.#bar(holding, y)),
    );
  }

  #bar(holding: Holding, laneTop: number): Markup {
    const { node, fromMs, toMs, token } = holding;
    const y = laneTop + (LANE_HEIGHT - BAR_HEIGHT) / 2;
    const label = token === undefined ? "" : `token ${token}`;
    const piece = (span: Span, style: string, fill: Readonly<Record<string, string>> = {}): Markup =>
      element("rect", {
        class: style,
        x: this.#x(span.fromMs),
        y,
        width: this.#widthOf(span),
        height: BAR_HEIGHT,
        rx: 3,
        ...fill,
      });
    const together = this.#measures.overlaps
      .filter((overlap) => intersects(overlap, holding))
      .map((overlap) => ({ fromMs: Math.max(overlap.fromMs, fromMs), toMs: Math.min(overlap.toMs, toMs) }));
    const labels = [
      { span: holding, text: label },
      ...together.map((span) => ({ span, text: "runs beside another" })),
    ].filter(({ span, text }) => text !== "" && text.length * CHARACTER_WIDTH < this.#widthOf(span) - 8);
    const told = `${node} ran from ${seconds(fromMs)} to ${seconds(toMs)}${label === "" ? "" : `, ${label}`}`;
    return element(
      "g",
      {},
      element("title", {}, told),
      piece(holding, "run"),
      ...together.flatMap((span) => [
        piece(span, "both"),
        piece(span, "", { fill: "url(#ap-and-cp-hatch)" }),
      ]),
      ...labels.map(({ span, text }) =>
        words(this.#x(span.fromMs) + 6, y + 12, text, { class: "on", "font-size": 11 }),
      ),
      ...this.#dots(holding, y + BAR_HEIGHT - 5),
    );
  }

  /** One for each piece of work. */
  #dots({ node, fromMs, toMs }: Holding, y: number): readonly Markup[] {
    return this.#timeline.ticks
      .filter((tick) => tick.node === node && tick.atMs >= fromMs && tick.atMs <= toMs)
      .map(({ atMs }) => element("circle", { class: "dot", cx: this.#x(atMs), cy: y, r: 1.6 }));
  }

  #notes(label: string, style: string, spans: readonly Span[], top: number): readonly Markup[] {
    const y = top + NOTE_HEIGHT / 2;
    const last = spans.at(-1);
    const total = written(totalMs(spans));
    const right = PLOT_LEFT + PLOT_WIDTH;
    const wanted = last === undefined ? PLOT_LEFT : this.#x(last.fromMs) + this.#widthOf(last) + 6;
    return [
      words(MARGIN, y + 4, label, { class: "faint" }),
      ...spans.map((span) =>
        element("rect", {
          class: style,
          x: this.#x(span.fromMs),
          y: y - 3,
          width: this.#widthOf(span),
          height: 6,
          rx: 2,
        }),
      ),
      words(Math.min(wanted, right - total.length * CHARACTER_WIDTH), y + 4, total, {
        class: "faint",
        "font-size": 12,
      }),
    ];
  }

  #axis(): readonly Markup[] {
    const y = this.#notesTop + 2 * NOTE_HEIGHT + 14;
    const whole = Array.from({ length: Math.floor(this.#timeline.endMs / 1_000) + 1 }, (_, second) => second);
    return whole.map((second) =>
      words(this.#x(second * 1_000), y, `${second} s`, {
        class: "faint",
        "font-size": 11,
        "text-anchor": "middle",
      }),
    );
  }

  #x(atMs: number): number {
    return PLOT_LEFT + (atMs / this.#timeline.endMs) * PLOT_WIDTH;
  }

  #widthOf({ fromMs, toMs }: Span): number {
    return Math.max(LEAST_WIDTH, this.#x(toMs) - this.#x(fromMs));
  }
}

function legend(y: number): Markup {
  const swatch = (x: number, style: string, text: string): readonly Markup[] => [
    element("rect", { class: style, x, y: y - 10, width: 12, height: 12, rx: 2 }),
    words(x + 18, y, text, { class: "faint", "font-size": 12 }),
  ];
  return element(
    "g",
    {},
    ...swatch(MARGIN, "run", "runs; a dot is a piece of work"),
    ...swatch(MARGIN + 220, "both", "runs beside another"),
    ...swatch(MARGIN + 380, "note-none", "nobody runs"),
    words(MARGIN + 500, y, "!", { class: "refused" }),
    words(MARGIN + 510, y, "refused: no majority of lease servers", { class: "faint", "font-size": 12 }),
  );
}

function words(
  x: number,
  y: number,
  text: string,
  attributes: Readonly<Record<string, string | number>>,
): Markup {
  return element("text", { x, y, ...attributes }, text);
}
