import { nodeName } from "./safe-text.js";
import { counted, downWords, endWords, listed, said, verdictWords } from "./words.js";

/**
 * @typedef {import("./words.js").Part} Part
 * @typedef {import("./words.js").Tone} Tone
 * @typedef {import("./model.js").Reason} Reason
 * @typedef {"nodes" | "names" | "strict-names" | "groups"} Table
 *
 * What the server tells.
 * @typedef {{ number: number, at: string, table: Table, event: string, scope?: string, reason?: Reason, name: string, node: string,
 *   pid: string, group: string, token: string, id: string, contenders: { pid: string, node: string }[],
 *   verdict: import("./words.js").Verdict }} Story
 *
 * What is shown of one story, or of several of the same kind in a row.
 * @typedef {object} Entry
 * @property {number} key
 * @property {number} atMs
 * @property {Tone} tone
 * @property {Table | "clashes"} kind
 * @property {number} count
 * @property {Part[]} parts
 * @property {string} fold what the next one has to be like to be shown as one with it
 * @property {string[]} names of those that are shown as one
 *
 * @typedef {{ atMs: number, story: Story, isOutcome: boolean }} ClashEntry
 * @typedef {{ gained: number, lost: number, other: number }} Second
 */

/** Of each: what is kept to be shown. */
const MOST_ENTRIES = 400;
const MOST_CLASHES = 20;
/** How far apart the outcome of a clash and its verdict are told. */
const SAME_CLASH_MS = 10_000;
const MOST_NAMES = 200;
/** For how long one holder's end and another's beginning are told as one move, and of how many names at once. */
const MOVE_MS = 60_000;
const MOST_ENDED = 10_000;
/** Ends that nobody meant. */
const FAILURES = new Set(["nodeDown", "error", "killed", "leaseLost"]);
const FOLD_MS = 2_000;
const FOLD_ENTRIES = 12;
/** How far back the rates go. */
export const SECONDS = 120;

/** What happened lately: entries to read, clashes and their verdicts, and how much happened in each second. */
export class Timeline {
  /** The latest first. @type {Entry[]} */
  entries = [];
  /** The latest first. @type {ClashEntry[]} */
  clashes = [];
  /** That were never told, because too much happened at once. */
  missed = 0;
  #lastNumber = 0;
  #lastKey = 0;
  /** @type {Map<string, { node: string, pid: string, atMs: number, reason: Reason | undefined }>} */
  #ended = new Map();
  /** By second. @type {Map<number, Second>} */
  #seconds = new Map();

  /** The numbers of what is told begin anew. */
  restart() {
    this.#lastNumber = 0;
  }

  /** @param {Story} story */
  add(story) {
    // After a reconnect the latest may be told again.
    if (story.number <= this.#lastNumber) return;
    if (this.#lastNumber > 0 && story.number > this.#lastNumber + 1) {
      const missed = story.number - this.#lastNumber - 1;
      this.missed += missed;
      this.#tally(Date.parse(story.at), "other", missed);
    }
    this.#lastNumber = story.number;
    const atMs = Date.parse(story.at);
    const made = this.#entryOf(story, atMs);
    this.#tally(atMs, weightOf(made.tone));
    this.#noteClash(story, atMs);
    const alike = this.#alike(made.fold, atMs);
    if (alike !== undefined) {
      alike.count += 1;
      if (alike.names.length < MOST_NAMES) alike.names.push(...made.names);
      alike.parts = foldedWords(alike, story);
      return;
    }
    this.#lastKey += 1;
    this.entries.unshift({ ...made, key: this.#lastKey, atMs, count: 1 });
    this.entries.length = Math.min(this.entries.length, MOST_ENTRIES);
  }

  /**
   * Of a clash a node may learn from its outcome alone, when it is told a table as a whole: whose name ended so, says who won.
   *
   * @param {Story} story
   * @param {number} atMs
   */
  #noteClash(story, atMs) {
    const { event, name, node, pid, reason } = story;
    const isOutcome = event === "unregistered" && reason?.kind === "nameClash";
    if (event !== "clash" && !isOutcome) return;
    const place = this.clashes.findIndex(
      (each) => each.story.name === name && atMs - each.atMs < SAME_CLASH_MS,
    );
    // A verdict tells all that its outcome told; and of outcomes the later counts, as one may stand until the verdict.
    if (isOutcome && this.clashes[place]?.isOutcome === false) return;
    if (this.clashes[place]?.isOutcome === true) this.clashes.splice(place, 1);
    const { winner } = reason ?? {};
    const won = winner === undefined ? [] : [{ pid: winner, node: winner.slice(0, winner.lastIndexOf("/")) }];
    const outcome = { contenders: [...won, { pid, node }], verdict: { keep: winner ?? "none" } };
    this.clashes.unshift({ atMs, story: isOutcome ? { ...story, ...outcome } : story, isOutcome });
    this.clashes.length = Math.min(this.clashes.length, MOST_CLASHES);
  }

  /**
   * What this can be told as one with: when a node is lost, the ends of its names and memberships come in turns.
   *
   * @param {string} fold
   * @param {number} atMs
   */
  #alike(fold, atMs) {
    if (fold === "") return undefined;
    for (const entry of this.entries.slice(0, FOLD_ENTRIES)) {
      if (atMs - entry.atMs > FOLD_MS) return undefined;
      if (entry.fold === fold) return entry;
    }
    return undefined;
  }

  /**
   * How much happened in the seconds up to now, the latest last.
   *
   * @param {number} nowMs by the clock of the node
   * @returns {Second[]}
   */
  rates(nowMs) {
    const now = Math.floor(nowMs / 1_000);
    return Array.from(
      { length: SECONDS },
      (_, index) => this.#seconds.get(now - SECONDS + 1 + index) ?? { gained: 0, lost: 0, other: 0 },
    );
  }

  /**
   * @param {number} atMs
   * @param {keyof Second} what
   * @param {number} [count]
   */
  #tally(atMs, what, count = 1) {
    const second = Math.floor(atMs / 1_000);
    const tally = this.#seconds.get(second) ?? { gained: 0, lost: 0, other: 0 };
    tally[what] += count;
    this.#seconds.set(second, tally);
    if (this.#seconds.size <= 2 * SECONDS) return;
    for (const past of this.#seconds.keys()) if (past < second - SECONDS) this.#seconds.delete(past);
  }

  /**
   * @param {Story} story
   * @param {number} atMs
   * @returns {Omit<Entry, "key" | "atMs" | "count">}
   */
  #entryOf(story, atMs) {
    const { event, reason, scope, table } = story;
    const { parts, tone } = this.#words(story, atMs);
    const isNamed = table !== "nodes" && event !== "clash" && tone !== "moved";
    const about = reason?.kind === "nodeDown" ? (reason.node ?? "") : story.node;
    return {
      tone,
      parts: scope === undefined || scope === "default" ? parts : [...parts, " (scope ", said(scope), ")"],
      kind: event === "clash" ? "clashes" : table,
      fold: isNamed ? [table, event, about, reason?.kind, scope].join(" ") : "",
      names: isNamed ? [table === "groups" ? story.group : story.name] : [],
    };
  }

  /**
   * @param {Story} story
   * @param {number} atMs
   * @returns {{ tone: Tone, parts: Part[] }}
   */
  #words(story, atMs) {
    const { event, reason, table } = story;
    if (table === "nodes") return nodeWords(story);
    if (table === "groups") return groupWords(story);
    if (event === "clash")
      return { tone: "clash", parts: ["Clash over ", said(story.name), ": ", ...verdictWords(story)] };
    if (event === "registered" || event === "granted") return this.#begun(story, atMs);
    if (event === "updated") return { tone: "calm", parts: [said(story.name), " has new metadata"] };
    this.#noteEnd(story, atMs);
    if (reason?.kind === "nameClash")
      return {
        tone: "clash",
        parts: [said(story.name), " is taken from ", said(nodeName(story.node)), " in a clash"],
      };
    if (event === "ended")
      return {
        tone: "calm",
        parts: [
          "Lease of ",
          said(story.name),
          ` ended: token ${story.token} of `,
          said(nodeName(story.node)),
        ],
      };
    return {
      tone: toneOf(reason),
      parts: [said(story.name), ` (AP) is free: `, ...(reason === undefined ? ["ended"] : endWords(reason))],
    };
  }

  /**
   * @param {Story} story
   * @param {number} atMs
   * @returns {{ tone: Tone, parts: Part[] }}
   */
  #begun({ event, name, node, pid, table, token }, atMs) {
    const key = `${table} ${name}`;
    const before = this.#ended.get(key);
    this.#ended.delete(key);
    const isStrict = event === "granted";
    const what = isStrict ? `, token ${token}` : "";
    if (before === undefined || atMs - before.atMs > MOVE_MS)
      return {
        tone: "good",
        parts: [
          said(name),
          isStrict ? " (CP) granted to " : " (AP) registered by ",
          said(nodeName(node)),
          what,
        ],
      };
    if (before.pid === pid)
      return { tone: "good", parts: [said(name), " is with ", said(nodeName(node)), " again", what] };
    const ms = atMs - before.atMs;
    const after = ms < 50 ? "" : `, after ${(ms / 1_000).toFixed(1)} s`;
    const verb = FAILURES.has(before.reason?.kind ?? "") ? "failed over" : "moved";
    /** @type {Part[]} */
    const from = before.node === node ? [] : [" from ", said(nodeName(before.node))];
    const parts = [said(name), ` ${verb}`, ...from, " to ", said(nodeName(node)), what, after];
    // Of which the verdict tells more.
    return { tone: before.reason?.kind === "nameClash" ? "calm" : "moved", parts };
  }

  /**
   * @param {Story} story
   * @param {number} atMs
   */
  #noteEnd({ name, node, pid, reason, table }, atMs) {
    const key = `${table} ${name}`;
    this.#ended.delete(key);
    this.#ended.set(key, { node, pid, atMs, reason });
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= MOST_ENDED) return;
      this.#ended.delete(oldest);
    }
  }
}

/**
 * @param {Story} story
 * @returns {{ tone: Tone, parts: Part[] }}
 */
function nodeWords({ event, name, reason }) {
  if (event === "up") return { tone: "good", parts: ["Node ", said(name), " is heard"] };
  if (event === "suspect")
    return { tone: "warn", parts: ["Node ", said(name), " is silent: it is asked whether it lives"] };
  const isGoodbye = reason?.cause === "left" || reason?.cause === "replaced";
  const words = reason === undefined ? "went down" : downWords(reason);
  return { tone: isGoodbye ? "calm" : "bad", parts: ["Node ", said(name), ` is down: it ${words}`] };
}

/**
 * @param {Story} story
 * @returns {{ tone: Tone, parts: Part[] }}
 */
function groupWords({ event, group, node, reason }) {
  const who = said(nodeName(node));
  if (event === "joined") return { tone: "good", parts: [who, " joined group ", said(group)] };
  if (event === "updated")
    return { tone: "calm", parts: ["A member of ", said(group), " on ", who, " has new metadata"] };
  const why = reason === undefined || reason.kind === "released" ? [] : [" (", ...endWords(reason), ")"];
  return { tone: toneOf(reason), parts: [who, " left group ", said(group), ...why] };
}

/** @param {Reason | undefined} reason */
function toneOf(reason) {
  return reason?.kind === "nodeDown" || reason?.kind === "error" || reason?.kind === "leaseLost"
    ? "bad"
    : "calm";
}

/**
 * @param {Tone} tone
 * @returns {keyof Second}
 */
function weightOf(tone) {
  if (tone === "good" || tone === "moved") return "gained";
  return tone === "bad" ? "lost" : "other";
}

/** @type {Readonly<Record<string, readonly [one: string, many: string, verb: string]>>} */
const FOLDED = {
  "names registered": ["name", "names", "registered by"],
  "names updated": ["name", "names", "updated on"],
  "names unregistered": ["name", "names", "free that were held by"],
  "strict-names granted": ["lease", "leases", "granted to"],
  "strict-names ended": ["lease", "leases", "ended of"],
  "groups joined": ["membership", "memberships", "begun by"],
  "groups updated": ["membership", "memberships", "updated on"],
  "groups left": ["membership", "memberships", "ended of"],
};

/**
 * @param {Entry} entry
 * @param {Story} story the last of them
 * @returns {Part[]}
 */
function foldedWords(entry, story) {
  const { event, node, reason, scope, table } = story;
  const [one, many, verb] = FOLDED[`${table} ${event}`] ?? ["event", "events", "of"];
  const who = said(nodeName(node));
  const what = counted(entry.count, one, many);
  const distinct = [...new Set(entry.names)];
  const which = [
    ": ",
    ...listed(distinct.slice(0, 3), 3),
    entry.count > 3 && distinct.length > 3 ? " …" : "",
  ];
  const where = scope === undefined || scope === "default" ? [] : [" (scope ", said(scope), ")"];
  if (reason?.kind === "nodeDown") return [`${what} of `, who, " purged", ...which, ...where];
  return [`${what} ${verb} `, who, ...which, ...where];
}
