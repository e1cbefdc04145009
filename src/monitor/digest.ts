import { hashNumber } from "../kernel/hash.ts";

/** A digest that does not depend on the order: the sum of the hashes. */
export function addToDigest(digest: number, serial: number): number {
  return (digest + hashNumber(serial)) >>> 0;
}

export function takeFromDigest(digest: number, serial: number): number {
  return (digest - hashNumber(serial)) >>> 0;
}
