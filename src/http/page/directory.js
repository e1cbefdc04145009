import { arrange, element, made, setText } from "./dom.js";
import { nodeName, shortened, visible } from "./safe-text.js";
import { counted } from "./words.js";

/**
 * @typedef {import("./model.js").Model} Model
 * @typedef {import("./model.js").NameRow} NameRow
 * @typedef {import("./model.js").StrictRow} StrictRow
 * @typedef {import("./model.js").MemberRow} MemberRow
 *
 * @typedef {{ kind: "AP", row: NameRow } | { kind: "CP", row: StrictRow }} Held
 * @typedef {{ group: string, members: Map<string, MemberRow> }} Group
 * @typedef {{ text: string, kind: string, canEvict: boolean, evict: (row: NameRow) => void }} Wanted
 */

/** More than anybody reads: who looks for one of the others searches. */
const MOST_NAMES = 200;
const MOST_GROUPS = 60;
const MOST_NODES = 6;
const NAME_CHARS = 120;
const META_CHARS = 64;
const META_OPEN_CHARS = 20_000;

/**
 * The first of those that are wanted, in order, of how many there are.
 *
 * @template T
 * @param {Iterable<T>} items
 * @param {(item: T) => boolean} isWanted
 * @param {(one: T, other: T) => boolean} isBefore
 * @param {number} most
 * @returns {{ first: T[], count: number }}
 */
export function firstOf(items, isWanted, isBefore, most) {
  /** @type {T[]} */
  const first = [];
  let count = 0;
  for (const item of items) {
    if (!isWanted(item)) continue;
    count += 1;
    const last = first[most - 1];
    if (last !== undefined && !isBefore(item, last)) continue;
    let low = 0;
    let high = first.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = first[middle];
      if (other !== undefined && isBefore(item, other)) high = middle;
      else low = middle + 1;
    }
    first.splice(low, 0, item);
    if (first.length > most) first.pop();
  }
  return { first, count };
}

/**
 * @param {Model} model
 * @param {Wanted} wanted
 */
export function drawDirectory(model, wanted) {
  drawNames(model, wanted);
  drawGroups(model, wanted);
}

/**
 * @param {Model} model
 * @param {Wanted} wanted
 */
function drawNames(model, { canEvict, evict, kind, text }) {
  const needle = text.toLowerCase();
  const isWanted = (/** @type {Held} */ { row }) =>
    needle === "" || holds(row.name, needle) || holds(row.pid, needle);
  const { count, first } = firstOf(
    held(model, kind),
    isWanted,
    (a, b) => a.row.name < b.row.name || (a.row.name === b.row.name && a.kind < b.kind),
    MOST_NAMES,
  );
  element("names").classList.toggle("evicting", canEvict);
  arrange(
    element("name-rows"),
    first,
    (item) => `${item.kind} ${item.row.name}`,
    (item) => makeName(item, evict),
    (/** @type {HTMLTableRowElement} */ row, item) => updateName(row, item, canEvict),
  );
  setText(element("names-note"), noteOf(count, first.length, model.names.size + model.strict.size, "name"));
}

/**
 * @param {Model} model
 * @param {string} kind
 * @returns {Generator<Held>}
 */
function* held(model, kind) {
  if (kind !== "CP") for (const row of model.names.values()) yield { kind: "AP", row };
  if (kind !== "AP") for (const row of model.strict.values()) yield { kind: "CP", row };
}

/**
 * @param {string} text
 * @param {string} needle in small letters
 */
function holds(text, needle) {
  return text.toLowerCase().includes(needle);
}

/**
 * @param {number} count
 * @param {number} shown
 * @param {number} all
 * @param {string} what
 */
function noteOf(count, shown, all, what) {
  if (all === 0) return `There are no ${what}s.`;
  if (count === 0) return `None of ${counted(all, what)} is like that.`;
  if (count > shown)
    return `The first ${shown} of ${counted(count, what)}${count < all ? ` that fit, of ${all.toLocaleString("en")}` : ""}: search to see others.`;
  return count < all ? `${counted(count, what)} of ${all.toLocaleString("en")}` : counted(count, what);
}

/** What was last shown of a row, to find out whether anything has changed. @type {WeakMap<Element, NameRow>} */
const shownRows = new WeakMap();

/**
 * @param {Held} item
 * @param {(row: NameRow) => void} evict
 */
function makeName({ kind, row }, evict) {
  const line = made("tr");
  const name = made("td", "name");
  const bdi = made("bdi", "", shortened(visible(row.name), NAME_CHARS));
  bdi.title = shortened(visible(row.name), 600);
  name.append(bdi);
  const sort = made("td", "kind");
  sort.append(made("span", `badge ${kind.toLowerCase()}`, kind), made("small", "token"));
  const holder = made("td", "holder");
  holder.append(made("bdi"), made("small"));
  const act = made("td", "act");
  if (kind === "AP") {
    const button = made("button", "evict", "Evict");
    button.type = "button";
    button.addEventListener("click", () => evict(shownRows.get(line) ?? row));
    button.setAttribute("aria-label", `Evict ${shortened(visible(row.name), NAME_CHARS)}`);
    act.append(button);
  }
  line.append(name, sort, holder, made("td", "meta"), act);
  return line;
}

/**
 * @param {HTMLTableRowElement} line
 * @param {Held} item
 * @param {boolean} canEvict
 */
function updateName(line, { kind, row }, canEvict) {
  const [, sort, holder, meta, act] = line.children;
  if (act instanceof HTMLElement) act.hidden = !canEvict;
  const before = shownRows.get(line);
  if (before === row) return;
  shownRows.set(line, row);
  const token = sort?.children[1];
  if (token !== undefined) setText(token, kind === "CP" ? `token ${visible(row.token)}` : "");
  const [node, pid] = holder?.children ?? [];
  if (node !== undefined) setText(node, shortened(visible(nodeName(row.node)), 40));
  if (pid !== undefined) setText(pid, visible(row.pid.slice(row.pid.lastIndexOf("/"))));
  if (holder instanceof HTMLElement) holder.title = visible(row.pid);
  if (meta !== undefined && !(before !== undefined && same(before.meta, row.meta))) setMeta(meta, row.meta);
  if (before !== undefined) {
    line.classList.remove("changed");
    // It has to be laid out without it, for the motion to begin anew.
    void line.offsetWidth;
    line.classList.add("changed");
  }
}

/**
 * @param {unknown} one
 * @param {unknown} other
 */
function same(one, other) {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

/**
 * @param {Element} cell
 * @param {unknown} meta
 */
function setMeta(cell, meta) {
  if (meta === null || meta === undefined) {
    cell.replaceChildren();
    return;
  }
  const text = JSON.stringify(meta);
  const short = shortened(visible(text.slice(0, 2 * META_CHARS)), META_CHARS);
  if (text.length <= META_CHARS) {
    cell.replaceChildren(made("code", "", short));
    return;
  }
  const details = made("details");
  const summary = made("summary");
  summary.append(made("code", "", short), made("small", "", ` ${counted(text.length, "character")}`));
  details.append(summary);
  // Made when somebody looks: most are never opened.
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    details.append(
      made(
        "pre",
        "",
        shortened(visible(JSON.stringify(meta, null, 2)).replaceAll("\\u{a}", "\n"), META_OPEN_CHARS),
      ),
    );
  });
  cell.replaceChildren(details);
}

/**
 * @param {Model} model
 * @param {Wanted} wanted
 */
function drawGroups(model, { text }) {
  const needle = text.toLowerCase();
  /** @type {Group[]} */
  const groups = Array.from(model.groups, ([group, members]) => ({ group, members }));
  const { count, first } = firstOf(
    groups,
    ({ group }) => needle === "" || holds(group, needle),
    (a, b) => a.members.size > b.members.size || (a.members.size === b.members.size && a.group < b.group),
    MOST_GROUPS,
  );
  const largest = Math.max(1, first[0]?.members.size ?? 1);
  arrange(
    element("group-rows"),
    first,
    ({ group }) => group,
    ({ group }) => {
      const line = made("li");
      const name = made("bdi", "", shortened(visible(group), NAME_CHARS));
      name.title = shortened(visible(group), 600);
      const bar = made("span", "bar");
      bar.setAttribute("aria-hidden", "true");
      bar.append(made("span"));
      line.append(name, made("b"), bar, made("small"));
      return line;
    },
    (/** @type {HTMLElement} */ line, { members }) => {
      const [, size, bar, nodes] = line.children;
      if (size !== undefined) setText(size, members.size.toLocaleString("en"));
      const fill = bar?.firstElementChild;
      if (fill instanceof HTMLElement) fill.style.transform = `scaleX(${members.size / largest})`;
      if (nodes !== undefined) setText(nodes, byNode(members));
    },
  );
  setText(element("groups-note"), noteOf(count, first.length, groups.length, "group"));
}

/** @param {Map<string, MemberRow>} members */
function byNode(members) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { node } of members.values()) counts.set(node, (counts.get(node) ?? 0) + 1);
  const sorted = [...counts].sort(([a, some], [b, others]) => others - some || (a < b ? -1 : 1));
  const shown = sorted
    .slice(0, MOST_NODES)
    .map(([node, count]) => `${shortened(visible(nodeName(node)), 24)} ${count}`);
  const rest = sorted.length - shown.length;
  return [...shown, ...(rest > 0 ? [counted(rest, "more node")] : [])].join(" · ");
}
