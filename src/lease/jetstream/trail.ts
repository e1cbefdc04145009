import { digestBytes } from "../../kernel/hash.ts";
import { TRAIL_ENTRIES } from "./limits.ts";

/**
 * What somebody has carried out of the log. Everyone who is at the same `epoch` and `count` must have the same `digest`; if not, they
 * have read different logs, and are in different states.
 */
export interface LogMark {
  /** Which `lost` the state begins with; 0: the beginning of the log. Never used twice, and goes up. */
  readonly epoch: number;
  /** Entries since then. Not their place in the stream: that may be another in another copy of it. */
  readonly count: number;
  /** Of all of these, each with when it was written, in order. 53 bits. */
  readonly digest: number;
}

export const LOG_START: LogMark = { epoch: 0, count: 0, digest: 0x5eed };

export type Comparison =
  | "same"
  /** The other one had not read yet of the last `lost`, or has joined what it was about. Nothing of theirs counts. */
  | "older"
  /** The other one was so far behind that it is not known here any more. */
  | "unknown"
  /** The other one reads another log. */
  | "different";

/** The mark of one reader, and what it was for a while back. */
export class LogTrail {
  #mark = LOG_START;
  /** The oldest count that is known. */
  #from = 0;
  readonly #digests = new Float64Array(TRAIL_ENTRIES);
  /** A time as the bytes that it is. */
  readonly #writtenMs = new Float64Array(1);
  readonly #writtenBytes = new Uint8Array(this.#writtenMs.buffer);

  constructor() {
    this.load(LOG_START);
  }

  get mark(): LogMark {
    return this.#mark;
  }

  load(mark: LogMark): void {
    this.#mark = mark;
    this.#from = mark.count;
    this.#digests[mark.count % TRAIL_ENTRIES] = mark.digest;
  }

  /** One more entry has been carried out. */
  extend(data: Uint8Array, writtenMs: number): void {
    const { count, digest, epoch } = this.#mark;
    this.#mark = { epoch, count: count + 1, digest: this.#digestOf(data, writtenMs, digest) };
    this.#digests[this.#mark.count % TRAIL_ENTRIES] = this.#mark.digest;
  }

  /** What comes from here on follows from this entry alone, and so does the chain. */
  restart(epoch: number, data: Uint8Array, writtenMs: number): void {
    this.load({ epoch, count: 0, digest: this.#digestOf(data, writtenMs, LOG_START.digest) });
  }

  /** @param other the mark of somebody who must not have read more than this reader has */
  compare({ count, digest, epoch }: LogMark): Comparison {
    const own = this.#mark;
    if (epoch < own.epoch) return "older";
    // 1. Its author has read of a `lost` that was not here, or 2. of more entries than there are before this one.
    if (epoch > own.epoch || count > own.count) return "different";
    if (count < this.#from || count <= own.count - TRAIL_ENTRIES) return "unknown";
    return this.#digests[count % TRAIL_ENTRIES] === digest ? "same" : "different";
  }

  #digestOf(data: Uint8Array, writtenMs: number, before: number): number {
    this.#writtenMs[0] = writtenMs;
    return digestBytes(data, digestBytes(this.#writtenBytes, before));
  }
}
