import type { NodeId } from "../kernel/ids.ts";
import type { Deadlines, Due } from "./deadlines.ts";

/** How long a node waits for its peers. Those that come later lose what is sent to them until then. */
const LONGEST_MS = 2_000;

/**
 * The time after a reconnect in which the peers are found again. When the bus itself was away they reconnect too, each in its
 * own time, and what is sent to one before it listens again is lost without a trace. So messages between processes wait until
 * everybody who is up was heard, or is down, or is not coming soon.
 */
export class Reunion implements Due {
  dueAtMs = 0;
  heapIndex = -1;
  readonly #deadlines: Deadlines;
  readonly #onOver: () => void;
  #missing: Set<NodeId> | undefined;

  constructor(deadlines: Deadlines, onOver: () => void) {
    this.#deadlines = deadlines;
    this.#onOver = onOver;
  }

  /** @param peers those that are up, as far as this node knows */
  begin(peers: Iterable<NodeId>): void {
    this.#deadlines.remove(this);
    this.#missing = new Set(peers);
    this.#deadlines.add(this, LONGEST_MS);
    this.#review();
  }

  /** The connection is gone again. */
  interrupt(): void {
    this.#missing = undefined;
    this.#deadlines.remove(this);
  }

  /** It was heard, or is down. */
  found(node: NodeId): void {
    if (this.#missing?.delete(node) === true) this.#review();
  }

  expire(): void {
    this.#missing?.clear();
    this.#review();
  }

  #review(): void {
    if (this.#missing?.size !== 0) return;
    this.interrupt();
    this.#onOver();
  }
}
