import { MalformedError } from "../../kernel/malformed.ts";
import type { LeaseReply } from "../requests.ts";
import { decodeEntry, type LogEntry } from "./entry.ts";
import { ENTRIES_PER_SNAPSHOT, MAX_BUFFERED } from "./limits.ts";
import { epochReach, tokenReach } from "./reach.ts";
import type { LeaseReplica, LogPlace } from "./replica.ts";
import { type Snapshot, SnapshotAssembly } from "./snapshot.ts";
import { type LogMark, LogTrail } from "./trail.ts";

/** One message of the stream. */
export interface LogMessage extends LogPlace {
  readonly kind: "entry" | "part";
  readonly data: Uint8Array;
}

export type ReadResult =
  | { readonly kind: "applied"; readonly entry: LogEntry; readonly reply: LeaseReply | undefined }
  /** Nothing of what was read before counts any more. */
  | { readonly kind: "restarted" }
  /**
   * There is another whole snapshot in the log now. What stands up to `at`, which is what the one before it stands for, is not needed
   * any more. The rest is left for those who read a little later, so that they can go on from where they are.
   */
  | { readonly kind: "snapshot"; readonly at: number }
  /** Neither, or nothing that can be used yet. */
  | { readonly kind: "none" }
  /** What was in between has been deleted. There is a later snapshot: read from the start again. */
  | { readonly kind: "gap" };

/** An entry, the bytes that it was read from, and its place in the stream. */
interface Written {
  readonly entry: LogEntry;
  readonly data: Uint8Array;
  readonly place: LogPlace;
}

/**
 * Reads the log into a replica, from its beginning, or from a snapshot. A snapshot of the state at entry 100 stands somewhere behind
 * entry 100, for others go on writing while it is made. So entries are kept, from the first that is there, until a whole snapshot
 * has come that says what was before them.
 *
 * Servers have been seen to keep different copies of one log, so it is compared with what others have read, as their entries and
 * snapshots say. Which of two is right cannot be told; it is only told that they differ (`isForked`).
 */
export class LogReader {
  readonly #replica: LeaseReplica;
  readonly #snapshots = new SnapshotAssembly();
  /** Where what has been read without a gap begins. */
  #from: number;
  #position: number;
  #lastWrittenMs = 0;
  #isKnown: boolean;
  #buffer: Written[] = [];
  #snapshotAt = 0;
  readonly #trail = new LogTrail();
  #isForked = false;
  #highestToken = 0;
  #highestEpoch = 0;

  /** @param first the first message that the stream has, or would have */
  constructor(replica: LeaseReplica, first: number) {
    this.#replica = replica;
    this.#from = first;
    this.#position = first - 1;
    this.#isKnown = first <= 1;
  }

  /** The last message that was read. */
  get last(): LogPlace {
    return { at: this.#position, writtenMs: this.#lastWrittenMs };
  }

  /** Whether the replica is what the log comes to. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** What the replica has carried out. */
  get mark(): LogMark {
    return this.#trail.mark;
  }

  /** Whether somebody has read another log since the last `lost`: what the replica says is not what all of them say. */
  get isForked(): boolean {
    return this.#isForked;
  }

  /** The highest token that was ever read of, also before a `lost` that did not know of it. */
  get highestToken(): number {
    return Math.max(this.#highestToken, this.#replica.maxToken);
  }

  /** The highest token that a loss may tell of now. */
  get tokenReach(): number {
    return tokenReach(this.#replica.maxToken);
  }

  /** The highest epoch that was ever read of, also of a `lost` that is not there; as far as it may be believed. */
  get highestEpoch(): number {
    return this.#highestEpoch;
  }

  /** Whether the last entry is the one whose author writes the next snapshot: all readers say the same. */
  get isSnapshotDue(): boolean {
    const every = Math.max(ENTRIES_PER_SNAPSHOT, 2 ** Math.ceil(Math.log2(2 * this.#replica.size + 1)));
    return this.#isKnown && (this.#position - this.#snapshotAt) % every === 0;
  }

  snapshot(): Snapshot {
    return { at: this.#position, mark: this.mark, dump: this.#replica.dump() };
  }

  take(message: LogMessage): ReadResult {
    const { at, kind, writtenMs } = message;
    if (at <= this.#position) return { kind: "none" };
    if (at !== this.#position + 1) {
      if (this.#isKnown) return { kind: "gap" };
      this.#from = at;
      this.#buffer = [];
    }
    this.#position = at;
    this.#lastWrittenMs = writtenMs;
    try {
      return kind === "part" ? this.#takePart(message) : this.#takeEntry(message);
    } catch (error) {
      // Somebody else has written to the stream. All readers skip it alike.
      if (error instanceof MalformedError) return { kind: "none" };
      throw error;
    }
  }

  #takeEntry({ at, data, writtenMs }: LogMessage): ReadResult {
    const written = { entry: decodeEntry(data), data, place: { at, writtenMs } };
    if (this.#isKnown) return this.#carryOut(written);
    if (this.#buffer.length >= MAX_BUFFERED) return { kind: "gap" };
    // A copy: what comes is a part of all that came from the socket with it.
    this.#buffer.push({ ...written, data: new Uint8Array(data) });
    return { kind: "none" };
  }

  #carryOut({ data, entry, place: { writtenMs } }: Written): ReadResult {
    const { configuration, mark, request } = entry;
    const trail = this.#trail;
    // Not one of those that this log is of: it is refused, and what it says of epochs is nothing to the others.
    const isOurs = this.#replica.accepts(configuration);
    if (isOurs && request.kind === "lost" && request.maxToken > this.tokenReach) return { kind: "none" };
    if (isOurs) this.#learnEpochs(entry);
    if (isOurs && request.kind === "lost" && this.#isNext(request.epoch)) {
      this.#highestToken = this.highestToken;
      this.#isForked = false;
      trail.restart(request.epoch, data, writtenMs);
      this.#replica.restart(configuration, request);
      return { kind: "restarted" };
    }
    if (isOurs) this.#compare(mark);
    const isCurrent = mark.epoch === trail.mark.epoch;
    trail.extend(data, writtenMs);
    const reply = this.#replica.apply(entry, { at: trail.mark.count, writtenMs, isCurrent });
    return { kind: "applied", entry, reply };
  }

  #isNext(epoch: number): boolean {
    const own = this.#trail.mark.epoch;
    return epoch > own && epoch <= epochReach(own);
  }

  #learnEpochs({ mark, request }: LogEntry): void {
    const told = Math.max(mark.epoch, request.kind === "lost" ? request.epoch : 0);
    this.#highestEpoch = Math.max(this.#highestEpoch, Math.min(told, epochReach(this.#trail.mark.epoch)));
  }

  /** @returns whether it is known that they have read the same */
  #compare(mark: LogMark): boolean {
    const comparison = this.#trail.compare(mark);
    if (comparison === "different") this.#isForked = true;
    return comparison === "same";
  }

  #takePart({ data }: LogMessage): ReadResult {
    const snapshot = this.#snapshots.take(data);
    if (snapshot === undefined || snapshot.at < this.#snapshotAt) return { kind: "none" };
    if (!this.#isKnown) return this.#begin(snapshot);
    const { configuration } = snapshot.dump.data;
    if (configuration !== undefined && !this.#replica.accepts(configuration)) return { kind: "none" };
    // One of before a `lost` is right too, but nobody could begin with it if that is deleted, so it does not count for that.
    if (!this.#compare(snapshot.mark)) return { kind: "none" };
    const before = this.#snapshotAt;
    this.#snapshotAt = snapshot.at;
    return before === 0 ? { kind: "none" } : { kind: "snapshot", at: before };
  }

  #begin({ at, dump, mark }: Snapshot): ReadResult {
    if (at < this.#from - 1) return { kind: "none" };
    this.#replica.load(dump);
    this.#trail.load(mark);
    this.#highestEpoch = Math.max(this.#highestEpoch, mark.epoch);
    this.#isKnown = true;
    this.#snapshotAt = at;
    for (const written of this.#buffer) if (written.place.at > at) this.#carryOut(written);
    this.#buffer = [];
    return { kind: "none" };
  }
}
