import { createHash, timingSafeEqual } from "node:crypto";
import type { Random } from "../kernel/random.ts";

/** 128 bits: nobody guesses one. */
const WORDS = 4;

export function secretId(random: Random): string {
  const words = Uint32Array.from({ length: WORDS }, () => random.u32());
  return Buffer.from(words.buffer).toString("base64url");
}

/** Takes the same time whatever the texts are: a difference would tell how much of a guess was right. */
export function isSameSecret(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
