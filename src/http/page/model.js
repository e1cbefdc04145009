import { Timeline } from "./timeline.js";

/*
 * What the page knows: the tables of the node that serves it, kept up to date by the events of `/v1/watch/all`. It decides
 * nothing about how that looks.
 */

/**
 * @typedef {{ kind: string, node?: string, cause?: string, by?: string, winner?: string, name?: string }} Reason
 * @typedef {{ id: string, name: string, state: "up" | "suspect", scopes: string[] }} NodeRow
 * @typedef {{ id: string, name: string, reason: Reason, at: string, names: number, members: number, backAt?: string }} LostRow
 * @typedef {{ name: string, pid: string, node: string, meta: unknown }} NameRow
 * @typedef {NameRow & { token: string }} StrictRow
 * @typedef {{ group: string, pid: string, node: string, meta: unknown, joins: number }} MemberRow
 * @typedef {{ names: number, strict: number, members: number }} Holdings
 * @typedef {{ self: string, name: string, cluster: string, version: string, scope: string, scopes: string[], at: string,
 *   timeline: string }} Hello
 */

const NOTHING = Object.freeze({ names: 0, strict: 0, members: 0 });

export class Model {
  /** @type {Hello | undefined} */
  hello;
  /** How far the clock of the node is ahead of the page's, in milliseconds. */
  skewMs = 0;
  /** @type {Map<string, NodeRow>} */
  nodes = new Map();
  /** @type {Map<string, LostRow>} */
  lost = new Map();
  /** @type {Map<string, NameRow>} */
  names = new Map();
  /** @type {Map<string, StrictRow>} */
  strict = new Map();
  /** @type {Map<string, Map<string, MemberRow>>} */
  groups = new Map();
  members = 0;
  timeline = new Timeline();
  /** When a table was told anew last, by the page's clock. */
  resyncedAtMs = Number.NEGATIVE_INFINITY;
  /** Grows when something has changed in a table: whoever draws it looks whether it is the one that was drawn. */
  revision = 0;
  /** @type {Map<string, Holdings>} */
  #holdings = new Map();
  /** Parts of tables that are told anew, until their end. @type {Map<string, unknown[]>} */
  #pending = new Map();

  /**
   * What a node holds of the scope, by its id.
   *
   * @param {string} id
   * @returns {Readonly<Holdings>}
   */
  holdings(id) {
    return this.#holdings.get(id) ?? NOTHING;
  }

  /**
   * @param {string} event
   * @param {string} text JSON
   * @param {number} nowMs
   */
  take(event, text, nowMs) {
    const told = JSON.parse(text);
    this.revision += 1;
    if (event === "hello") this.#greet(told, nowMs);
    else if (event === "state" || event === "resync") this.#restate(event, told.table, told.data, nowMs);
    else this.#change(told.table, event, told.data);
  }

  /**
   * @param {Hello} hello
   * @param {number} nowMs
   */
  #greet(hello, nowMs) {
    // What was half told is told anew.
    this.#pending.clear();
    this.skewMs = Date.parse(hello.at) - nowMs;
    // Another service: its timeline counts anew.
    if (this.hello?.timeline !== hello.timeline) this.timeline.restart();
    this.hello = hello;
  }

  /**
   * @param {"state" | "resync"} event
   * @param {string} table
   * @param {{ items: unknown[], last: boolean }} data
   * @param {number} nowMs
   */
  #restate(event, table, { items, last }, nowMs) {
    const pending = this.#pending.get(table) ?? [];
    for (const item of items) pending.push(item);
    this.#pending.set(table, pending);
    if (!last) return;
    this.#pending.delete(table);
    if (event === "resync" && table !== "events") this.resyncedAtMs = nowMs;
    this.#clear(table);
    for (const item of pending) this.#change(table, "", item);
  }

  /** @param {string} table */
  #clear(table) {
    if (table === "nodes") this.nodes.clear();
    if (table === "lost-nodes") this.lost.clear();
    if (table === "names") {
      this.names.clear();
      for (const holdings of this.#holdings.values()) holdings.names = 0;
    }
    if (table === "strict-names") {
      this.strict.clear();
      for (const holdings of this.#holdings.values()) holdings.strict = 0;
    }
    if (table === "groups") {
      this.groups.clear();
      this.members = 0;
      for (const holdings of this.#holdings.values()) holdings.members = 0;
    }
  }

  /**
   * @param {string} table
   * @param {string} event empty for a row
   * @param {any} row
   */
  #change(table, event, row) {
    if (table === "nodes") {
      if (event === "down") this.nodes.delete(row.id);
      else this.nodes.set(row.id, row);
    } else if (table === "lost-nodes") {
      // The latest last.
      this.lost.delete(row.id);
      this.lost.set(row.id, row);
    } else if (table === "names") this.#changeName(event, row);
    else if (table === "strict-names") this.#changeStrict(event, row);
    else if (table === "groups") this.#changeGroup(event, row);
    else if (table === "events") this.timeline.add(row);
  }

  /**
   * @param {string} event
   * @param {NameRow} row
   */
  #changeName(event, row) {
    if (event === "clash") return;
    const before = this.names.get(row.name);
    if (event === "unregistered") {
      this.names.delete(row.name);
      if (before !== undefined) this.#count(before.node, "names", -1);
      return;
    }
    if (before !== undefined) this.#count(before.node, "names", -1);
    this.names.set(row.name, row);
    this.#count(row.node, "names", 1);
  }

  /**
   * @param {string} event
   * @param {StrictRow} row
   */
  #changeStrict(event, row) {
    const before = this.strict.get(row.name);
    // It is told late that a former holder's lease has ended.
    if (event === "unregistered" && before?.token !== row.token) return;
    if (before !== undefined) this.#count(before.node, "strict", -1);
    if (event === "unregistered") this.strict.delete(row.name);
    else {
      this.strict.set(row.name, row);
      this.#count(row.node, "strict", 1);
    }
  }

  /**
   * @param {string} event
   * @param {MemberRow} row
   */
  #changeGroup(event, row) {
    const members = this.groups.get(row.group) ?? new Map();
    const was = members.has(row.pid);
    if (event === "left") members.delete(row.pid);
    else members.set(row.pid, row);
    if (members.size === 0) this.groups.delete(row.group);
    else this.groups.set(row.group, members);
    const change = Number(members.has(row.pid)) - Number(was);
    this.members += change;
    this.#count(row.node, "members", change);
  }

  /**
   * @param {string} node
   * @param {keyof Holdings} what
   * @param {number} change
   */
  #count(node, what, change) {
    const holdings = this.#holdings.get(node) ?? { ...NOTHING };
    holdings[what] += change;
    // A node that is gone for ever is not to be remembered for ever.
    if (holdings.names + holdings.strict + holdings.members === 0) this.#holdings.delete(node);
    else this.#holdings.set(node, holdings);
  }
}
