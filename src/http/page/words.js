import { nodeName, shortened, visible } from "./safe-text.js";

/*
 * Events in sentences. A part of a sentence is plain text, or something that somebody outside has named, which is set apart.
 */

/**
 * @typedef {import("./model.js").Reason} Reason
 * @typedef {string | { said: string }} Part
 * @typedef {"good" | "bad" | "warn" | "calm" | "clash" | "moved"} Tone
 */

const NAME_CHARS = 60;

/**
 * @param {unknown} text from outside
 * @returns {Part}
 */
export function said(text) {
  return { said: shortened(visible(String(text)), NAME_CHARS) };
}

/** @param {readonly Part[]} parts */
export function plain(parts) {
  return parts.map((part) => (typeof part === "string" ? part : part.said)).join("");
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** @param {number} ms */
export function lasting(ms) {
  if (ms < 950) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

/**
 * Texts as a list in a sentence.
 *
 * @param {readonly string[]} names from outside
 * @param {number} [most]
 * @returns {Part[]}
 */
export function listed(names, most = 4) {
  const shown = names.length > most ? names.slice(0, most - 1) : names;
  const rest = names.length - shown.length;
  /** @type {Part[]} */
  const items = shown.map(said);
  if (rest > 0) items.push(`${rest.toLocaleString("en")} more`);
  return items.flatMap((item, index) => {
    if (index === 0) return [item];
    return [index === items.length - 1 ? " and " : ", ", item];
  });
}

/** @type {Readonly<Record<string, string>>} */
const CAUSES = {
  left: "said goodbye",
  disconnected: "dropped off the bus",
  silent: "went silent",
  replaced: "was restarted",
};

/**
 * What became of a node.
 *
 * @param {Reason} reason
 */
export function downWords({ cause = "" }) {
  return CAUSES[cause] ?? "went down";
}

/** @type {Readonly<Record<string, string>>} */
const ENDS = {
  normal: "its process ended",
  killed: "its process was killed",
  error: "its process failed",
  shutdown: "its node shut down",
  nameClash: "it lost a name clash",
  leaseLost: "its lease was lost",
  noSuchProcess: "its process was gone",
  released: "given up",
};

/**
 * Why something ended.
 *
 * @param {Reason} reason
 * @returns {Part[]}
 */
export function endWords(reason) {
  if (reason.kind === "nodeDown")
    return ["purged: ", said(nodeName(reason.node ?? "")), ` ${downWords(reason)}`];
  if (reason.kind === "takenOver") return ["taken over by ", said(nodeName(reason.by ?? ""))];
  return [ENDS[reason.kind] ?? "ended"];
}

/**
 * @typedef {{ keep: string, losers?: "exit" | "notify", notify?: boolean }} Verdict
 * @typedef {{ name: string, contenders: readonly { pid: string, node: string }[], verdict: Verdict }} ClashTold
 */

const FATES = {
  exit: " loses it, and its process ends",
  notify: " loses it, and its process lives on",
  lost: " loses it",
};

/**
 * Who keeps the name, and what becomes of the others.
 *
 * @param {ClashTold} told
 * @returns {Part[]}
 */
export function verdictWords({ contenders, verdict }) {
  const losers = contenders.filter(({ pid }) => pid !== verdict.keep).map(({ node }) => nodeName(node));
  if (verdict.keep === "none") return ["nobody keeps it; it was held by ", ...listed(losers)];
  const fate = FATES[verdict.losers ?? "lost"];
  return [said(nodeName(verdict.keep)), " keeps it, ", ...listed(losers), fate];
}
