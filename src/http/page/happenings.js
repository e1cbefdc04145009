import { arrange, element, made, setParts, setText } from "./dom.js";
import { counted, plain, said, verdictWords } from "./words.js";

/**
 * @typedef {import("./model.js").Model} Model
 * @typedef {import("./timeline.js").Entry} Entry
 * @typedef {import("./timeline.js").Second} Second
 */

const MOST_SHOWN = 120;

/** @type {Readonly<Record<import("./words.js").Tone, string>>} */
const SIGNS = { good: "+", bad: "✕", warn: "?", calm: "·", clash: "≠", moved: "→" };

/**
 * @param {Model} model
 * @param {{ text: string, kind: string }} wanted
 */
export function drawTimeline(model, { kind, text }) {
  const needle = text.toLowerCase();
  const { entries, missed } = model.timeline;
  const isKind = (/** @type {Entry} */ entry) =>
    kind === "" || entry.kind === kind || (kind === "moves" && entry.tone === "moved");
  const isLike = (/** @type {Entry} */ { names, parts }) =>
    needle === "" ||
    plain(parts).toLowerCase().includes(needle) ||
    names.some((name) => name.toLowerCase().includes(needle));
  const shown = entries.filter((entry) => isKind(entry) && isLike(entry)).slice(0, MOST_SHOWN);
  arrange(
    element("timeline"),
    shown,
    ({ key }) => String(key),
    (entry) => {
      const line = made("li", entry.tone);
      const sign = made("span", "sign", SIGNS[entry.tone]);
      sign.setAttribute("aria-hidden", "true");
      const time = made("time", "", clockOf(entry.atMs));
      time.dateTime = new Date(entry.atMs).toISOString();
      line.append(sign, made("p"), time);
      return line;
    },
    (line, { parts }) => setParts(line.children[1], parts),
  );
  const note =
    shown.length === 0
      ? entries.length === 0
        ? "Nothing has happened yet."
        : "Nothing like that lately."
      : "";
  setText(
    element("timeline-note"),
    missed > 0 ? `${note} ${counted(missed, "event")} came too fast to be told.` : note,
  );
}

/** @param {number} atMs */
function clockOf(atMs) {
  return new Date(atMs).toLocaleTimeString("en-GB");
}

/** @param {Model} model */
export function drawClashes(model) {
  const { clashes } = model.timeline;
  element("clashes").hidden = clashes.length === 0;
  arrange(
    element("clash-rows"),
    clashes.slice(0, 6),
    ({ atMs, story }) => `${atMs} ${story.number}`,
    ({ atMs, story }) => {
      const line = made("li");
      const name = made("strong");
      setParts(name, [said(story.name)]);
      const words = made("span");
      setParts(words, verdictWords(story));
      line.append(name, words, made("time", "", clockOf(atMs)));
      return line;
    },
    () => {},
  );
  setText(element("clashes-more"), clashes.length > 6 ? `${clashes.length - 6} more in the timeline` : "");
}

/**
 * What happened in each second, upwards; what was lost in red, on top.
 *
 * @param {readonly Second[]} seconds
 */
export function drawRates(seconds) {
  const canvas = /** @type {HTMLCanvasElement} */ (element("spark"));
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  if (context === null) return;
  const style = getComputedStyle(canvas);
  const most = Math.max(5, ...seconds.map(({ gained, lost, other }) => gained + lost + other));
  context.clearRect(0, 0, width, height);
  context.fillStyle = style.getPropertyValue("--line");
  context.fillRect(0, height - ratio, width, ratio);
  const step = width / seconds.length;
  for (const [index, { gained, lost, other }] of seconds.entries()) {
    let top = height;
    for (const [count, color] of /** @type {const} */ ([
      [other, "--quiet"],
      [gained, "--good"],
      [lost, "--bad"],
    ])) {
      if (count === 0) continue;
      // Few are to be seen beside many.
      const size = Math.max(2 * ratio, (count / most) * height);
      context.fillStyle = style.getPropertyValue(color);
      context.fillRect(index * step, top - size, Math.max(1, step - ratio), size);
      top -= size;
    }
  }
  const recent =
    seconds.slice(-10, -1).reduce((sum, { gained, lost, other }) => sum + gained + lost + other, 0) / 9;
  setText(element("rate"), recent >= 10 ? Math.round(recent).toLocaleString("en") : recent.toFixed(1));
  setText(
    element("peak"),
    `peak ${most === 5 ? Math.max(0, ...seconds.map((s) => s.gained + s.lost + s.other)) : most.toLocaleString("en")}`,
  );
}
