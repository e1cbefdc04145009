import type { NodeId } from "../kernel/ids.ts";
import {
  BYTES_PER_MESSAGE,
  CHUNKS_PER_REQUEST,
  OPERATIONS_PER_MESSAGE,
  SNAPSHOT_IDLE_MS,
  SNAPSHOTS_SERVED,
} from "./limits.ts";
import type { Written } from "./messages.ts";
import type { ReplicationPort } from "./replication.ts";

/** A copy of the own entries at one log position, on its way to one node. Entries never change, so copying is cheap. */
interface Served<Op> {
  readonly id: number;
  readonly upTo: number;
  readonly entries: readonly Written<Op>[];
  /** Where chunk number `i` starts, known for all chunks made so far. */
  readonly starts: number[];
  usedAtMs: number;
}

/** Sends snapshots of this node's own entries, a few chunks at a time, as the receivers ask for them. */
export class SnapshotServer<Op> {
  readonly #scope: string;
  readonly #port: ReplicationPort<Op>;
  readonly #served = new Map<NodeId, Served<Op>>();
  #lastId = 0;

  constructor(scope: string, port: ReplicationPort<Op>) {
    this.#scope = scope;
    this.#port = port;
  }

  begin(to: NodeId, upTo: number, nowMs: number): void {
    const running = this.#served.get(to);
    // A repeated question while one of the same state is under way is answered by going on with that one.
    if (running !== undefined && running.upTo === upTo) {
      this.#sendFrom(to, running, 0, nowMs);
      return;
    }
    if (running === undefined && this.#served.size >= SNAPSHOTS_SERVED) return;
    this.#lastId += 1;
    const served = {
      id: this.#lastId,
      upTo,
      entries: [...this.#port.ownEntries()],
      starts: [0],
      usedAtMs: nowMs,
    };
    this.#served.set(to, served);
    this.#sendFrom(to, served, 0, nowMs);
  }

  /** Whether this is what was not sent yet. */
  isNext(to: NodeId, id: number, next: number): boolean {
    const served = this.#served.get(to);
    return served?.id === id && next === served.starts.length - 1;
  }

  /** False when that snapshot is not held any more. */
  more(to: NodeId, id: number, next: number, nowMs: number): boolean {
    const served = this.#served.get(to);
    if (served === undefined || served.id !== id || next >= served.starts.length) return false;
    this.#sendFrom(to, served, next, nowMs);
    return true;
  }

  drop(to: NodeId): void {
    this.#served.delete(to);
  }

  tick(nowMs: number): void {
    for (const [to, served] of this.#served) {
      if (nowMs >= served.usedAtMs + SNAPSHOT_IDLE_MS) this.#served.delete(to);
    }
  }

  #sendFrom(to: NodeId, served: Served<Op>, index: number, nowMs: number): void {
    served.usedAtMs = nowMs;
    for (let chunk = index; chunk < index + CHUNKS_PER_REQUEST; chunk += 1) {
      const start = served.starts[chunk];
      if (start === undefined) return;
      const end = this.#endOf(served.entries, start);
      const last = end >= served.entries.length;
      if (!last) served.starts[chunk + 1] = end;
      this.#port.send(to, {
        kind: "snapshot",
        scope: this.#scope,
        id: served.id,
        upTo: served.upTo,
        index: chunk,
        last,
        pause: !last && chunk === index + CHUNKS_PER_REQUEST - 1,
        entries: served.entries.slice(start, end),
      });
      if (!last) continue;
      // Should some of it be lost, the receiver asks again, and gets a newer one.
      this.#served.delete(to);
      return;
    }
  }

  #endOf(entries: readonly Written<Op>[], start: number): number {
    let size = 0;
    let end = start;
    while (
      end < entries.length &&
      end - start < OPERATIONS_PER_MESSAGE &&
      (size <= BYTES_PER_MESSAGE || end === start)
    ) {
      size += this.#port.sizeOf((entries[end] as Written<Op>).operation);
      end += 1;
    }
    return end;
  }
}
