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

  /** @param lost is called in place of `arrive` when a fault took it away */
  send(from: Station, to: Station, arrive: () => void, lost?: () => void): void {
    const way = this.#way(from.place, to.place);
    const loser = this.#loserNow(from, to, way);
    if (loser !== undefined) this.#lose(loser, lost);
    if (loser !== undefined || !to.isAlive) return;
    const fromDrops = from.drops;
    const toDrops = to.drops;
    this.#later(way, 0, () => {
      if (!to.isAlive) return;
      if (to.drops !== toDrops) this.#lose(to.droppedBy, lost);
      else if (from.drops !== fromDrops) this.#lose(from.droppedBy, lost);
      else if (!this.#reaches(from.place, to.place)) this.#lose("cut", lost);
      else arrive();
    });
  }

  /** The fault that takes away what is sent now. */
  #loserNow(from: Station, to: Station, way: Way): Fault["kind"] | undefined {
    if (!from.connected) return from.droppedBy;
    if (!to.isAlive) return undefined;
    if (!to.connected) return to.droppedBy;
    if (!this.#reaches(from.place, to.place)) return "cut";
    return way.deaf > 0 ? "deaf" : undefined;
  }

  #lose(by: Fault["kind"], lost: (() => void) | undefined): void {
    this.#felt.add(by);
    lost?.();
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
