/** Names that one request to a lease server is about, at most: what a server does in well under a millisecond. */
export const ITEMS_PER_REQUEST = 256;

/** Tickets that one name has on one server, at most. Whoever finds the queue full is not queued there, and polls all the same. */
export const WAITERS_PER_NAME = 10_000;

/**
 * For how long a free name is kept for the waiter whose turn it is, in milliseconds of the server's clock: two round trips and a
 * little more. A waiter that has died costs those behind it as much, each time.
 */
export const RESERVATION_MS = 250;

/** Tokens are whole numbers up to this one, so that every store and language can hold them: the year 2255 in microseconds. */
export const MAX_TOKEN = Number.MAX_SAFE_INTEGER;

/** Lease servers of one store, at most. Names are told apart by which of them voted for them: 2^7 groups. */
export const MAX_SERVERS = 7;

/** Commands (`register`, `lookup`) of one node that wait for lease servers at once. */
export const MAX_COMMANDS = 100_000;

/** Requests to one server under way at once. Who finds no room takes that server for out of reach, and tries again a little later. */
export const MAX_IN_FLIGHT = 10_000;

/**
 * Votes on one server that this node does not want and has not been told are gone, though the server has had its time for each.
 * Past this it gives up its session there, with all votes that hang on it, and opens another: nothing is owed then. If names
 * depend on the session it asks for nothing new there instead.
 */
export const MAX_OWED = 16_384;

/** Ballots of one node under way at once. Two full requests to each server: enough to keep them busy, and soon done. */
export const BALLOTS_AT_ONCE = 512;

/** Between two attempts at a name that several are after, in milliseconds: drawn from up to the first, doubled up to the last. */
export const BACKOFF_MS = { first: 4, last: 64 } as const;

/**
 * How long a waiter waits before it looks by itself, in milliseconds: so long when it is next, and so much more for each one ahead
 * of it; and no more often than lets each waiter of its node have so much time to itself. It is how a waiter that died is noticed,
 * and a word of release that was lost made up for.
 */
export const POLL_MS = { next: 500, perPlace: 250, perWaiter: 1 } as const;
