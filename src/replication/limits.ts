/**
 * How many of its own latest operations a node keeps, to mend the gaps of others. At 100,000 writes a second it covers 0.6 s
 * of loss; past that a snapshot is sent, which costs the size of the table instead.
 */
export const TAIL_OPERATIONS = 65_536;

/** The operations that one message carries at most, so that a frame stays well under the bus's own limit. */
export const OPERATIONS_PER_MESSAGE = 1_000;

/** The bytes of one such message, by estimate. */
export const BYTES_PER_MESSAGE = 128 * 1024;

/** The operations held back behind a gap, or during a snapshot, for each owner; past that the later ones are asked for again. */
export const HELD_OPERATIONS = 65_536;

/** Snapshots that a node serves at once; a further asker waits, and asks again. */
export const SNAPSHOTS_SERVED = 16;

/** The chunks sent before the receiver asks for more: bounds what waits in the outbound queue. */
export const CHUNKS_PER_REQUEST = 8;

/** How long an unanswered question waits before it is asked again. */
export const RETRY_MS = 300;

/** Answers to one asker within `RETRY_MS`: a sound one needs a few, while it mends a long gap piece by piece. */
export const ANSWERS_PER_RETRY = 8;

/** A served snapshot that nobody asks about is dropped after this long. */
export const SNAPSHOT_IDLE_MS = 10_000;
