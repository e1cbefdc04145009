import type { NodeId } from "../kernel/ids.ts";
import type { Deadlines, Due } from "./deadlines.ts";
import type { RawSegment } from "./frame.ts";

/** What is kept for all strangers together. */
const EARLY_BYTES = 8 * 1024 * 1024;

/** What a segment takes in memory besides its bytes. Without it, empty ones could be kept without end. */
const SEGMENT_MEMORY_BYTES = 256;

/** A node that greets is up within a few round trips; whoever is not by then is not coming. */
const EARLY_MS = 2_000;

export interface EarlyMessagesOptions {
  readonly deadlines: Deadlines;
  /** Segments that were not kept, or not long enough. */
  onDropped(segments: number): void;
}

/** The segments of one node, in order, until it is up or its time is over. */
class Early implements Due {
  dueAtMs = 0;
  heapIndex = -1;
  readonly segments: RawSegment[] = [];
  bytes = 0;
  readonly #onExpire: () => void;

  constructor(onExpire: () => void) {
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.#onExpire();
  }
}

/**
 * Messages from nodes that are not up here yet. It happens without any fault:
 *
 * 1. A node loses its connection for a while, and what its processes send meanwhile waits.
 * 2. Its peers declare it down.
 * 3. It connects again, and sends what waited; the greeting that brings it up again takes a round trip more.
 *
 * So such messages are kept for a moment, and handed out when their sender is up; messages of a sender that does not come up
 * are dropped.
 */
export class EarlyMessages {
  readonly #options: EarlyMessagesOptions;
  readonly #byNode = new Map<NodeId, Early>();
  #bytes = 0;

  constructor(options: EarlyMessagesOptions) {
    this.#options = options;
  }

  /** @param segment a view; it is copied */
  keep(node: NodeId, segment: RawSegment): void {
    const bytes = segment.content.length + SEGMENT_MEMORY_BYTES;
    if (this.#bytes + bytes > EARLY_BYTES) {
      this.#options.onDropped(1);
      return;
    }
    const early = this.#byNode.get(node) ?? this.#begin(node);
    early.segments.push({ family: segment.family, content: new Uint8Array(segment.content) });
    early.bytes += bytes;
    this.#bytes += bytes;
  }

  /** Everything kept of a node, which is up now or will never be; it is kept no longer. */
  take(node: NodeId): readonly RawSegment[] {
    const early = this.#byNode.get(node);
    if (early === undefined) return [];
    this.#byNode.delete(node);
    this.#options.deadlines.remove(early);
    this.#bytes -= early.bytes;
    return early.segments;
  }

  #begin(node: NodeId): Early {
    const early = new Early(() => this.#options.onDropped(this.take(node).length));
    this.#byNode.set(node, early);
    this.#options.deadlines.add(early, EARLY_MS);
    return early;
  }
}
