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

export function isFields(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Entries = readonly PresenceEntry[];
const NONE: Entries = [];

/** Who is present in one topic, and what has changed since somebody looked. */
export class PresenceTable {
  readonly #byPid: Map<Pid, Entries>;
  /** Of those who have changed: what they said before. */
  readonly #before = new Map<Pid, Entries>();

  constructor(present: Iterable<readonly [Pid, Entries]> = []) {
    this.#byPid = new Map(present);
  }

  /** @param entries empty: it is not present any more */
  set(pid: Pid, entries: Entries): void {
    const known = this.#byPid.get(pid) ?? NONE;
    if (!this.#before.has(pid)) this.#before.set(pid, known);
    if (entries.length === 0) this.#byPid.delete(pid);
    else this.#byPid.set(pid, entries);
  }

  /** Undefined: it came to nothing. */
  takeDiff(): { readonly joins: Presences; readonly leaves: Presences } | undefined {
    const joins: [Pid, Entries][] = [];
    const leaves: [Pid, Entries][] = [];
    for (const [pid, before] of this.#before) {
      const now = this.#byPid.get(pid) ?? NONE;
      joins.push([pid, without(now, before)]);
      leaves.push([pid, without(before, now)]);
    }
    this.#before.clear();
    const isEmpty = [...joins, ...leaves].every(([, entries]) => entries.length === 0);
    return isEmpty ? undefined : { joins: presencesOf(joins), leaves: presencesOf(leaves) };
  }

  get presences(): Presences {
    return presencesOf(this.#byPid);
  }
}

/** By key, and under one key by process: the same on all nodes. */
export function presencesOf(present: Iterable<readonly [Pid, Entries]>): Presences {
  const byKey = new Map<string, { readonly metas: PresenceMeta[] }>();
  for (const [, entries] of [...present].sort(([left], [right]) => compareText(left, right))) {
    for (const { key, meta } of entries) {
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, { metas: [meta] });
      else known.metas.push(meta);
    }
  }
  // Defines its own properties, whatever the keys are called.
  return Object.fromEntries(byKey);
}

function without(entries: Entries, others: Entries): Entries {
  if (others.length === 0) return entries;
  const refs = new Set(others.map(({ meta }) => meta.phx_ref));
  return entries.filter(({ meta }) => !refs.has(meta.phx_ref));
}
