import { HELD_OPERATIONS, RETRY_MS } from "./limits.ts";
import type { SnapshotChunk, Written } from "./messages.ts";

/** What a feed makes its surroundings do. Called at once, inside the step that fed it. */
export interface FeedPort<Op> {
  apply(sequence: number, operation: Op): void;
  /** Forget all that is known of the owner, and know this instead. */
  reset(entries: readonly Written<Op>[]): void;
  /** Ask the owner for what comes after `position`, or for a snapshot. */
  ask(position: number, snapshot: boolean): void;
  askMore(snapshot: number, next: number): void;
  digest(): number;
  count(what: "gaps" | "repairs" | "snapshots" | "digestMismatches" | "heldDropped"): void;
}

interface Arriving<Op> {
  readonly id: number;
  readonly upTo: number;
  readonly entries: Written<Op>[];
  next: number;
}

/** A run of operations that came before its turn. */
interface Held<Op> {
  readonly first: number;
  readonly operations: readonly Op[];
}

/**
 * What one node knows of another's log in one scope. Operations are applied in order and once; a gap, a heartbeat that tells
 * of more, or a digest that differs makes it ask the owner. The bus drops silently, so nothing else may be relied on.
 */
export class Feed<Op> {
  readonly #port: FeedPort<Op>;
  #position = 0;
  #synced = false;
  #askedAtMs: number | undefined;
  #askedForSnapshot = false;
  #arriving: Arriving<Op> | undefined;
  #held: Held<Op>[] = [];
  #heldCount = 0;

  constructor(port: FeedPort<Op>) {
    this.#port = port;
  }

  /** All operations up to this one are applied here. */
  get position(): number {
    return this.#position;
  }

  /** Whether the owner has answered once: until then an empty table says nothing. */
  get synced(): boolean {
    return this.#synced;
  }

  /** The owner is up, or back: what it wrote before has to be asked for. */
  begin(nowMs: number): void {
    this.#ask(false, nowMs);
  }

  /** @param answer whether the owner sent it because it was asked */
  operations(first: number, operations: readonly Op[], answer: boolean, nowMs: number): void {
    const next = first + operations.length;
    if (first > this.#position + 1 || this.#arriving !== undefined) {
      this.#hold(first, operations);
      if (this.#askedAtMs === undefined && this.#arriving === undefined) {
        this.#port.count("gaps");
        this.#ask(false, nowMs);
      }
      return;
    }
    this.#applyFrom(first, operations);
    if (answer && !this.#askedForSnapshot) {
      // The owner answers with at most one message's worth; what is still missing then shows as a gap or in a heartbeat.
      this.#synced = true;
      this.#askedAtMs = undefined;
      if (operations.length > 0 && next > first) this.#port.count("repairs");
    }
    this.#release(nowMs);
  }

  chunk(chunk: SnapshotChunk<Op>, nowMs: number): void {
    if (chunk.upTo < this.#position) return;
    if (this.#arriving?.id !== chunk.id) {
      if (chunk.index !== 0) return;
      this.#arriving = { id: chunk.id, upTo: chunk.upTo, entries: [], next: 0 };
    }
    const arriving = this.#arriving;
    if (chunk.index !== arriving.next) return;
    for (const entry of chunk.entries) arriving.entries.push(entry);
    arriving.next += 1;
    this.#askedAtMs = nowMs;
    if (chunk.last) this.#finishSnapshot(arriving, nowMs);
    else if (chunk.pause) this.#port.askMore(arriving.id, arriving.next);
  }

  /** The owner's heartbeat: where its log stands, and what its table looked like there. */
  beat(position: number, digest: number, nowMs: number): void {
    if (this.#askedAtMs !== undefined || this.#arriving !== undefined) return;
    if (position > this.#position) {
      this.#port.count("gaps");
      this.#ask(false, nowMs);
    } else if (position === this.#position && digest !== this.#port.digest()) {
      this.#port.count("digestMismatches");
      this.#ask(true, nowMs);
    }
  }

  tick(nowMs: number): void {
    if (this.#askedAtMs === undefined || nowMs < this.#askedAtMs + RETRY_MS) return;
    this.#askedAtMs = nowMs;
    if (this.#arriving === undefined) this.#port.ask(this.#position, this.#askedForSnapshot);
    else this.#port.askMore(this.#arriving.id, this.#arriving.next);
  }

  #ask(snapshot: boolean, nowMs: number): void {
    this.#askedAtMs = nowMs;
    this.#askedForSnapshot = snapshot;
    this.#port.ask(this.#position, snapshot);
  }

  #applyFrom(first: number, operations: readonly Op[]): void {
    for (let index = Math.max(0, this.#position + 1 - first); index < operations.length; index += 1) {
      this.#position = first + index;
      this.#port.apply(this.#position, operations[index] as Op);
    }
  }

  #hold(first: number, operations: readonly Op[]): void {
    if (operations.length === 0) return;
    if (this.#heldCount + operations.length > HELD_OPERATIONS) {
      this.#port.count("heldDropped");
      return;
    }
    this.#held.push({ first, operations });
    this.#heldCount += operations.length;
  }

  /** Applies what was held back as far as it now follows, and asks for what still lacks. */
  #release(nowMs: number): void {
    if (this.#held.length === 0) return;
    this.#held.sort((left, right) => left.first - right.first);
    let used = 0;
    for (const run of this.#held) {
      if (run.first > this.#position + 1) break;
      this.#applyFrom(run.first, run.operations);
      this.#heldCount -= run.operations.length;
      used += 1;
    }
    this.#held = this.#held.slice(used);
    if (this.#held.length > 0 && this.#askedAtMs === undefined) this.#ask(false, nowMs);
  }

  #finishSnapshot(arriving: Arriving<Op>, nowMs: number): void {
    this.#arriving = undefined;
    this.#askedAtMs = undefined;
    this.#askedForSnapshot = false;
    this.#synced = true;
    this.#position = arriving.upTo;
    this.#port.count("snapshots");
    this.#port.reset(arriving.entries);
    this.#release(nowMs);
  }
}
