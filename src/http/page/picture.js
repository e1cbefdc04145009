import { arrange, drawn, element, setText } from "./dom.js";
import { layout, MOST_DRAWN, torn } from "./layout.js";
import { shortened, visible } from "./safe-text.js";
import { missing } from "./situation.js";
import { counted, downWords, lasting } from "./words.js";

/**
 * @typedef {import("./model.js").Model} Model
 * @typedef {import("./layout.js").Point} Point
 *
 * @typedef {object} Drawn
 * @property {string} id
 * @property {string} name
 * @property {"self" | "up" | "suspect" | "down" | "left"} state
 * @property {string} inside
 * @property {readonly [string, string]} below
 * @property {string} title
 * @property {Point} at
 */

const LABEL_CHARS = 13;
/** Of this node: it is found among however many. */
const MIDDLE = 18;

/**
 * The nodes as a picture, and as a list for those who cannot see it, or want to know more.
 *
 * @param {Model} model
 * @param {number} nowMs by the clock of the node
 */
export function drawPicture(model, nowMs) {
  const svg = element("picture");
  const width = Math.max(280, Math.round(svg.clientWidth));
  const height = Math.max(220, Math.round(svg.clientHeight));
  const nodes = nodesOf(model, nowMs);
  const self = nodes.find(({ state }) => state === "self");
  const heard = nodes.filter(({ state }) => state === "up" || state === "suspect");
  const lost = nodes.filter(({ state }) => state === "down" || state === "left");
  const shownHeard = heard.slice(0, MOST_DRAWN);
  const shownLost = lost.slice(0, MOST_DRAWN);
  const places = layout(shownHeard.length, shownLost.length, width, height);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  if (self !== undefined) self.at = places.self;
  for (const [index, node] of shownHeard.entries()) node.at = places.heard.points[index] ?? node.at;
  for (const [index, node] of shownLost.entries()) node.at = places.lost.points[index] ?? node.at;

  const rift = element("rift");
  rift.setAttribute("d", places.rift === undefined ? "" : torn(places.rift));
  title("heard-title", places.heardTitle, heardTitle(heard, self, lost.length > 0));
  title("lost-title", places.lostTitle, lost.length === 0 ? "" : notDrawn("Not heard", lost));
  arrange(
    element("links"),
    shownHeard,
    ({ id }) => id,
    () => drawn("line"),
    (line, { at, state }) => {
      line.setAttribute("class", `link ${state}`);
      for (const [name, value] of Object.entries({
        x1: places.self.x,
        y1: places.self.y,
        x2: at.x,
        y2: at.y,
      }))
        line.setAttribute(name, value.toFixed(1));
    },
  );
  const circles = [...shownHeard, ...shownLost, ...(self === undefined ? [] : [self])];
  arrange(
    element("nodes"),
    circles,
    ({ id }) => id,
    makeNode,
    (group, node) => updateNode(group, node, places),
  );
  drawList(nodes);
}

/**
 * @param {Model} model
 * @param {number} nowMs
 * @returns {Drawn[]} this node first, then by name
 */
function nodesOf(model, nowMs) {
  const at = { x: 0, y: 0 };
  const up = [...model.nodes.values()].map((node) => {
    const { members, names, strict } = model.holdings(node.id);
    const state = node.id === model.hello?.self ? /** @type {const} */ ("self") : node.state;
    const held = `${counted(names + strict, "name")}, ${counted(members, "membership")}`;
    const words = state === "self" ? "this node" : state === "suspect" ? "silent: is asked" : "heard";
    return {
      id: node.id,
      name: node.name,
      state,
      inside: (names + strict).toLocaleString("en"),
      below:
        state === "suspect"
          ? /** @type {const} */ (["silent:", "is asked"])
          : holding("", names + strict, members),
      title: `${words} · ${held}`,
      at,
    };
  });
  const down = missing(model, nowMs).map((row) => {
    const gone = `${counted(row.names, "name")}, ${counted(row.members, "membership")} gone`;
    const since = lasting(nowMs - Date.parse(row.at));
    const isLeft = row.reason.cause === "left";
    return {
      id: row.id,
      name: row.name,
      state: isLeft ? /** @type {const} */ ("left") : /** @type {const} */ ("down"),
      inside: "",
      below: isLeft ? /** @type {const} */ (["left", `${since} ago`]) : holding("−", row.names, row.members),
      title: `${downWords(row.reason)} ${since} ago${isLeft ? "" : ` · ${gone}`}`,
      at,
    };
  });
  const rank = (/** @type {Drawn} */ { state }) => (state === "self" ? 0 : 1);
  return [...up, ...down].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/**
 * @param {string} sign
 * @param {number} names
 * @param {number} members
 * @returns {readonly [string, string]}
 */
function holding(sign, names, members) {
  return [`${sign}${counted(names, "name")}`, `${sign}${counted(members, "membership")}`];
}

/**
 * @param {Drawn[]} heard
 * @param {Drawn | undefined} self
 * @param {boolean} isSplit
 */
function heardTitle(heard, self, isSplit) {
  const who = `Heard by ${shortened(visible(self?.name ?? ""), LABEL_CHARS)}`;
  return isSplit || heard.length > MOST_DRAWN ? notDrawn(who, heard) : "";
}

/**
 * @param {string} text
 * @param {Drawn[]} of
 */
function notDrawn(text, of) {
  return of.length > MOST_DRAWN ? `${text} (and ${of.length - MOST_DRAWN} more)` : text;
}

/**
 * @param {string} id
 * @param {Point} at
 * @param {string} text
 */
function title(id, { x, y }, text) {
  const of = element(id);
  of.setAttribute("x", String(x));
  of.setAttribute("y", String(y));
  setText(of, text);
}

/** @param {Drawn} node */
function makeNode({ at }) {
  const group = drawn("g");
  const mark = drawn("path", { class: "cross" });
  group.append(
    drawn("circle", { class: "halo" }),
    drawn("circle", { class: "body" }),
    mark,
    drawn("text", { class: "inside", dy: "0.35em" }),
    drawn("text", { class: "label" }),
    drawn("text", { class: "below" }),
    drawn("text", { class: "below" }),
    drawn("title"),
  );
  move(group, at);
  return group;
}

/**
 * @param {SVGGElement} group
 * @param {Drawn} node
 * @param {import("./layout.js").Layout} layout
 */
function updateNode(group, node, { heard, lost }) {
  const isLost = node.state === "down" || node.state === "left";
  const { isCounted, isLabelled, radius } = isLost ? lost : heard;
  group.setAttribute("class", `node ${node.state}`);
  const size = node.state === "self" ? Math.max(MIDDLE, radius * 1.25) : radius;
  const [halo, body, cross, inside, label, below, last, title] = group.children;
  halo?.setAttribute("r", String(size + 6));
  body?.setAttribute("r", String(size));
  const arm = size * 0.36;
  cross?.setAttribute("d", `M${-arm},${-arm}L${arm},${arm}M${arm},${-arm}L${-arm},${arm}`);
  const hasRoom = size >= 15;
  if (inside !== undefined) setText(inside, hasRoom ? node.inside : "");
  label?.setAttribute("y", String(size + 18));
  below?.setAttribute("y", String(size + 33));
  last?.setAttribute("y", String(size + 47));
  const isNamed = isLabelled || node.state === "self";
  if (label !== undefined) setText(label, isNamed ? shortened(visible(node.name), LABEL_CHARS) : "");
  if (below !== undefined) setText(below, isCounted ? node.below[0] : "");
  if (last !== undefined) setText(last, isCounted ? node.below[1] : "");
  if (title !== undefined) setText(title, `${visible(node.name)}: ${node.title}`);
  move(group, node.at);
}

/**
 * By a style, which moves there, as an attribute does not.
 *
 * @param {SVGElement} of
 * @param {Point} to
 */
function move(of, { x, y }) {
  of.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
}

/** @param {Drawn[]} nodes */
function drawList(nodes) {
  arrange(
    element("node-list"),
    nodes,
    ({ id }) => id,
    ({ id }) => {
      const item = document.createElement("li");
      const dot = document.createElement("span");
      dot.className = "dot";
      dot.setAttribute("aria-hidden", "true");
      const name = document.createElement("bdi");
      name.title = visible(id);
      item.append(dot, name, document.createElement("small"));
      return item;
    },
    (/** @type {HTMLElement} */ item, node) => {
      item.dataset["state"] = node.state;
      const [, name, words] = item.children;
      if (name !== undefined) setText(name, shortened(visible(node.name), 40));
      if (words !== undefined) setText(words, node.title);
    },
  );
}
