import { counted, downWords, lasting, listed } from "./words.js";

/**
 * @typedef {import("./model.js").Model} Model
 * @typedef {import("./model.js").LostRow} LostRow
 * @typedef {import("./words.js").Part} Part
 *
 * @typedef {object} Situation
 * @property {"unknown" | "alone" | "good" | "healed" | "warn" | "bad"} tone
 * @property {string} headline
 * @property {Part[]} details with times, which change every second
 * @property {string} spoken without them, for screen readers: it changes when something has happened
 */

/** For how long a node that went down is shown, if it does not come back: long enough to be seen by whoever is called. */
const LOST_MS = 600_000;
const LEFT_MS = 30_000;
/** For how long it is said that all is well again. */
const HEALED_MS = 120_000;

/**
 * The nodes that are missed, or said goodbye a moment ago.
 *
 * @param {Model} model
 * @param {number} nowMs by the clock of the node
 * @returns {LostRow[]}
 */
export function missing(model, nowMs) {
  return lostByName(model).filter(({ at, backAt, id, reason }) => {
    if (backAt !== undefined || model.nodes.has(id)) return false;
    return nowMs - Date.parse(at) < (reason.cause === "left" ? LEFT_MS : LOST_MS);
  });
}

/** @param {Model} model */
function lostByName(model) {
  return [...model.lost.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * What there is to say first.
 *
 * @param {Model} model
 * @param {number} nowMs by the clock of the node
 * @returns {Situation}
 */
export function situation(model, nowMs) {
  const nodes = [...model.nodes.values()];
  if (model.hello === undefined || nodes.length === 0)
    return { tone: "unknown", headline: "Waiting for the node", details: [], spoken: "" };
  const lost = missing(model, nowMs).filter(({ reason }) => reason.cause !== "left");
  const suspects = nodes.filter(({ state }) => state === "suspect");
  if (lost.length > 0) return broken(lost, nodes.length - suspects.length, nodes.length + lost.length, nowMs);
  if (suspects.length > 0) {
    const headline = `${nodes.length - suspects.length} of ${counted(nodes.length, "node")} ${suspects.length + 1 === nodes.length ? "is" : "are"} heard`;
    /** @type {Part[]} */
    const details = [
      ...listed(suspects.map(({ name }) => name)),
      suspects.length === 1
        ? " has fallen silent, and is asked whether it lives."
        : " have fallen silent, and are asked whether they live.",
    ];
    return { tone: "warn", headline, details, spoken: headline };
  }
  return well(model, nodes.length, nowMs);
}

/**
 * @param {LostRow[]} lost
 * @param {number} heard
 * @param {number} total
 * @param {number} nowMs
 * @returns {Situation}
 */
function broken(lost, heard, total, nowMs) {
  const headline = `${heard} of ${total} nodes ${heard === 1 ? "is" : "are"} heard`;
  /** @type {Map<string, LostRow[]>} */
  const byCause = new Map();
  for (const row of lost) {
    const words = downWords(row.reason);
    byCause.set(words, [...(byCause.get(words) ?? []), row]);
  }
  /** @type {Part[]} */
  const details = [];
  for (const [words, rows] of byCause) {
    const sinceMs = nowMs - Math.min(...rows.map(({ at }) => Date.parse(at)));
    details.push(...listed(rows.map(({ name }) => name)), ` ${words} ${lasting(sinceMs)} ago. `);
  }
  const purged = `${counted(sum(lost, "names"), "name")} and ${counted(sum(lost, "members"), "membership")} purged.`;
  details.push(purged);
  return { tone: "bad", headline, details, spoken: `${headline}. ${purged}` };
}

/**
 * @param {Model} model
 * @param {number} total
 * @param {number} nowMs
 * @returns {Situation}
 */
function well(model, total, nowMs) {
  const back = lostByName(model).filter(
    ({ backAt, reason }) =>
      backAt !== undefined && nowMs - Date.parse(backAt) < HEALED_MS && reason.cause !== "replaced",
  );
  if (back.length > 0) {
    const headline = total === 2 ? "Both nodes are heard again" : `All ${total} nodes are heard again`;
    const awayMs = Math.max(...back.map(({ at, backAt = at }) => Date.parse(backAt) - Date.parse(at)));
    const since = Math.min(...back.map(({ at }) => Date.parse(at)));
    const clashes = model.timeline.clashes.filter(({ atMs }) => atMs >= since).length;
    const verdicts =
      clashes === 0
        ? "No name was held twice."
        : `${counted(clashes, "name clash", "name clashes")} decided.`;
    const names = [...new Set(back.map(({ name }) => name))];
    const details = [
      ...listed(names),
      ` ${names.length === 1 ? "was" : "were"} away for ${lasting(awayMs)}. ${verdicts}`,
    ];
    return { tone: "healed", headline, details, spoken: `${headline}. ${verdicts}` };
  }
  if (total === 1)
    return {
      tone: "alone",
      headline: "This node is alone",
      details: ["It has heard of no other node of its cluster."],
      spoken: "This node is alone",
    };
  const headline = total === 2 ? "Both nodes are heard" : `All ${total} nodes are heard`;
  return { tone: "good", headline, details: [], spoken: headline };
}

/**
 * @param {LostRow[]} rows
 * @param {"names" | "members"} what
 */
function sum(rows, what) {
  return rows.reduce((total, row) => total + row[what], 0);
}
