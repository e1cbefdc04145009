import { MalformedError } from "../../kernel/malformed.ts";
import type { LeaseReply } from "../requests.ts";
import { decodeEntry, type LogEntry } from "./entry.ts";
import { ENTRIES_PER_SNAPSHOT, MAX_BUFFERED } from "./limits.ts";
import type { LeaseReplica, LogPlace } from "./replica.ts";
import { type Snapshot, SnapshotAssembly } from "./snapshot.ts";

/** One message of the stream. */
export interface LogMessage extends LogPlace {
  readonly kind: "entry" | "part";
  readonly data: Uint8Array;
}

export type ReadResult =
  | { readonly kind: "applied"; readonly entry: LogEntry; readonly reply: LeaseReply | undefined }
  /** There is a whole snapshot in the log now: what it stands for is not needed any more. */
  | { readonly kind: "snapshot"; readonly at: number }
  /** Neither, or nothing that can be used yet. */
  | { readonly kind: "none" }
  /** What was in between has been deleted. There is a later snapshot: read from the start again. */
  | { readonly kind: "gap" };

interface Buffered {
  readonly entry: LogEntry;
  readonly place: LogPlace;
}

/**
 * Reads the log into a replica, from its beginning, or from a snapshot. A snapshot of the state at entry 100 stands somewhere behind
 * entry 100, for others go on writing while it is made. So entries are kept, from the first that is there, until a whole snapshot
 * has come that says what was before them.
 */
export class LogReader {
  readonly #replica: LeaseReplica;
  readonly #snapshots = new SnapshotAssembly();
  /** Where what has been read without a gap begins. */
  #from: number;
  #position: number;
  #lastWrittenMs = 0;
  #isKnown: boolean;
  #buffer: Buffered[] = [];
  #snapshotAt = 0;

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

  /** Whether the last entry is the one whose author writes the next snapshot: all readers say the same. */
  get isSnapshotDue(): boolean {
    const every = Math.max(ENTRIES_PER_SNAPSHOT, 2 ** Math.ceil(Math.log2(2 * this.#replica.size + 1)));
    return this.#isKnown && (this.#position - this.#snapshotAt) % every === 0;
  }

  snapshot(): Snapshot {
    return { at: this.#position, dump: this.#replica.dump() };
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
    const entry = decodeEntry(data);
    const place = { at, writtenMs };
    if (this.#isKnown) return { kind: "applied", entry, reply: this.#replica.apply(entry, place) };
    if (this.#buffer.length >= MAX_BUFFERED) return { kind: "gap" };
    this.#buffer.push({ entry, place });
    return { kind: "none" };
  }

  #takePart({ data }: LogMessage): ReadResult {
    const snapshot = this.#snapshots.take(data);
    if (snapshot === undefined || snapshot.at < this.#snapshotAt) return { kind: "none" };
    if (!this.#isKnown) {
      if (snapshot.at < this.#from - 1) return { kind: "none" };
      this.#replica.load(snapshot.dump);
      this.#isKnown = true;
      for (const { entry, place } of this.#buffer) {
        if (place.at > snapshot.at) this.#replica.apply(entry, place);
      }
      this.#buffer = [];
    }
    this.#snapshotAt = snapshot.at;
    return { kind: "snapshot", at: snapshot.at };
  }
}
