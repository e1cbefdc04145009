import { isStamp, type Stamp } from "../kernel/hlc.ts";
import { isNodeId, type NodeId, nameOfNode } from "../kernel/ids.ts";
import {
  CLUSTER_BYTES,
  type RawFrame,
  type RawSegment,
  readFrame,
  readSegments,
  type Seal,
  STATE_FAMILY,
} from "./frame.ts";
import { type Destination, nameToken, type Subjects } from "./subjects.ts";

/** Why a frame was not let in. */
export type DropCause = (typeof DROP_CAUSES)[number];

export const DROP_CAUSES = [
  /** No frame, or one whose lengths do not add up. */
  "malformed",
  "oversized",
  /** A layout of another version. */
  "version",
  "cluster",
  /** Signed with another secret, or with none, or signed where we have none. */
  "mac",
  /** The subject says that somebody else sent it. */
  "forged",
  /** Not for this node. */
  "misdirected",
  /** Of an earlier connection of the sender than one already seen. */
  "stale",
  /** Seen before, or overtaken by a later one. */
  "replayed",
] as const;

/** A frame that passed: from a node of this cluster, for this node, and later than all before from this sender. */
export interface AdmittedFrame {
  readonly from: NodeId;
  readonly destination: Destination;
  readonly epoch: number;
  readonly stamp: Stamp;
  readonly segments: readonly RawSegment[];
}

export interface FrameGateOptions {
  readonly self: NodeId;
  readonly subjects: Subjects;
  readonly seal: Seal | undefined;
  /** No frame of a sound node is larger. */
  readonly maxFrameBytes: number;
  /** How many senders are remembered; past that, those that are not up are forgotten, the longest unheard first. */
  readonly maxSenders: number;
  /** Whether this node listens there. */
  accepts(destination: Destination): boolean;
  isUp(node: NodeId): boolean;
  onDrop(cause: DropCause, subject: string): void;
}

interface Sender {
  readonly token: string;
  epoch: number;
  /** The highest number so far of frames of state alone, and of frames with messages of users. */
  state: number;
  user: number;
}

/**
 * Looks at every frame before anything else does. It never throws, whatever comes.
 *
 * Frames of one sender arrive in the order of their sequence numbers, since a connection keeps its order; so one that does not
 * count up is a copy, or left over from an earlier connection. Frames of state alone are judged apart from the others: after a
 * drop of the connection they go ahead of the users' messages, which keep their old numbers. The numbers are remembered for
 * every node that is up, always. Of senders that are not up only the latest are remembered: at worst an old frame of one
 * passes, and the machine takes nothing from such a sender but a greeting.
 */
export class FrameGate {
  readonly #options: FrameGateOptions;
  /** In the order of use, as far as senders that are not up are concerned. */
  readonly #senders = new Map<string, Sender>();

  constructor(options: FrameGateOptions) {
    this.#options = options;
  }

  /** How many senders are remembered. */
  get size(): number {
    return this.#senders.size;
  }

  /** Undefined: dropped, and counted, unless it was the node's own. */
  admit(subject: string, data: Uint8Array): AdmittedFrame | undefined {
    const destination = this.#options.subjects.parse(subject);
    if (destination === undefined || !this.#options.accepts(destination))
      return this.#drop("misdirected", subject);
    if (data.length > this.#options.maxFrameBytes) return this.#drop("oversized", subject);
    const raw = readFrame(data);
    if (typeof raw === "string") return this.#drop(raw, subject);
    const flaw = this.#flawOf(raw, subject);
    if (flaw !== undefined) return this.#drop(flaw, subject);
    const known = this.#senders.get(raw.sender);
    if (known === undefined && !isNodeId(raw.sender)) return this.#drop("malformed", subject);
    const from = raw.sender as NodeId;
    if (from === this.#options.self) return undefined;
    const sender = known ?? { token: nameToken(nameOfNode(from)), epoch: 0, state: -1, user: -1 };
    if (sender.token !== destination.senderToken) return this.#drop("forged", subject);
    const segments = readSegments(raw.body);
    if (segments === undefined || !isStamp(raw.stamp)) return this.#drop("malformed", subject);
    if (raw.epoch < sender.epoch) return this.#drop("stale", subject);
    const lane = segments.every(({ family }) => family === STATE_FAMILY) ? "state" : "user";
    if (raw.sequence <= sender[lane]) return this.#drop("replayed", subject);
    sender.epoch = raw.epoch;
    sender[lane] = raw.sequence;
    if (known === undefined || !this.#options.isUp(from)) this.#remember(from, sender);
    return { from, destination, epoch: raw.epoch, stamp: raw.stamp, segments };
  }

  #flawOf(raw: RawFrame, subject: string): DropCause | undefined {
    const { clusterHash } = this.#options.subjects;
    for (let index = 0; index < CLUSTER_BYTES; index += 1) {
      if (raw.cluster[index] !== clusterHash[index]) return "cluster";
    }
    const { seal } = this.#options;
    if (seal === undefined) return raw.signed === undefined ? undefined : "mac";
    if (raw.signed === undefined) return "mac";
    return seal.verify(subject, raw.signed.content, raw.signed.mac) ? undefined : "mac";
  }

  #remember(node: NodeId, sender: Sender): void {
    this.#senders.delete(node);
    this.#senders.set(node, sender);
    if (this.#senders.size <= this.#options.maxSenders) return;
    // Nodes that are up go to the back, so that the next search does not meet them first again.
    for (let tries = this.#senders.size; tries > 0; tries -= 1) {
      const [oldest] = this.#senders;
      if (oldest === undefined) return;
      this.#senders.delete(oldest[0]);
      if (!this.#options.isUp(oldest[0] as NodeId)) return;
      this.#senders.set(oldest[0], oldest[1]);
    }
  }

  #drop(cause: DropCause, subject: string): undefined {
    this.#options.onDrop(cause, subject);
    return undefined;
  }
}
