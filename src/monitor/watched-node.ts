import { addToDigest, takeFromDigest } from "./digest.ts";
import { EMPTY_CHECKS } from "./limits.ts";

/** What this node watches on one node (which may be itself): processes by serial, and the node. Each for one or more monitors. */
export class WatchedNode {
  readonly nodeMonitors = new Set<number>();
  readonly #monitors = new Map<number, Set<number>>();
  #digest = 0;
  /** The number of the last end that was heard of. */
  seen = 0;
  #checksOwed = 0;

  /** How many processes are watched. */
  get size(): number {
    return this.#monitors.size;
  }

  get digest(): number {
    return this.#digest;
  }

  get serials(): Iterable<number> {
    return this.#monitors.keys();
  }

  /**
   * Nothing is watched, and nothing need be known any more. The number of the last end must be, for as long as the other side
   * counts on: else the next check would look as if everything had been missed.
   */
  get isIdle(): boolean {
    return (
      this.#monitors.size === 0 && this.nodeMonitors.size === 0 && this.#checksOwed === 0 && this.seen === 0
    );
  }

  /** True for the first monitor of a process. */
  watch(serial: number, monitor: number): boolean {
    const monitors = this.#monitors.get(serial);
    if (monitors !== undefined) {
      monitors.add(monitor);
      return false;
    }
    this.#monitors.set(serial, new Set([monitor]));
    this.#digest = addToDigest(this.#digest, serial);
    this.#checksOwed = EMPTY_CHECKS;
    return true;
  }

  /** True for the last monitor of a process. */
  unwatch(serial: number, monitor: number): boolean {
    const monitors = this.#monitors.get(serial);
    if (!monitors?.delete(monitor) || monitors.size > 0) return false;
    this.#forget(serial);
    return true;
  }

  /** It has ended: the monitors that this concerns. */
  end(serial: number): Iterable<number> {
    const monitors = this.#monitors.get(serial);
    if (monitors === undefined) return [];
    this.#forget(serial);
    return monitors;
  }

  /** All monitors of all processes. */
  *processMonitors(): Generator<number> {
    for (const monitors of this.#monitors.values()) yield* monitors;
  }

  /** Whether to say now what is watched: also a few times after the last watch ended, in case that was not heard. */
  takeCheck(): boolean {
    if (this.#monitors.size > 0) return true;
    if (this.#checksOwed === 0) return false;
    this.#checksOwed -= 1;
    return true;
  }

  #forget(serial: number): void {
    this.#monitors.delete(serial);
    this.#digest = takeFromDigest(this.#digest, serial);
  }
}
