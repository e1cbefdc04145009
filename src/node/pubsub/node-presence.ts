import { AlreadyTrackedError, InvalidArgumentError, NotTrackedError } from "../../kernel/errors.ts";
import type { Pid } from "../../kernel/ids.ts";
import { checkText } from "../../kernel/text.ts";
import { Value } from "../../kernel/value.ts";
import { checkTopic, presenceGroups } from "../../pubsub/names.ts";
import {
  fromMemberMeta,
  isFields,
  makeMeta,
  type PresenceEntry,
  type PresenceEvent,
  type PresenceMeta,
  type Presences,
  toMemberMeta,
} from "../../pubsub/presence.ts";
import { checkSignal, toPid } from "../arguments.ts";
import { checkOptions } from "../known-options.ts";
import type { NodeParts } from "../parts.ts";
import type { ScopeGroups } from "../scope-groups.ts";
import { DEFAULT_SCOPE } from "../scope-set.ts";
import type { PidLike, WatchIterator, WatchOptions } from "../types.ts";
import { PresenceTables } from "./presence-tables.ts";
import type { Presence } from "./types.ts";

/** What a process of this node says, by group: as its metadata there are. */
interface Own {
  readonly byGroup: Map<string, Value>;
  /** Called when it ends. */
  readonly forget: () => void;
}

const AN_OBJECT = "a plain object";

/** The presences of one pub-sub on one node: members of groups, whose metadata tell the keys. */
export class NodePresence implements Presence {
  readonly #parts: NodeParts;
  readonly #prefix: string;
  readonly #tables: PresenceTables;
  readonly #own = new Map<Pid, Own>();
  readonly #nextRef: () => string;

  /** @param nextRef gives one that nobody else on this node has, under any name */
  constructor(parts: NodeParts, groups: ScopeGroups, name: string, nextRef: () => string) {
    this.#parts = parts;
    this.#nextRef = nextRef;
    this.#prefix = presenceGroups(name);
    this.#tables = new PresenceTables(parts.core, groups);
  }

  track(pid: PidLike, topic: string, key: string, meta: object = {}): PresenceMeta {
    const { core } = this.#parts;
    core.checkTakesWork();
    const group = this.#groupOf(topic);
    checkKey(key);
    // A copy first: a getter in it may end the process, or track another key.
    const fields = this.#copyOf(meta);
    const process = core.processes.checkLocal(toPid(pid), "track");
    const present = this.#entriesOf(group, process.pid);
    if (find(present, key) !== undefined) throw new AlreadyTrackedError(process.pid, topic, key);
    const made = makeMeta(fields, this.#nextRef(), undefined);
    return this.#say(group, process.pid, [...present, { key, meta: made }], key);
  }

  update(
    pid: PidLike,
    topic: string,
    key: string,
    meta: object | ((meta: PresenceMeta) => object),
  ): PresenceMeta {
    const { core } = this.#parts;
    core.checkOpen();
    const group = this.#groupOf(topic);
    checkKey(key);
    const process = core.processes.checkLocal(toPid(pid), "update");
    const before = find(this.#entriesOf(group, process.pid), key);
    if (before === undefined) throw new NotTrackedError(process.pid, topic, key);
    const fields = this.#copyOf(typeof meta === "function" ? meta(before.meta) : meta);
    // The function may have ended the process, or changed what it says.
    const present = this.#entriesOf(group, core.processes.checkLocal(process.pid, "update").pid);
    const latest = find(present, key);
    if (latest === undefined) throw new NotTrackedError(process.pid, topic, key);
    const made = makeMeta(fields, this.#nextRef(), latest.meta.phx_ref);
    const entries = present.map((each) => (each.key === key ? { key, meta: made } : each));
    return this.#say(group, process.pid, entries, key);
  }

  untrack(pid: PidLike, topic?: string, key?: string): void {
    const { core } = this.#parts;
    core.checkOpen();
    const group = topic === undefined ? undefined : this.#groupOf(topic);
    if (key !== undefined) checkKey(key);
    const given = toPid(pid);
    const groups = group === undefined ? [...(this.#own.get(given)?.byGroup.keys() ?? [])] : [group];
    for (const each of groups) this.#forget(each, given, key);
  }

  list(topic: string): Presences {
    this.#parts.core.checkOpen();
    return this.#tables.read(this.#groupOf(topic))?.presences ?? {};
  }

  getByKey(topic: string, key: string): readonly PresenceMeta[] {
    this.#parts.core.checkOpen();
    checkKey(key);
    return this.#tables.read(this.#groupOf(topic))?.metasOf(key) ?? [];
  }

  watch(topic: string, options?: WatchOptions): WatchIterator<PresenceEvent> {
    this.#parts.core.checkOpen();
    const signal = checkSignal(checkOptions(options, "watch")?.signal);
    return this.#tables.watch(this.#groupOf(topic), signal);
  }

  #copyOf(meta: unknown): object {
    // Of the copy, as which a plain object of another realm is one of this.
    const fields = Value.encode(meta, this.#parts.core.metadata, "meta").get();
    if (isFields(fields)) return fields;
    throw new InvalidArgumentError("meta", meta, AN_OBJECT);
  }

  #groupOf(topic: string): string {
    return this.#prefix + checkTopic(topic);
  }

  /** A copy: what the user was given of an earlier one may have been changed since. */
  #entriesOf(group: string, pid: Pid): readonly PresenceEntry[] {
    return fromMemberMeta(this.#own.get(pid)?.byGroup.get(group)?.get());
  }

  #forget(group: string, pid: Pid, key: string | undefined): void {
    const present = this.#entriesOf(group, pid);
    const left = key === undefined ? [] : present.filter((each) => each.key !== key);
    if (left.length === present.length) return;
    if (left.length > 0) {
      this.#tell(group, pid, left);
      return;
    }
    this.#drop(group, pid);
    this.#parts.core.pump.feed({ kind: "leave", scope: DEFAULT_SCOPE, group, pids: [pid] });
  }

  /** What is told of this key now, which is what others read of it: a copy. */
  #say(group: string, pid: Pid, entries: readonly PresenceEntry[], key: string): PresenceMeta {
    this.#tell(group, pid, entries);
    const said = find(this.#entriesOf(group, pid), key);
    if (said === undefined) throw new InvalidArgumentError("meta", undefined, AN_OBJECT);
    return said.meta;
  }

  #tell(group: string, pid: Pid, entries: readonly PresenceEntry[]): void {
    const { metadata, pump } = this.#parts.core;
    const meta = Value.encode(toMemberMeta(entries), metadata, "meta");
    const { byGroup } = this.#own.get(pid) ?? this.#begin(pid);
    const isKnown = byGroup.has(group);
    byGroup.set(group, meta);
    if (isKnown) pump.feed({ kind: "updateMember", scope: DEFAULT_SCOPE, group, pid, meta });
    else pump.feed({ kind: "join", scope: DEFAULT_SCOPE, group, pids: [pid], meta });
  }

  #begin(pid: Pid): Own {
    const own: Own = { byGroup: new Map(), forget: () => this.#own.delete(pid) };
    this.#own.set(pid, own);
    this.#parts.core.processes.find(pid)?.onEnd(own.forget);
    return own;
  }

  #drop(group: string, pid: Pid): void {
    const own = this.#own.get(pid);
    own?.byGroup.delete(group);
    if (own === undefined || own.byGroup.size > 0) return;
    this.#parts.core.processes.find(pid)?.offEnd(own.forget);
    this.#own.delete(pid);
  }
}

function find(entries: readonly PresenceEntry[], key: string): PresenceEntry | undefined {
  return entries.find((each) => each.key === key);
}

function checkKey(key: unknown): string {
  return checkText(key, "key");
}
