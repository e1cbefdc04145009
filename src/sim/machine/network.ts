import { fraction, type Random } from "../../kernel/random.ts";
import type { VirtualClock } from "../../kernel/virtual-clock.ts";
import type { Fault } from "../plan.ts";

/** What the network needs to know of a node, and tells it. */
export interface Station {
  /** Where it stands in the plan: its links outlast a restart. */
  readonly place: number;
  /** False from the end of its OS process on. */
  readonly isAlive: boolean;
  /** Whether the bus has it, whatever it believes itself. */
  connected: boolean;
  /** Goes up when its connection drops: what was under way is lost. */
  drops: number;
  /** Why it dropped last. */
  droppedBy: Fault["kind"];
}

interface Way {
  readonly random: Random;
  lastAtMs: number;
  slowerByMs: number;
  deaf: number;
}

/**
 * The bus as machines find it. Between two nodes order is kept; frames of different senders overtake each other, and one
 * broadcast reaches its receivers at different times. What is published without a connection is lost without a word.
 */
export class Network {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #delayMs: readonly [number, number];
  readonly #ways: Way[][] = [];
  /** How many cuts part two places. */
  readonly #parted: number[][] = [];
  readonly #felt: Set<Fault["kind"]>;
  #blackHoles = 0;

  /** @param felt takes the kinds of fault that took something away, or held it up */
  constructor(
    clock: VirtualClock,
    random: Random,
    delayMs: readonly [number, number],
    felt: Set<Fault["kind"]>,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#delayMs = delayMs;
    this.#felt = felt;
  }

  reaches(from: Station, to: Station): boolean {
    return this.#reaches(from.place, to.place);
  }

  cut(sides: readonly (readonly number[])[], by: 1 | -1, blackHole: boolean): void {
    if (blackHole) this.#blackHoles += by;
    for (const [index, side] of sides.entries()) {
      for (const [otherIndex, other] of sides.entries()) {
        if (index === otherIndex) continue;
        for (const left of side) for (const right of other) this.#part(left, right, by);
      }
    }
  }

  deafen(from: number, to: number, by: 1 | -1): void {
    this.#way(from, to).deaf += by;
  }

  slow(from: number, to: number, byMs: number): void {
    this.#way(from, to).slowerByMs += byMs;
  }

  /** @returns false when it was lost on the spot */
  send(from: Station, to: Station, arrive: () => void): boolean {
    if (!from.connected) {
      this.#felt.add(from.droppedBy);
      return false;
    }
    if (!to.isAlive) return false;
    if (!to.connected) {
      this.#felt.add(to.droppedBy);
      return false;
    }
    if (!this.#reaches(from.place, to.place)) {
      this.#felt.add("cut");
      return false;
    }
    const way = this.#way(from.place, to.place);
    if (way.deaf > 0) {
      this.#felt.add("deaf");
      return false;
    }
    const fromDrops = from.drops;
    const toDrops = to.drops;
    this.#later(way, 0, () => {
      if (!to.isAlive) return;
      if (to.drops !== toDrops) this.#felt.add(to.droppedBy);
      else if (from.drops !== fromDrops) this.#felt.add(from.droppedBy);
      else if (!this.#reaches(from.place, to.place)) this.#felt.add("cut");
      else arrive();
    });
    return true;
  }

  /** Whether anybody listens at `to`. "No responders" comes after the last words of who has gone. */
  probe(from: Station, to: Station | undefined, place: number, absent: () => void): void {
    if (!from.connected) return;
    const reaches = this.#reaches(from.place, place);
    if (to?.isAlive === true && to.connected && reaches) return;
    if (!reaches && this.#blackHoles > 0) return;
    const { drops } = from;
    this.#later(this.#way(-1, from.place), this.#way(place, from.place).lastAtMs, () => {
      if (from.isAlive && from.connected && from.drops === drops) absent();
    });
  }

  #later(way: Way, notBeforeMs: number, run: () => void): void {
    const nowMs = this.#clock.now().monotonicMs;
    const [least, most] = this.#delayMs;
    if (way.slowerByMs > 0) this.#felt.add("clog");
    const delayMs = least + fraction(way.random) * (most - least) + way.slowerByMs;
    const atMs = Math.max(nowMs + delayMs, way.lastAtMs, notBeforeMs);
    way.lastAtMs = atMs;
    this.#clock.after(atMs - nowMs, run);
  }

  #reaches(left: number, right: number): boolean {
    return (this.#parted[left]?.[right] ?? 0) === 0;
  }

  #part(left: number, right: number, by: 1 | -1): void {
    const row = this.#parted[left] ?? [];
    row[right] = (row[right] ?? 0) + by;
    this.#parted[left] = row;
  }

  /** @param from -1: the bus itself */
  #way(from: number, to: number): Way {
    const row = this.#ways[from + 1] ?? [];
    const way = row[to] ?? {
      random: this.#random.fork(`${from}→${to}`),
      lastAtMs: 0,
      slowerByMs: 0,
      deaf: 0,
    };
    row[to] = way;
    this.#ways[from + 1] = row;
    return way;
  }
}
