import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import type { Stamp } from "../kernel/hlc.ts";
import type { NodeId } from "../kernel/ids.ts";

// A frame, in bytes:
//
//    0  "RC"                     what it is
//    2  version                  of this layout
//    3  flags                    bit 0: signed
//    4  8 bytes                  the start of the cluster's hash
//   12  u32                      the connection epoch of the sender
//   16  u32, u32                 the sequence number, high half first
//   24  13 bytes                 a hybrid logical clock's reading
//   37  u8, then that many       the sender's node id
//       body                     segments, one after another: family u8, length u32, content
//       16 bytes, when signed    HMAC-SHA256 over the subject, a zero, and everything before
//
// The subject is signed too, so that a frame caught on one cannot be sent again on another.

/** What a segment of a body holds. A receiver skips families that it does not know. */
export type Family = typeof STATE_FAMILY | typeof USER_FAMILY | typeof REPEATED_FAMILY;
/** Messages between machines, one after another. */
export const STATE_FAMILY = 0;
/** Messages between processes, one after another. */
export const USER_FAMILY = 1;
/**
 * Messages between processes that differ only in their payloads: what they have in common, behind its length (u16), then each
 * payload, behind its length (u32).
 */
export const REPEATED_FAMILY = 2;

/** Messages that can stand in one segment are those of one stream. */
export interface Stream {
  readonly family: Family;
  /** What the messages of a repeated stream have in common; empty for the others. */
  readonly prelude: Uint8Array;
}

export const STATE: Stream = { family: STATE_FAMILY, prelude: new Uint8Array(0) };
export const USER: Stream = { family: USER_FAMILY, prelude: new Uint8Array(0) };

/** What one message adds to a segment besides its own bytes. */
export const PAYLOAD_LENGTH_BYTES = 4;
export const PRELUDE_LENGTH_BYTES = 2;

export const FORMAT_VERSION = 1;
export const CLUSTER_BYTES = 8;
export const MAC_BYTES = 16;
export const SEGMENT_BYTES = 5;
/** What a frame takes besides its segments, at most. */
export const OVERHEAD_BYTES = 38 + 255 + MAC_BYTES;

const SIGNED = 1;
const MAGIC_0 = 0x52;
const MAGIC_1 = 0x43;
const FLAGS = 3;
const CLUSTER = 4;
const EPOCH = 12;
const SEQUENCE = 16;
const STAMP = 24;
const STAMP_CHARS = 13;
const SENDER_LENGTH = 37;
const SENDER = 38;
const HALF = 0x1_0000_0000;

/** What a node writes on every frame it sends. */
export interface Envelope {
  readonly epoch: number;
  /** Rises by at least one from each frame of a sender to its next, for as long as the sender runs. */
  readonly sequence: number;
  readonly stamp: Stamp;
}

/** Messages of one stream, each encoded already. */
export interface Segment {
  readonly stream: Stream;
  readonly messages: Uint8Array[];
  /** Of its content, as it is on the wire. */
  bytes: number;
}

/** Writes the frames of one node. */
export class FrameWriter {
  readonly #header: Buffer;
  readonly #seal: Seal | undefined;

  /** @param seal undefined: frames are not signed */
  constructor(clusterHash: Uint8Array, sender: NodeId, seal: Seal | undefined) {
    this.#seal = seal;
    this.#header = Buffer.alloc(SENDER + sender.length);
    this.#header.set([MAGIC_0, MAGIC_1, FORMAT_VERSION, seal === undefined ? 0 : SIGNED]);
    this.#header.set(clusterHash.subarray(0, CLUSTER_BYTES), CLUSTER);
    this.#header[SENDER_LENGTH] = sender.length;
    this.#header.write(sender, SENDER, "latin1");
  }

  write(subject: string, envelope: Envelope, segments: readonly Segment[]): Uint8Array {
    const frame = Buffer.allocUnsafe(this.#size(segments));
    frame.set(this.#header);
    frame.writeUInt32BE(envelope.epoch, EPOCH);
    frame.writeUInt32BE(Math.floor(envelope.sequence / HALF), SEQUENCE);
    frame.writeUInt32BE(envelope.sequence % HALF, SEQUENCE + 4);
    frame.write(envelope.stamp, STAMP, "latin1");
    let position = this.#header.length;
    for (const segment of segments) {
      frame[position] = segment.stream.family;
      frame.writeUInt32BE(segment.bytes, position + 1);
      position = writeContent(frame, segment, position + SEGMENT_BYTES);
    }
    if (this.#seal !== undefined) frame.set(this.#seal.sign(subject, frame.subarray(0, position)), position);
    return frame;
  }

  #size(segments: readonly Segment[]): number {
    let size = this.#header.length + (this.#seal === undefined ? 0 : MAC_BYTES);
    for (const segment of segments) size += SEGMENT_BYTES + segment.bytes;
    return size;
  }
}

function writeContent(frame: Buffer, segment: Segment, start: number): number {
  const { family, prelude } = segment.stream;
  const isRepeated = family === REPEATED_FAMILY;
  let position = start;
  if (isRepeated) {
    frame.writeUInt16BE(prelude.length, position);
    frame.set(prelude, position + PRELUDE_LENGTH_BYTES);
    position += PRELUDE_LENGTH_BYTES + prelude.length;
  }
  for (const message of segment.messages) {
    if (isRepeated) position = frame.writeUInt32BE(message.length, position);
    frame.set(message, position);
    position += message.length;
  }
  return position;
}

/** The parts of a frame whose layout holds. Nothing in it is proven yet; the byte arrays are views. */
export interface RawFrame {
  readonly cluster: Uint8Array;
  readonly epoch: number;
  readonly sequence: number;
  readonly stamp: string;
  readonly sender: string;
  readonly body: Uint8Array;
  /** What the MAC is over; undefined when the frame is not signed. */
  readonly signed: { readonly content: Uint8Array; readonly mac: Uint8Array } | undefined;
}

/** The parts of a frame, or what is wrong with its layout. */
export function readFrame(data: Uint8Array): RawFrame | "malformed" | "version" {
  if (data.length < SENDER || data[0] !== MAGIC_0 || data[1] !== MAGIC_1) return "malformed";
  if (data[2] !== FORMAT_VERSION) return "version";
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  const signed = ((bytes[FLAGS] as number) & SIGNED) !== 0;
  const bodyStart = SENDER + (bytes[SENDER_LENGTH] as number);
  const bodyEnd = bytes.length - (signed ? MAC_BYTES : 0);
  if (bodyStart > bodyEnd) return "malformed";
  return {
    cluster: bytes.subarray(CLUSTER, CLUSTER + CLUSTER_BYTES),
    epoch: bytes.readUInt32BE(EPOCH),
    sequence: bytes.readUInt32BE(SEQUENCE) * HALF + bytes.readUInt32BE(SEQUENCE + 4),
    stamp: bytes.toString("latin1", STAMP, STAMP + STAMP_CHARS),
    sender: bytes.toString("latin1", SENDER, bodyStart),
    body: bytes.subarray(bodyStart, bodyEnd),
    signed: signed ? { content: bytes.subarray(0, bodyEnd), mac: bytes.subarray(bodyEnd) } : undefined,
  };
}

/** A segment as it arrived: `content` is a view. */
export interface RawSegment {
  readonly family: number;
  readonly content: Uint8Array;
}

/** Undefined when the lengths do not add up. */
export function readSegments(body: Uint8Array): readonly RawSegment[] | undefined {
  const segments: RawSegment[] = [];
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  for (let position = 0; position < body.length; ) {
    const start = position + SEGMENT_BYTES;
    if (start > body.length) return undefined;
    const end = start + view.getUint32(position + 1);
    if (end > body.length) return undefined;
    segments.push({ family: view.getUint8(position), content: body.subarray(start, end) });
    position = end;
  }
  return segments;
}

/** Goes over a repeated segment. */
export class RepeatedReader {
  /** A view. */
  readonly prelude: Uint8Array;
  /** Where the present payload stands in the segment. */
  start = 0;
  end: number;
  readonly #content: Uint8Array;

  private constructor(content: Uint8Array, preludeEnd: number) {
    this.#content = content;
    this.prelude = content.subarray(PRELUDE_LENGTH_BYTES, preludeEnd);
    this.end = preludeEnd;
  }

  /** Undefined when the lengths do not add up. Nothing is read before that is known. */
  static over(content: Uint8Array): RepeatedReader | undefined {
    const { length } = content;
    if (length < PRELUDE_LENGTH_BYTES) return undefined;
    const preludeEnd = PRELUDE_LENGTH_BYTES + ((content[0] as number) << 8) + (content[1] as number);
    let position = preludeEnd;
    while (position + PAYLOAD_LENGTH_BYTES <= length)
      position += PAYLOAD_LENGTH_BYTES + lengthAt(content, position);
    return position === length ? new RepeatedReader(content, preludeEnd) : undefined;
  }

  /** False: that was the last one. */
  next(): boolean {
    if (this.end === this.#content.length) return false;
    this.start = this.end + PAYLOAD_LENGTH_BYTES;
    this.end = this.start + lengthAt(this.#content, this.end);
    return true;
  }
}

function lengthAt(bytes: Uint8Array, position: number): number {
  const [first, second, third, fourth] = [
    bytes[position],
    bytes[position + 1],
    bytes[position + 2],
    bytes[position + 3],
  ];
  return (
    (((first as number) << 24) |
      ((second as number) << 16) |
      ((third as number) << 8) |
      (fourth as number)) >>>
    0
  );
}

/** What the nodes of a cluster that share a secret prove to each other with. */
export class Seal {
  readonly #keys: readonly KeyObject[];

  /** @param secrets the first signs, and every one verifies: so a secret is changed without stopping the cluster */
  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map((secret) => createSecretKey(secret, "utf8"));
  }

  sign(subject: string, content: Uint8Array): Uint8Array {
    return mac(this.#keys[0] as KeyObject, subject, content);
  }

  verify(subject: string, content: Uint8Array, claimed: Uint8Array): boolean {
    return this.#keys.some((key) => timingSafeEqual(mac(key, subject, content), claimed));
  }
}

function mac(key: KeyObject, subject: string, content: Uint8Array): Uint8Array {
  return createHmac("sha256", key)
    .update(`rollcall/frame\0${subject}\0`)
    .update(content)
    .digest()
    .subarray(0, MAC_BYTES);
}
