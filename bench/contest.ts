import type { NatsConnection } from "nats";
import type { ClusterNode } from "../src/index.ts";

/** The processes of a contest. The first one sends; all of them receive. */
export const PLACES = 3;

/** Something that is measured, and the contestants who do it in turn. */
export interface Benchmark {
  readonly name: string;
  /** What is counted, in the plural. */
  readonly unit: string;
  readonly what: string;
  /** Of one round. */
  readonly items: { readonly full: number; readonly quick: number };
  /** How many of the units one item is. */
  readonly unitsPerItem: number;
  /** The first target for the ratio to the plain client. */
  readonly mark: number;
  readonly ours: Contestant;
  /** What it is set beside, the raw limit first. They get the item sizes that ours was seen to send. */
  readonly others: readonly [Contestant, ...Contestant[]];
}

export interface Contestant {
  readonly name: string;
  /** Exactly what it does: printed with the figures, which mean nothing without it. */
  readonly does: string;
  /** Resolves when all places can reach each other. */
  open(place: Place): Promise<Part>;
}

/** One contestant in one process. Every method is called for every place, `send` for the first one only. */
export interface Part {
  /** Not timed. From now on it counts what comes. */
  prepare(round: Round): Promise<void>;
  /** Timed. Sends the items, and applies them here. */
  send(round: Round): Promise<void>;
  /** Timed: resolves when this process has all of them. Called before `send`. */
  arrived(round: Round): Promise<void>;
  /** Not timed. Removes what the round has made, and waits until it is gone from this process. */
  clear(round: Round): Promise<void>;
}

export interface Round {
  /** 0: the warm-up. */
  readonly number: number;
  readonly items: number;
  /** What ours was seen to send for one item; 0 until it has run. */
  readonly itemBytes: ItemBytes;
}

export interface ItemBytes {
  /** In frames for all nodes, an item's share of their headers included. */
  readonly toAll: number;
  /** In frames for single nodes. */
  readonly toOne: number;
}

/** One process, and what the contestants in it may use. */
export interface Place {
  readonly index: number;
  readonly node: ClusterNode;
  readonly connection: NatsConnection;
}
