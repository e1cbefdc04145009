import { fraction, type Random } from "../../kernel/random.ts";
import type { LogNote } from "./entry.ts";
import { EPOCH_STEP } from "./limits.ts";
import type { LogReader } from "./log-reader.ts";
import { epochReach } from "./reach.ts";

/** What one node knows about logs that it cannot go on from, and has to tell the others. It outlives readers and replicas. */
export class Losses {
  readonly #random: Random;
  readonly #againMs: number;
  /** What was read in this epoch, or an earlier one, is not what all have read. */
  #lostEpoch = -1;
  #highestToken = 0;
  #highestEpoch = 0;
  #saidMs = Number.NEGATIVE_INFINITY;

  /** @param againMs between two times that it is said, at least: so a log that goes on differing makes no storm */
  constructor(random: Random, againMs: number) {
    this.#random = random;
    this.#againMs = againMs;
  }

  /** The log that was read is not there any more: nothing can be trusted until somebody has said so in the one that is. */
  give(reader: LogReader): void {
    this.learn(reader);
    this.#lostEpoch = Math.max(this.#lostEpoch, reader.mark.epoch);
  }

  /** To be called before a reader is given up, so that what it has read of is not forgotten. */
  learn({ highestEpoch, highestToken }: LogReader): void {
    this.#highestToken = Math.max(this.#highestToken, highestToken);
    this.#highestEpoch = Math.max(this.#highestEpoch, highestEpoch);
  }

  /** Whether what this reader comes to is what all others come to, as far as is known, and tokens go on above all that are known. */
  trusts(reader: LogReader, maxToken: number): boolean {
    const isLost = reader.isForked || reader.mark.epoch <= this.#lostEpoch;
    return !isLost && maxToken >= Math.max(this.#highestToken, reader.highestToken);
  }

  /**
   * @returns what to say, when the reader is not trusted; undefined when it was said a moment ago, and may be on its way, or when
   * there is no higher epoch. Readers skip what is out of their reach: whoever knows of more says it in several steps.
   */
  note(reader: LogReader, nowMs: number): LogNote | undefined {
    if (nowMs < this.#saidMs + this.#againMs) return undefined;
    this.#saidMs = nowMs;
    this.learn(reader);
    const own = reader.mark.epoch;
    const last = Math.floor(epochReach(own) / EPOCH_STEP) - 1;
    const next = Math.min(last, Math.floor(this.#highestEpoch / EPOCH_STEP) + 1);
    const epoch = next * EPOCH_STEP + Math.floor(fraction(this.#random) * EPOCH_STEP);
    if (epoch <= own) return undefined;
    return { kind: "lost", epoch, maxToken: Math.min(this.#highestToken, reader.tokenReach) };
  }
}
