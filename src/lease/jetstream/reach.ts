import type { LeaseRequest } from "../requests.ts";
import type { LogNote } from "./entry.ts";
import { EPOCH_REACH, MAX_MARK, SANE_TOKEN, TOKEN_REACH } from "./limits.ts";

// How far one entry may go. Epochs and tokens never come down again, so somebody's stray number must not use them up. What is
// allowed follows from the state alone: all readers of a log say the same.

/** The highest epoch that may follow this one. */
export function epochReach(epoch: number): number {
  return Math.min(MAX_MARK, epoch + EPOCH_REACH);
}

/** The highest token that may be asked for, or told of, where this is the highest so far. */
export function tokenReach(maxToken: number): number {
  return Math.max(SANE_TOKEN, maxToken + TOKEN_REACH);
}

/** The highest token in a request; 0: there is none. */
export function tokenIn(request: LeaseRequest | LogNote): number {
  switch (request.kind) {
    case "lost":
      return request.maxToken;
    case "acquire":
      return highestOf(request.items.map(({ proposal }) => proposal));
    case "confirm":
    case "attach":
      return highestOf(request.items.map(({ token }) => token));
    default:
      return 0;
  }
}

function highestOf(tokens: readonly number[]): number {
  return tokens.reduce((highest, token) => Math.max(highest, token), 0);
}
