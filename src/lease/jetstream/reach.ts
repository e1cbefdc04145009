import { EPOCH_REACH, MAX_MARK, SANE_TOKEN, TOKEN_REACH } from "./limits.ts";

// How far one entry may go. Epochs and tokens never come down again, so somebody's stray number must not use them up. What is
// allowed follows from the state alone: all readers of a log say the same.

/** The highest epoch that may follow this one. */
export function epochReach(epoch: number): number {
  return Math.min(MAX_MARK, epoch + EPOCH_REACH);
}

/** The highest token that a loss may tell of, where this is the highest so far. */
export function tokenReach(maxToken: number): number {
  return Math.max(SANE_TOKEN, maxToken + TOKEN_REACH);
}
