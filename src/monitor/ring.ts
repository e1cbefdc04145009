import type { NodeId } from "../kernel/ids.ts";
import type { Peer } from "./peer.ts";

/** The peers in the order of their ids, as a circle: each node looks after the next one, so that every node is looked after. */
export class Ring {
  readonly #self: NodeId;
  readonly #peers: Peer[] = [];

  constructor(self: NodeId) {
    this.#self = self;
  }

  get size(): number {
    return this.#peers.length;
  }

  /** In the order of ids. Not to be held across `add` or `remove`. */
  get peers(): readonly Peer[] {
    return this.#peers;
  }

  add(peer: Peer): void {
    this.#peers.splice(this.#indexAfter(peer.id), 0, peer);
  }

  remove(peer: Peer): void {
    const index = this.#indexAfter(peer.id) - 1;
    if (this.#peers[index] === peer) this.#peers.splice(index, 1);
  }

  /** The next peer that is `wanted`, going round from this node. */
  successor(wanted: (peer: Peer) => boolean): Peer | undefined {
    const start = this.#indexAfter(this.#self);
    for (let step = 0; step < this.#peers.length; step += 1) {
      const peer = this.#peers[(start + step) % this.#peers.length];
      if (peer !== undefined && wanted(peer)) return peer;
    }
    return undefined;
  }

  /** How many ids are not greater than this one. */
  #indexAfter(id: NodeId): number {
    let low = 0;
    let high = this.#peers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const peer = this.#peers[middle];
      if (peer !== undefined && peer.id <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
