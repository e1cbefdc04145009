import { fraction, type SeededRandom } from "../../src/kernel/random.ts";
import type { BusMessage } from "./bus-observer.ts";

/** Where these stand in a frame. */
export const VERSION_BYTE = 2;
export const CLUSTER_BYTE = 4;
const SEQUENCE_BYTE = 16;
const SENDER_BYTE = 38;
/** `@` and the incarnation. */
const INCARNATION_BYTES = 18;

/** Whether every node of the cluster listens there. */
export function isToAll({ subject }: BusMessage): boolean {
  return subject.split(".").at(-2) === "all";
}

/** Some of them, evenly. */
export function sample<T>(from: readonly T[], count: number): readonly T[] {
  const step = Math.max(1, Math.floor(from.length / count));
  return from.filter((_, index) => index % step === 0).slice(0, count);
}

/** The same frame with one byte changed. */
export function changed(data: Uint8Array, at: number, by: number): Buffer {
  const copy = Buffer.from(data);
  copy[at] = ((copy[at] ?? 0) + by) & 0xff;
  return copy;
}

/** The same frame with a sequence number that has not been seen. */
export function later(data: Uint8Array): Buffer {
  const copy = Buffer.from(data);
  copy.writeUInt32BE(copy.readUInt32BE(SEQUENCE_BYTE + 4) + 1_000_000, SEQUENCE_BYTE + 4);
  return copy;
}

/** The frame as a node named `evil` would send it, with some of its bytes changed. */
export function asStranger(data: Uint8Array, sequence: number, random: SeededRandom): Buffer {
  const copy = Buffer.from(data);
  copy.writeUInt32BE(sequence, SEQUENCE_BYTE + 4);
  const at = copy.indexOf("@");
  const sender = Buffer.concat([Buffer.from("evil"), copy.subarray(at, at + INCARNATION_BYTES)]);
  const body = Buffer.from(copy.subarray(at + INCARNATION_BYTES));
  for (let flips = Math.floor(fraction(random) * 4); flips > 0; flips -= 1) {
    body[Math.floor(fraction(random) * body.length)] = Math.floor(fraction(random) * 256);
  }
  const head = Buffer.from(copy.subarray(0, SENDER_BYTE));
  head[SENDER_BYTE - 1] = sender.length;
  return Buffer.concat([head, sender, body]);
}

export function randomBytes(random: SeededRandom, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => Math.floor(fraction(random) * 256)));
}
