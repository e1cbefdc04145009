import type { NodeDownCause } from "../kernel/exit-reason.ts";
import type { NodeId } from "../kernel/ids.ts";
import { MAX_TOMBSTONES } from "./limits.ts";

interface Tombstone {
  readonly cause: NodeDownCause;
  readonly floor: number;
}

/** The incarnations that were up here, or said goodbye, and are gone: the latest ones. */
export class Tombstones {
  readonly #stones = new Map<NodeId, Tombstone>();
  #forgottenFloor = 0;

  /** @param floor the latest nonce given out: none up to it may bring this incarnation back */
  bury(node: NodeId, cause: NodeDownCause, floor: number): void {
    this.#stones.delete(node);
    this.#stones.set(node, { cause, floor });
    if (this.#stones.size <= MAX_TOMBSTONES) return;
    for (const [oldest, stone] of this.#stones) {
      this.#stones.delete(oldest);
      // Whose stone is gone cannot be told from one never met, so the rule for the forgotten holds for all of those.
      this.#forgottenFloor = Math.max(this.#forgottenFloor, stone.floor);
      return;
    }
  }

  lift(node: NodeId): void {
    this.#stones.delete(node);
  }

  causeOf(node: NodeId): NodeDownCause | undefined {
    return this.#stones.get(node)?.cause;
  }

  /** A nonce must be later than this to bring `node` up. */
  floorOf(node: NodeId): number {
    return this.#stones.get(node)?.floor ?? this.#forgottenFloor;
  }

  get size(): number {
    return this.#stones.size;
  }
}
