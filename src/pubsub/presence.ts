import type { Pid } from "../kernel/ids.ts";
import { compareText } from "../kernel/ids.ts";

/** What somebody who is present says of themselves, and which statement it is. As in Phoenix, whose clients read these fields. */
export interface PresenceMeta {
  /** Another one for each `track` and `update`, anywhere: whoever compares presences need compare nothing else. */
  readonly phx_ref: string;
  /** Which one this took the place of, by an `update`. */
  readonly phx_ref_prev?: string | undefined;
  readonly [field: string]: unknown;
}

/** By key. One key may have several metas: one for each process that is present under it. */
export type Presences = Readonly<Record<string, { readonly metas: readonly PresenceMeta[] }>>;

/** What a watcher of one topic sees: who is present, then every change. An update is a leave and a join in one diff. */
export type PresenceEvent =
  | { readonly kind: "state" | "resync"; readonly presences: Presences }
  | { readonly kind: "diff"; readonly joins: Presences; readonly leaves: Presences };

/** One process under one key. */
export interface PresenceEntry {
  readonly key: string;
  readonly meta: PresenceMeta;
}

/** What a process says in a topic: its metadata as a member of the topic's group. */
export function toMemberMeta(entries: readonly PresenceEntry[]): unknown {
  return entries.map(({ key, meta }) => {
    const { phx_ref: ref, phx_ref_prev: before, ...fields } = meta;
    return [key, fields, ref, ...(before === undefined ? [] : [before])];
  });
}

/** Empty for what is no such metadata: whoever likes may join any group, with any. */
export function fromMemberMeta(meta: unknown): readonly PresenceEntry[] {
  if (!Array.isArray(meta)) return [];
  const entries: PresenceEntry[] = [];
  for (const each of meta as readonly unknown[]) {
    if (!Array.isArray(each)) return [];
    const [key, fields, ref, before] = each as readonly unknown[];
    if (typeof key !== "string" || typeof ref !== "string" || !isFields(fields)) return [];
    entries.push({ key, meta: makeMeta(fields, ref, typeof before === "string" ? before : undefined) });
  }
  return entries;
}

/** Whatever else the fields have under the names of the two references counts for nothing. */
export function makeMeta(fields: object, ref: string, before: string | undefined): PresenceMeta {
  const { phx_ref: _ref, phx_ref_prev: _before, ...rest } = fields as Readonly<Record<string, unknown>>;
  return Object.freeze({
    ...rest,
    phx_ref: ref,
    ...(before === undefined ? {} : { phx_ref_prev: before }),
  });
}

/** A plain object: what else there is, such as a Map or a Date, has no fields, and would be kept as none. */
export function isFields(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

type Entries = readonly PresenceEntry[];
const NONE: Entries = [];

/** What one process says in a topic, as whoever keeps it needs it. */
export class Said {
  /** To find and to compare by. Readers are given what `read` gives. */
  readonly entries: Entries;
  readonly #member: { readonly meta: unknown } | undefined;

  /** @param member as groups give it: what of its metadata cannot be made read-only, each look at them gives a copy of */
  constructor(member: { readonly meta: unknown }) {
    const { meta } = member;
    this.entries = fromMemberMeta(meta);
    this.#member = member.meta === meta ? undefined : member;
  }

  /** A reader's own, as far as readers could change it. */
  read(): Entries {
    return this.#member === undefined ? this.entries : fromMemberMeta(this.#member.meta);
  }
}

/** Who is present in one topic. A key costs what it has, however many others there are. */
export class PresenceTable {
  readonly #byPid = new Map<Pid, Said>();
  /** Most keys are those of one process, which needs no Set. */
  readonly #byKey = new Map<string, Pid | Set<Pid>>();
  /** Undefined: to be sorted again. */
  #inOrder: readonly Pid[] | undefined;

  get isEmpty(): boolean {
    return this.#byPid.size === 0;
  }

  get presences(): Presences {
    this.#inOrder ??= [...this.#byPid.keys()].sort(compareText);
    return byKey(this.#inOrder.map((pid) => this.of(pid)?.read() ?? NONE));
  }

  get pids(): Iterable<Pid> {
    return this.#byPid.keys();
  }

  of(pid: Pid): Said | undefined {
    return this.#byPid.get(pid);
  }

  /** By process: the same on all nodes. */
  metasOf(key: string): readonly PresenceMeta[] {
    const pids = this.#byKey.get(key) ?? [];
    const inOrder = typeof pids === "string" ? [pids] : [...pids].sort(compareText);
    return inOrder.flatMap((pid) => {
      const entries = this.of(pid)?.read() ?? NONE;
      return entries.filter((entry) => entry.key === key).map(({ meta }) => meta);
    });
  }

  /**
   * @param said with no entries, or undefined: it is not present any more
   * @returns what it said before
   */
  set(pid: Pid, said: Said | undefined): Said | undefined {
    const before = this.#byPid.get(pid);
    for (const { key } of before?.entries ?? NONE) this.#removeKey(key, pid);
    const isThere = said !== undefined && said.entries.length > 0;
    if (isThere) this.#byPid.set(pid, said);
    else this.#byPid.delete(pid);
    if (isThere !== (before !== undefined)) this.#inOrder = undefined;
    for (const { key } of said?.entries ?? NONE) this.#addKey(key, pid);
    return before;
  }

  #addKey(key: string, pid: Pid): void {
    const pids = this.#byKey.get(key);
    if (pids === undefined) this.#byKey.set(key, pid);
    else if (typeof pids !== "string") pids.add(pid);
    else if (pids !== pid) this.#byKey.set(key, new Set([pids, pid]));
  }

  #removeKey(key: string, pid: Pid): void {
    const pids = this.#byKey.get(key);
    if (pids === undefined) return;
    if (typeof pids !== "string") {
      pids.delete(pid);
      if (pids.size > 0) return;
    }
    this.#byKey.delete(key);
  }
}

/** What has changed in a table since somebody looked. */
export class PresenceChanges {
  /** Of those who have changed: what they said before. */
  readonly #before = new Map<Pid, Said | undefined>();

  get isEmpty(): boolean {
    return this.#before.size === 0;
  }

  note(pid: Pid, before: Said | undefined): void {
    if (!this.#before.has(pid)) this.#before.set(pid, before);
  }

  /** The table as it was when somebody looked. */
  undoneIn(table: PresenceTable): PresenceTable {
    if (this.isEmpty) return table;
    const before = new PresenceTable();
    for (const pid of table.pids) before.set(pid, table.of(pid));
    for (const [pid, said] of this.#before) before.set(pid, said);
    return before;
  }

  /** Undefined: it came to nothing. */
  take(table: PresenceTable): { readonly joins: Presences; readonly leaves: Presences } | undefined {
    const changed = [...this.#before].sort(([left], [right]) => compareText(left, right));
    this.#before.clear();
    const joins = changed.map(([pid, before]) => without(table.of(pid), before));
    const leaves = changed.map(([pid, before]) => without(before, table.of(pid)));
    const isEmpty = [...joins, ...leaves].every((entries) => entries.length === 0);
    return isEmpty ? undefined : { joins: byKey(joins), leaves: byKey(leaves) };
  }
}

/** @param inOrder what each process says, in the order in which their metas are to stand under one key */
function byKey(inOrder: readonly Entries[]): Presences {
  const found = new Map<string, { readonly metas: PresenceMeta[] }>();
  for (const entries of inOrder) {
    for (const { key, meta } of entries) {
      const known = found.get(key);
      if (known === undefined) found.set(key, { metas: [meta] });
      else known.metas.push(meta);
    }
  }
  // Defines its own properties, whatever the keys are called.
  return Object.fromEntries(found);
}

function without(said: Said | undefined, others: Said | undefined): Entries {
  if (said === undefined) return NONE;
  if (others === undefined) return said.read();
  const refs = new Set(others.entries.map(({ meta }) => meta.phx_ref));
  return said.read().filter(({ meta }) => !refs.has(meta.phx_ref));
}
