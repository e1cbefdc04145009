/**
 * @typedef {import("./words.js").Part} Part
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of the page that must be there.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} id
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function made(id, className = "", text = "") {
  const made = document.createElement(id);
  if (className !== "") made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

/**
 * @param {string} tag
 * @param {Readonly<Record<string, string | number>>} [attributes]
 */
export function drawn(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/**
 * Only if it is another: what does not change is not laid out again, nor read out.
 *
 * @param {Element} of
 * @param {string} text
 */
export function setText(of, text) {
  if (of.textContent !== text) of.textContent = text;
}

/**
 * A sentence: what somebody outside has named stands by itself, whichever way it is read.
 *
 * @param {Element} of
 * @param {readonly Part[]} parts
 */
export function setParts(of, parts) {
  const text = parts.map((part) => (typeof part === "string" ? part : part.said)).join("");
  if (of.textContent === text) return;
  of.replaceChildren(
    ...parts.map((part) => (typeof part === "string" ? part : made("bdi", "said", part.said))),
  );
}

/**
 * Makes the children fit the items: an item keeps its element, so that focus, selection and motion outlive an update.
 *
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => Element} make
 * @param {(element: any, item: T) => void} update
 */
export function arrange(parent, items, keyOf, make, update) {
  const kept = keptBy.get(parent) ?? new Map();
  keptBy.set(parent, kept);
  const keys = new Set(items.map(keyOf));
  for (const [key, element] of kept) {
    if (keys.has(key)) continue;
    element.remove();
    kept.delete(key);
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const element = kept.get(key) ?? make(item);
    kept.set(key, element);
    update(element, item);
    if (place !== null && element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
}

/** @type {WeakMap<Element, Map<string, Element>>} */
const keptBy = new WeakMap();
