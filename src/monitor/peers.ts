import type { NodeDownCause } from "../kernel/exit-reason.ts";
import { type NodeId, nameOfNode } from "../kernel/ids.ts";
import type { Peer } from "./peer.ts";
import { Tombstones } from "./tombstones.ts";

/** The incarnations that are up here, and those that were. */
export class Peers {
  readonly #self: NodeId;
  readonly #byId = new Map<NodeId, Peer>();
  readonly #byName = new Map<string, readonly Peer[]>();
  readonly #tombstones = new Tombstones();

  constructor(self: NodeId) {
    this.#self = self;
  }

  get size(): number {
    return this.#byId.size;
  }

  get tombstones(): number {
    return this.#tombstones.size;
  }

  get(node: NodeId): Peer | undefined {
    return this.#byId.get(node);
  }

  named(name: string): readonly Peer[] {
    return this.#byName.get(name) ?? [];
  }

  add(peer: Peer): void {
    this.#tombstones.lift(peer.id);
    this.#byId.set(peer.id, peer);
    this.#byName.set(peer.name, [...this.named(peer.name), peer]);
  }

  remove(peer: Peer, cause: NodeDownCause, lastNonce: number): void {
    this.#byId.delete(peer.id);
    const others = this.named(peer.name).filter((other) => other !== peer);
    if (others.length > 0) this.#byName.set(peer.name, others);
    else this.#byName.delete(peer.name);
    this.bury(peer.id, cause, lastNonce);
  }

  /** @param lastNonce the latest nonce given out: none up to it may bring this incarnation back */
  bury(node: NodeId, cause: NodeDownCause, lastNonce: number): void {
    this.#tombstones.bury(node, cause, lastNonce);
  }

  downCause(node: NodeId): NodeDownCause | undefined {
    return this.#tombstones.causeOf(node);
  }

  /** A nonce must be later than this to bring `node` up. */
  nonceFloor(node: NodeId): number {
    return this.#tombstones.floorOf(node);
  }

  /** Whether a handshake with that incarnation may lead anywhere. */
  isWelcome(node: NodeId): boolean {
    if (node === this.#self || this.#tombstones.causeOf(node) === "left") return false;
    // One that took over the name, and is up, shuts out the earlier ones: until it is gone itself, for then an earlier one that
    // is still there was not gone in truth, but beyond a partition.
    return !this.named(nameOfNode(node)).some((peer) => peer.replaces && peer.id > node);
  }
}
