import type { Brand } from "../kernel/ids.ts";

/**
 * What a node asks of one lease server, and what that answers. `port.ts` says what a store has to promise about it.
 *
 * A node has one **session** on each server, and every name that it holds hangs on those: renewing costs as much for 10,000 names
 * as for one. A session that was lost is never renewed; the node opens another, of which no vote given to the old one is part.
 */

/** `owner#number`: one session of one node on one server. The owner is a node id, which is never used twice. */
export type SessionId = Brand<string, "SessionId">;

export function makeSessionId(owner: string, number: number): SessionId {
  return `${owner}#${number}` as SessionId;
}

export function ownerOf(session: SessionId): string {
  return session.slice(0, session.lastIndexOf("#"));
}

export type LeaseRequest =
  /** How are you? Counts as contact: a server that nobody has asked anything for half a `ttlMs` keeps out for a while. */
  | { readonly kind: "status" }
  /**
   * Ends the lack of a floor (see `Guarded`): from here on every token given out is higher than `floor`. Carried out only if
   * `guard` is the present one, and its wait is over; with `first`, which is for a store that was never used, also before.
   */
  | { readonly kind: "recover"; readonly guard: string; readonly floor: number; readonly first: boolean }
  /** Makes a session. No id is ever sent in two of these. */
  | SessionRequest<"open">
  /** Keeps it for another `ttlMs`. */
  | SessionRequest<"renew">
  | (SessionRequest<"acquire"> & { readonly items: readonly AcquireItem[] })
  | (SessionRequest<"confirm"> & { readonly items: readonly ConfirmItem[] })
  | (SessionRequest<"attach"> & { readonly items: readonly ConfirmItem[] })
  | (SessionRequest<"release"> & { readonly items: readonly ReleaseItem[] })
  /** Ends the session, with all votes and tickets that hang on it. */
  | SessionRequest<"close">
  /** Who has this server's vote for each of these names? */
  | { readonly kind: "read"; readonly names: readonly string[] };

interface SessionRequest<K extends string> {
  readonly kind: K;
  readonly session: SessionId;
  /** Goes up with each connection of this node to this server. What comes late on an earlier one is refused (`stale`). */
  readonly connection: number;
}

/** Gives the vote, if it is free. */
export interface AcquireItem {
  readonly name: string;
  /** The registration that this vote is for. Counts up on each node: another one of the same session is somebody else. */
  readonly claim: number;
  /** The token that it would like: the one it gets on every server, if none knows a higher one. 1 to `MAX_TOKEN`. */
  readonly proposal: number;
  /** Told to whoever asks for the holder. */
  readonly value: Uint8Array;
  /** Given: it waits for its turn. The number it has in the queue, if it knows one; else 0. */
  readonly ticket: number | undefined;
}

/** `confirm`: stores the token with a vote that was given. `attach`: gives the vote to who holds the name already, if it is free. */
export interface ConfirmItem {
  readonly name: string;
  readonly claim: number;
  readonly token: number;
  readonly value: Uint8Array;
}

/** Takes the vote back, if this claim of this session has it, and with `leave` its ticket too. */
export interface ReleaseItem {
  readonly name: string;
  readonly claim: number;
  readonly leave: boolean;
}

export type LeaseReply =
  /** To `status` and `recover`. `maxToken`: the highest token ever stored there; no floor is lower than it. */
  | { readonly kind: "ready"; readonly maxToken: number }
  /** To anything. */
  | Guarded
  /** To `open` and `renew`. `serverMs`: the clock that sessions expire by. */
  | { readonly kind: "kept"; readonly serverMs: number; readonly maxToken: number }
  /** To anything with a session: it is not there, whether it has expired, was closed, or never was. */
  | { readonly kind: "noSession" }
  /** To anything with a session: it has been used on a later connection. */
  | { readonly kind: "stale" }
  | { readonly kind: "acquired"; readonly items: readonly AcquireResult[] }
  /** To `confirm` and `attach`. */
  | { readonly kind: "confirmed"; readonly items: readonly ConfirmResult[] }
  | { readonly kind: "released"; readonly items: readonly ReleaseResult[] }
  | { readonly kind: "closed" }
  | { readonly kind: "read"; readonly items: readonly ReadResult[] }
  /** To anything: the server is used by nodes that are configured otherwise (other servers, another `ttlMs`). */
  | { readonly kind: "misconfigured"; readonly theirs: string }
  /** To anything: the server could not; whether it did is not known. */
  | { readonly kind: "failed"; readonly message: string };

/**
 * The server keeps out of everything but `status` and `recover`, renewals included, because it may have forgotten sessions that
 * nodes still count on: it was restarted or replaced, its data were wiped, its clock was stepped, or it stood still.
 */
export interface Guarded {
  readonly kind: "guarded";
  /** Which guard it is. Another, never used before, each time that one begins. */
  readonly guard: string;
  /** For how long it keeps out at least, by its own clock. */
  readonly waitMs: number;
  /** Whether it needs a floor too, because it may have forgotten tokens: all cases but those of the clock. */
  readonly needsFloor: boolean;
  /** Whether there are no data at all: it was never used, or has lost everything. */
  readonly empty: boolean;
  /** How long the server has been running; 0 where it can tell that data were deleted meanwhile. */
  readonly upMs: number;
  /** How long this guard has lasted, by the server's clock. */
  readonly ageMs: number;
}

/** A live vote. */
export interface Vote {
  readonly session: SessionId;
  readonly claim: number;
  readonly token: number;
  readonly value: Uint8Array;
}

export type AcquireResult =
  | { readonly kind: "granted"; readonly token: number }
  /** `leftMs`: how long the holder's session lasts if it is not renewed. */
  | ({ readonly kind: "held"; readonly vote: Vote; readonly leftMs: number } & Place)
  /** It is free, and kept for a waiter who came earlier, `next`. `leftMs`: for how long. */
  | ({ readonly kind: "reserved"; readonly next: SessionId; readonly leftMs: number } & Place)
  /** There are no higher tokens. */
  | { readonly kind: "exhausted" };

export interface Place {
  /** The ticket in this server's queue; undefined for those who do not wait, and when the queue is full. */
  readonly ticket: number | undefined;
  /** Live ones with earlier tickets, the holder included if it came by the queue. */
  readonly ahead: number;
}

export type ConfirmResult =
  | { readonly kind: "stored" }
  /** `confirm`: somebody else has the vote or nobody; `attach`: somebody else. */
  | { readonly kind: "lost" };

export interface ReleaseResult {
  /** Whose turn it is now, if the name is free and somebody waits. */
  readonly next: SessionId | undefined;
}

export type ReadResult =
  | { readonly kind: "vote"; readonly vote: Vote; readonly leftMs: number }
  | { readonly kind: "none" };
