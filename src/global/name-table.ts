import { hashNumber } from "../kernel/hash.ts";
import { type NodeId, nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import type { Registration } from "../resolve/types.ts";
import { addName, type NamesBySerial, removeName } from "./by-serial.ts";
import { Ended } from "./ended.ts";
import {
  byAge,
  type EntryRef,
  type HolderChange,
  type NameEntry,
  pidOf,
  sameRegistration,
  toRegistration,
} from "./name-entry.ts";
import type {
  NameDrop,
  NameEnd,
  NameOperation,
  NamePut,
  Successor,
  Superseded,
  SupersededHow,
} from "./name-ops.ts";
import { RecentEnds } from "./recent-ends.ts";

/** Called at once when an operation has been applied. */
export interface NameTablePort {
  /** Another registration holds the name here, or the same one was written again. */
  holderChanged(change: HolderChange): void;
  /** Anything about the name changed: contenders, what is superseded, who holds it. */
  nameTouched(name: string): void;
  /** The log of `owner` is applied up to here. Infinity: it is not followed, and nothing is expected of it. */
  positionOf(owner: NodeId): number;
}

/** What one node wrote. */
interface OwnerTable {
  readonly entries: Map<string, NameEntry>;
  readonly bySerial: NamesBySerial;
  digest: number;
  held: number;
}

const RELEASED: NameEnd = { kind: "released" };

/**
 * All that this node knows of the names of one scope: what every node wrote of its own processes, and from that, who holds
 * each name. Holder is the oldest live registration that no other entry supersedes: a function of the entries alone, so
 * nodes that know the same agree, in whatever order they learnt it.
 */
export class NameTable {
  readonly #port: NameTablePort;
  readonly #byName = new Map<string, NameEntry | readonly NameEntry[]>();
  readonly #owners = new Map<NodeId, OwnerTable>();
  /** Successors told ahead of their owners, by owner. */
  readonly #provisional = new Map<NodeId, Map<string, NameEntry>>();
  readonly #ended = new Ended();
  readonly #recentEnds = new RecentEnds();
  #held = 0;

  constructor(port: NameTablePort) {
    this.#port = port;
  }

  holder(name: string): NameEntry | undefined {
    const present = this.#byName.get(name);
    if (present === undefined) return undefined;
    if (!isMany(present)) return this.#isLive(present) ? present : undefined;
    return this.visible(name)[0];
  }

  whereis(name: string): Registration | undefined {
    const holder = this.holder(name);
    return holder === undefined ? undefined : toRegistration(holder);
  }

  /** Live registrations that nothing supersedes, oldest first. Two or more: a clash, or frames that overtook each other. */
  visible(name: string): readonly NameEntry[] {
    const present = this.#byName.get(name);
    if (present === undefined) return [];
    if (!isMany(present)) return this.#isLive(present) ? [present] : [];
    const shown = present.filter(
      (entry) => this.#isLive(entry) && !present.some((other) => supersededBy(other, entry) !== undefined),
    );
    return shown.sort(byAge);
  }

  /** All entries of the name, live or over, but for what was told ahead of its owner. */
  entriesUnder(name: string): readonly NameEntry[] {
    const present = this.#byName.get(name);
    if (present === undefined) return [];
    return isMany(present)
      ? present.filter((entry) => !entry.provisional)
      : present.provisional
        ? []
        : [present];
  }

  /** The entry that supersedes this registration, if one here does, and how. */
  superseder(
    ref: EntryRef,
    name: string,
  ): { readonly entry: NameEntry; readonly how: SupersededHow } | undefined {
    const present = this.#byName.get(name);
    if (present === undefined || !isMany(present)) return undefined;
    for (const entry of present) {
      const how = supersededBy(entry, ref);
      if (how !== undefined) return { entry, how };
    }
    return undefined;
  }

  /**
   * What is superseded under the name, live here or not. A new registration has to go on superseding it:
   *
   * 1. n1 holds a name as r; n2 takes it over as x, which supersedes r. 2. n3 takes it over as y, which supersedes x; or n2
   * releases it, and n3 registers it as y. 3. n1 reads of y before it reads of x. Did y not supersede r as well, n1 would
   * see two holders, and have a clash decided that never was.
   */
  supersededUnder(name: string): readonly Superseded[] {
    const present = this.#byName.get(name);
    if (present === undefined) return [];
    return isMany(present) ? present.flatMap((entry) => entry.supersedes) : present.supersedes;
  }

  /** What `owner` itself wrote of the name, live or over. */
  entryOf(owner: NodeId, name: string): NameEntry | undefined {
    return this.#owners.get(owner)?.entries.get(name);
  }

  /** Registrations of the name that ended lately, by their own nodes' word. */
  endedUnder(name: string): readonly EntryRef[] {
    return this.#recentEnds.of(name);
  }

  /**
   * Whether this node has not read of the registration's end: it stands here, or may yet turn up in its owner's log. A tombstone
   * is its end:
   *
   * 1. n1 holds a name as r, and its bus goes. 2. n2 takes it over as x; n3 takes it over from n2. 3. n1 comes back, and wins a
   * clash with n3 before it reads of x, which it so supersedes too. 4. It reads that x supersedes r, and gives way. Did each
   * tombstone wait for the other to be gone, both would stand for ever.
   */
  isOpen(ref: EntryRef, name: string): boolean {
    return this.#port.positionOf(ref.owner) < ref.id || liveId(this.entryOf(ref.owner, name)) === ref.id;
  }

  *list(): IterableIterator<Registration> {
    for (const name of [...this.#byName.keys()]) {
      const registration = this.whereis(name);
      if (registration !== undefined) yield registration;
    }
  }

  count(node?: NodeId): number {
    return node === undefined ? this.#held : (this.#owners.get(node)?.held ?? 0);
  }

  /** Entries of all kinds that `owner` has written: what its limit is about. */
  sizeOf(owner: NodeId): number {
    return this.#owners.get(owner)?.entries.size ?? 0;
  }

  /** Registrations that are known to be over ahead of their owners' logs. */
  get endedAhead(): number {
    return this.#ended.size;
  }

  namesOf(pid: Pid): readonly string[] {
    const owner = nodeOfPid(pid);
    const serial = serialOfPid(pid);
    const written = this.#owners.get(owner)?.bySerial.get(serial);
    const names = new Set(typeof written === "string" ? [written] : written);
    for (const told of this.#provisional.get(owner)?.values() ?? []) names.add(told.name);
    return [...names].filter((name) => {
      const holder = this.holder(name);
      return holder !== undefined && holder.owner === owner && holder.serial === serial;
    });
  }

  /** The names that a process of `owner` has entries for, shown or not. */
  entriesOfSerial(owner: NodeId, serial: number): readonly NameEntry[] {
    const table = this.#owners.get(owner);
    const names = table?.bySerial.get(serial);
    if (table === undefined || names === undefined) return [];
    const entries =
      typeof names === "string"
        ? [table.entries.get(names)]
        : [...names].map((name) => table.entries.get(name));
    return entries.filter((entry) => entry !== undefined);
  }

  entriesOf(owner: NodeId): Iterable<NameEntry> {
    return this.#owners.get(owner)?.entries.values() ?? [];
  }

  /** The same on two nodes that know the same of `owner`: which operation last wrote each entry. */
  digestOf(owner: NodeId): number {
    return this.#owners.get(owner)?.digest ?? 0;
  }

  apply(owner: NodeId, sequence: number, operation: NameOperation): void {
    const table = this.#table(owner);
    switch (operation.kind) {
      case "namePut":
        this.#put(table, entryFrom(owner, sequence, operation), operation);
        break;
      case "nameDrop":
        this.#drop(table, operation.name, operation.reason, operation);
        break;
      case "exit": {
        const end: NameEnd = { kind: "ended", reason: operation.reason };
        for (const entry of this.entriesOfSerial(owner, operation.serial)) this.#drop(table, entry.name, end);
        break;
      }
    }
    this.#forgetProvisional(owner, sequence);
  }

  /** A snapshot: what `owner` has is this, and nothing else. Only differences are told. */
  reset(
    owner: NodeId,
    upTo: number,
    entries: readonly { readonly sequence: number; readonly operation: NamePut }[],
  ): void {
    const table = this.#table(owner);
    const kept = new Set<string>();
    for (const { sequence, operation } of entries) {
      kept.add(operation.name);
      if (table.entries.get(operation.name)?.sequence === sequence) continue;
      this.#put(table, entryFrom(owner, sequence, operation), operation);
    }
    for (const name of [...table.entries.keys()]) {
      if (!kept.has(name)) this.#drop(table, name, RELEASED);
    }
    // First what was told ahead: it may be known to be over, and must not stand again.
    this.#forgetProvisional(owner, upTo);
    this.#ended.replaced(owner, upTo, (name) => liveId(table.entries.get(name)));
  }

  /** The node is down: all that it wrote goes, with what others told ahead of it. */
  purge(owner: NodeId, end: NameEnd): number {
    this.#forgetProvisional(owner, Number.POSITIVE_INFINITY);
    const table = this.#owners.get(owner);
    const names = [...(table?.entries.keys() ?? [])];
    if (table !== undefined) for (const name of names) this.#remove(table, name, end);
    // Not before: an entry known to be over would stand again, and those who watch be told of the end of what they never saw.
    this.#ended.forget(owner);
    this.#owners.delete(owner);
    return names.length;
  }

  #table(owner: NodeId): OwnerTable {
    let table = this.#owners.get(owner);
    if (table === undefined) {
      table = { entries: new Map(), bySerial: new Map(), digest: 0, held: 0 };
      this.#owners.set(owner, table);
    }
    return table;
  }

  #put(table: OwnerTable, entry: NameEntry, { reason, successor, ended }: NamePut): void {
    if (ended === undefined && successor === undefined && !this.#byName.has(entry.name)) {
      this.#putFirst(table, entry, reason);
      return;
    }
    const before = this.holder(entry.name);
    const former = table.entries.get(entry.name);
    if (former !== undefined) this.#unlink(table, former);
    if (entry.serial === 0) this.#recentEnds.note(entry.name, entry);
    else if (former !== undefined && former.id !== entry.id) this.#recentEnds.note(entry.name, former);
    table.entries.set(entry.name, entry);
    table.digest = (table.digest + hashNumber(entry.sequence)) >>> 0;
    if (entry.serial !== 0) addName(table.bySerial, entry.serial, entry.name);
    this.#replaceProvisional(entry);
    this.#present(entry, former);
    this.#passed(entry);
    if (successor !== undefined) this.#expect(entry.name, successor);
    if (ended !== undefined) this.#noteEnded(entry.name, ended, before);
    this.#tell(entry.name, before, reason ?? RELEASED);
  }

  /** Of a name that nothing is known of, as most are when they are registered. */
  #putFirst(table: OwnerTable, entry: NameEntry, reason: NameEnd | undefined): void {
    const { name } = entry;
    table.entries.set(name, entry);
    table.digest = (table.digest + hashNumber(entry.sequence)) >>> 0;
    if (entry.serial === 0) this.#recentEnds.note(name, entry);
    else addName(table.bySerial, entry.serial, name);
    this.#byName.set(name, entry);
    this.#passed(entry);
    this.#tell(name, undefined, reason ?? RELEASED);
  }

  /** What the owner wrote of the name before this is over by its own word, and so is this if it is a tombstone. */
  #passed({ owner, name, id, serial }: NameEntry): void {
    if (!this.#ended.isEmpty) this.#ended.passed(owner, name, serial === 0 ? id : id - 1);
  }

  /** The owner's own word takes the place of what was told ahead of it, in one go: not a moment with both, or neither. */
  #replaceProvisional(entry: NameEntry): void {
    const told = this.#provisional.get(entry.owner);
    const provisional = told?.get(entry.name);
    if (told === undefined || provisional === undefined || provisional.id > entry.sequence) return;
    told.delete(entry.name);
    this.#absent(provisional);
  }

  /** The owner's own word. */
  #drop(table: OwnerTable, name: string, end: NameEnd, news?: Pick<NameDrop, "successor" | "ended">): void {
    const former = this.#remove(table, name, end, news);
    if (former !== undefined) this.#recentEnds.note(name, former);
  }

  #remove(
    table: OwnerTable,
    name: string,
    end: NameEnd,
    news?: Pick<NameDrop, "successor" | "ended">,
  ): NameEntry | undefined {
    const before = this.holder(name);
    const former = table.entries.get(name);
    if (former !== undefined) {
      this.#unlink(table, former);
      table.entries.delete(name);
      this.#absent(former);
      if (!this.#ended.isEmpty) this.#ended.passed(former.owner, name, former.id);
    }
    if (news?.successor !== undefined) this.#expect(name, news.successor);
    if (news?.ended !== undefined) this.#noteEnded(name, news.ended, before);
    this.#tell(name, before, end);
    return former;
  }

  #unlink(table: OwnerTable, entry: NameEntry): void {
    table.digest = (table.digest - hashNumber(entry.sequence)) >>> 0;
    if (entry.serial !== 0) removeName(table.bySerial, entry.serial, entry.name);
  }

  /** Shows a successor until its owner's own word has come, unless that has come already. */
  #expect(name: string, successor: Successor): void {
    if (this.#port.positionOf(successor.owner) >= successor.id) return;
    let expected = this.#provisional.get(successor.owner);
    if (expected === undefined) {
      expected = new Map();
      this.#provisional.set(successor.owner, expected);
    }
    const former = expected.get(name);
    // Another log, which lags, tells of an earlier one.
    if (former !== undefined && former.sequence > successor.sequence) return;
    const entry: NameEntry = { name, ...successor, claim: 0, was: 0, provisional: true };
    expected.set(name, entry);
    this.#present(entry, former);
  }

  #forgetProvisional(owner: NodeId, upTo: number): void {
    const expected = this.#provisional.get(owner);
    if (expected === undefined) return;
    for (const entry of [...expected.values()]) {
      if (entry.id > upTo) continue;
      const before = this.holder(entry.name);
      expected.delete(entry.name);
      this.#absent(entry);
      this.#tell(entry.name, before, RELEASED);
    }
    if (expected.size === 0) this.#provisional.delete(owner);
  }

  #isLive(entry: NameEntry): boolean {
    return entry.serial !== 0 && !this.#ended.has(entry);
  }

  /**
   * Keeps in mind what this node would show again, or may yet read of. What it shows now it goes on showing, until its owner
   * says why it ended.
   */
  #noteEnded(name: string, ended: readonly EntryRef[], shown: NameEntry | undefined): void {
    for (const ref of ended) {
      const shows = shown !== undefined && !shown.provisional && sameRegistration(shown, ref);
      if (!shows && this.isOpen(ref, name)) this.#ended.note(name, ref);
    }
  }

  #present(entry: NameEntry, former: NameEntry | undefined): void {
    const present = this.#byName.get(entry.name);
    if (present === undefined || present === former) this.#byName.set(entry.name, entry);
    else
      this.#byName.set(entry.name, [
        ...(isMany(present) ? present.filter((other) => other !== former) : [present]),
        entry,
      ]);
  }

  #absent(entry: NameEntry): void {
    const present = this.#byName.get(entry.name);
    if (present === entry) {
      this.#byName.delete(entry.name);
    } else if (present !== undefined && isMany(present)) {
      const rest = present.filter((other) => other !== entry);
      const [only] = rest;
      if (only === undefined) this.#byName.delete(entry.name);
      else this.#byName.set(entry.name, rest.length === 1 ? only : rest);
    }
  }

  #tell(name: string, before: NameEntry | undefined, end: NameEnd): void {
    const after = this.holder(name);
    if (before !== after) {
      this.#countHeld(before, -1);
      this.#countHeld(after, 1);
      const changed =
        before === undefined ||
        after === undefined ||
        before.sequence !== after.sequence ||
        before.owner !== after.owner;
      if (changed) this.#port.holderChanged({ name, before, after, end: this.#reason(before, after, end) });
    }
    this.#port.nameTouched(name);
  }

  /** A holder that was superseded rather than dropped has not ended by itself: say by whom it was put aside. */
  #reason(before: NameEntry | undefined, after: NameEntry | undefined, end: NameEnd): NameEnd {
    if (before === undefined) return end;
    if (after === undefined || sameRegistration(before, after)) return this.#reasonGone(before, end);
    const how = supersededBy(after, before);
    // Or it stands still: an older contender was met, and shows until the clash is settled.
    const isContender = how === undefined && this.visible(before.name).includes(before);
    if (how === "clashExit" || how === "clashNotify" || isContender) {
      return { kind: "ended", reason: { kind: "nameClash", name: before.name, winner: pidOf(after) } };
    }
    // 1. Two hold the name, and the older shows. 2. It is released. 3. The younger shows, which took nothing from it.
    const left = this.entryOf(before.owner, before.name);
    const endedItself =
      before.owner !== after.owner && (left === undefined || left.serial === 0 || this.#ended.has(before));
    if (how === undefined && (end.kind === "ended" || endedItself)) return end;
    const taken: NameEnd = { kind: "takenOver", by: pidOf(after) };
    // 1. Three hold the name. 2. The first loses a clash to the second. 3. The third, which is older than that, shows.
    return how === undefined ? this.#reasonGone(before, taken) : taken;
  }

  #reasonGone(before: NameEntry, end: NameEnd): NameEnd {
    const by = this.superseder(before, before.name);
    if (by === undefined || by.how === "takenOver") return end;
    const winner = by.entry.serial === 0 ? undefined : pidOf(by.entry);
    return { kind: "ended", reason: { kind: "nameClash", name: before.name, winner } };
  }

  #countHeld(entry: NameEntry | undefined, by: number): void {
    if (entry === undefined) return;
    this.#held += by;
    // Its owner may not have written anything yet, as far as is known here: it is told of ahead.
    this.#table(entry.owner).held += by;
  }
}

/** Of the registration that the entry stands for, unless that is over. */
function liveId(entry: NameEntry | undefined): number | undefined {
  return entry === undefined || entry.serial === 0 ? undefined : entry.id;
}

function entryFrom(owner: NodeId, sequence: number, put: NamePut): NameEntry {
  return {
    name: put.name,
    owner,
    id: put.id === 0 ? sequence : put.id,
    sequence,
    serial: put.serial,
    meta: put.meta,
    stamp: put.stamp,
    claim: put.claim,
    supersedes: put.supersedes,
    was: put.was,
    provisional: false,
  };
}

/** An owner has one entry for a name at a time: what it registered before the one that is superseded is over as well. */
function supersededBy(entry: NameEntry, ref: EntryRef): SupersededHow | undefined {
  for (const superseded of entry.supersedes) {
    if (superseded.owner === ref.owner && ref.id <= superseded.id) return superseded.how;
  }
  return undefined;
}

function isMany(present: NameEntry | readonly NameEntry[]): present is readonly NameEntry[] {
  return Array.isArray(present);
}
