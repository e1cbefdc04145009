import type { ExitReason } from "../kernel/exit-reason.ts";
import { makePid, type NodeId, nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import { Value } from "../kernel/value.ts";
import type { Written } from "../replication/messages.ts";
import { Entry, Owner } from "./entry.ts";
import { Group } from "./group.ts";
import type { GroupOperation, MemberDrop, MemberPut } from "./group-ops.ts";
import type { GroupEvent, Member } from "./types.ts";

const NONE: readonly GroupEvent[] = Object.freeze([]);
const RELEASED = { kind: "released" } as const;
type LeaveReason = ExitReason | typeof RELEASED;

/**
 * The groups of one scope as this node knows them, with the semantics of Erlang's `pg`, save that a member is listed once
 * however often it joined. Only the node of a process writes its memberships, so groups never clash: the table is the union
 * of what each owner says of its own. Its reading methods are the `GroupReader` of the node machine.
 *
 * A `plan…` method says which operations a command of this node comes to, and changes nothing. The caller puts them into its
 * log and hands each to `apply`, before it plans again. What other owners' logs bring goes to `apply` and `reset` alike.
 */
export class GroupTable {
  /** Whether anyone watches. Without it no event is made, and the changing methods return none. */
  watched = false;

  readonly #self: NodeId;
  readonly #groups = new Map<string, Group>();
  readonly #owners = new Map<NodeId, Owner>();
  #memberCount = 0;

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** @param meta absent: as it was, or undefined */
  planJoin(group: string, pids: readonly Pid[], meta?: Value): readonly MemberPut[] {
    const operations: MemberPut[] = [];
    for (const [serial, times] of tally(pids)) {
      const entry = this.#find(this.#self, group, serial);
      operations.push({
        kind: "memberPut",
        group,
        serial,
        meta: meta ?? entry?.meta ?? Value.undefined,
        joins: (entry?.joins ?? 0) + times,
      });
    }
    return operations;
  }

  /** Who joined n times must leave n times. Leaving more often, or without having joined, is no error. */
  planLeave(group: string, pids: readonly Pid[]): readonly (MemberPut | MemberDrop)[] {
    const operations: (MemberPut | MemberDrop)[] = [];
    for (const [serial, times] of tally(pids)) {
      const entry = this.#find(this.#self, group, serial);
      if (entry === undefined) continue;
      const joins = entry.joins - times;
      if (joins > 0) operations.push({ kind: "memberPut", group, serial, meta: entry.meta, joins });
      else operations.push({ kind: "memberDrop", group, serial });
    }
    return operations;
  }

  planUpdate(group: string, pid: Pid, meta: Value): readonly MemberPut[] {
    const serial = serialOfPid(pid);
    const entry = this.#find(this.#self, group, serial);
    if (entry === undefined || entry.meta.equals(meta)) return [];
    return [{ kind: "memberPut", group, serial, meta, joins: entry.joins }];
  }

  /** One operation of an owner's log, which arrive in order. Operations on names are not for this table. */
  apply(owner: NodeId, sequence: number, operation: GroupOperation): readonly GroupEvent[] {
    const events = this.#newEvents();
    switch (operation.kind) {
      case "memberPut":
        this.#put(owner, sequence, operation, events);
        break;
      case "memberDrop": {
        const entry = this.#find(owner, operation.group, operation.serial);
        if (entry !== undefined) this.#remove(entry, RELEASED, events);
        break;
      }
      case "exit":
        for (const entry of this.#owners.get(owner)?.entriesOf(operation.serial) ?? [])
          this.#remove(entry, operation.reason, events);
        break;
    }
    return events ?? NONE;
  }

  /**
   * Replaces all that is known of an owner by a snapshot of its members. What the snapshot lacks has left; why is not known
   * any more, so watchers are told "released".
   */
  reset(owner: NodeId, entries: readonly Written<MemberPut>[]): readonly GroupEvent[] {
    const events = this.#newEvents();
    const kept = new Set<Entry>();
    for (const { operation } of entries) {
      const entry = this.#find(owner, operation.group, operation.serial);
      if (entry !== undefined) kept.add(entry);
    }
    this.#removeAll(owner, (entry) => !kept.has(entry), RELEASED, events);
    for (const { sequence, operation } of entries) this.#put(owner, sequence, operation, events);
    return events ?? NONE;
  }

  /** The owner is down, or closed the scope: all its members go. */
  purge(owner: NodeId, reason: ExitReason): readonly GroupEvent[] {
    const events = this.#newEvents();
    this.#removeAll(owner, () => true, reason, events);
    return events ?? NONE;
  }

  /** For a snapshot: to be read before the next change. */
  *entriesOf(owner: NodeId): IterableIterator<Written<MemberPut>> {
    for (const { group, serial, sequence, meta, joins } of this.#owners.get(owner)?.entries() ?? []) {
      yield { sequence, operation: { kind: "memberPut", group: group.name, serial, meta, joins } };
    }
  }

  /** A whole number below 2^32 that is the same wherever the same is known of the owner; 0 for an owner without members. */
  digestOf(owner: NodeId): number {
    return this.#owners.get(owner)?.digest ?? 0;
  }

  get counters(): { readonly groups: number; readonly members: number } {
    return { groups: this.#groups.size, members: this.#memberCount };
  }

  members(group: string): readonly Member[] {
    return toMembers(this.#groups.get(group)?.entries() ?? []);
  }

  localMembers(group: string): readonly Member[] {
    return toMembers(this.#groups.get(group)?.entriesOn(this.#self) ?? []);
  }

  list(): readonly string[] {
    return [...this.#groups.keys()];
  }

  groupsOf(pid: Pid): readonly string[] {
    const entries = this.#owners.get(nodeOfPid(pid))?.entriesOf(serialOfPid(pid)) ?? [];
    return entries.map((entry) => entry.group.name);
  }

  count(group: string, node?: NodeId): number {
    const found = this.#groups.get(group);
    if (found === undefined) return 0;
    return node === undefined ? found.size : found.countOn(node);
  }

  has(group: string, pid: Pid): boolean {
    return this.#find(nodeOfPid(pid), group, serialOfPid(pid)) !== undefined;
  }

  *pidsOn(group: string, node: NodeId): IterableIterator<Pid> {
    for (const entry of this.#groups.get(group)?.entriesOn(node) ?? []) yield makePid(node, entry.serial);
  }

  nodesOf(group: string): ReadonlyMap<NodeId, number> {
    return this.#groups.get(group)?.counts() ?? new Map<NodeId, number>();
  }

  snapshot(group?: string): ReadonlyMap<string, readonly Member[]> {
    const groups = new Map<string, readonly Member[]>();
    for (const name of group === undefined ? this.#groups.keys() : [group]) {
      const found = this.#groups.get(name);
      if (found !== undefined) groups.set(name, toMembers(found.entries()));
    }
    return groups;
  }

  #newEvents(): GroupEvent[] | undefined {
    return this.watched ? [] : undefined;
  }

  #find(node: NodeId, group: string, serial: number): Entry | undefined {
    const owner = this.#owners.get(node);
    return owner === undefined ? undefined : this.#groups.get(group)?.find(owner, serial);
  }

  #put(node: NodeId, sequence: number, operation: MemberPut, events: GroupEvent[] | undefined): void {
    const entry = this.#find(node, operation.group, operation.serial);
    if (entry === undefined) {
      const added = this.#add(node, sequence, operation);
      events?.push({ kind: "joined", group: operation.group, member: added.toMember() });
      return;
    }
    const changed =
      events !== undefined && (entry.joins !== operation.joins || !entry.meta.equals(operation.meta));
    entry.owner.renumber(entry, sequence);
    entry.joins = operation.joins;
    entry.meta = entry.owner.shared(operation.meta);
    if (changed) events.push({ kind: "updated", group: operation.group, member: entry.toMember() });
  }

  #add(node: NodeId, sequence: number, operation: MemberPut): Entry {
    let owner = this.#owners.get(node);
    if (owner === undefined) {
      owner = new Owner(node);
      this.#owners.set(node, owner);
    }
    let group = this.#groups.get(operation.group);
    if (group === undefined) {
      const name = ownCopy(operation.group);
      group = new Group(name);
      this.#groups.set(name, group);
    }
    const entry = new Entry(
      group,
      owner,
      operation.serial,
      sequence,
      owner.shared(operation.meta),
      operation.joins,
    );
    owner.add(entry);
    group.add(entry);
    this.#memberCount += 1;
    return entry;
  }

  #remove(entry: Entry, reason: LeaveReason, events: GroupEvent[] | undefined): void {
    const { group, owner } = entry;
    group.remove(entry);
    if (group.size === 0) this.#groups.delete(group.name);
    owner.remove(entry);
    if (owner.isEmpty) this.#owners.delete(owner.id);
    this.#memberCount -= 1;
    events?.push({ kind: "left", group: group.name, member: entry.toMember(), reason });
  }

  #removeAll(
    node: NodeId,
    goes: (entry: Entry) => boolean,
    reason: LeaveReason,
    events: GroupEvent[] | undefined,
  ): void {
    const leaving = [...(this.#owners.get(node)?.entries() ?? [])].filter(goes);
    // The order of the Maps tells the way in which this node came to know them; that of the log is the same everywhere.
    if (events !== undefined) leaving.sort((left, right) => left.sequence - right.sequence);
    for (const entry of leaving) this.#remove(entry, reason, events);
  }
}

/** How often each process stands in the list, by serial. */
function tally(pids: readonly Pid[]): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  for (const pid of pids) {
    const serial = serialOfPid(pid);
    times.set(serial, (times.get(serial) ?? 0) + 1);
  }
  return times;
}

function toMembers(entries: Iterable<Entry>): Member[] {
  const members: Member[] = [];
  for (const entry of entries) members.push(entry.toMember());
  return members;
}

/** A text read from a frame may be a slice, which would keep the text of the whole frame in memory as long as itself. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}
