import { MAX_TOKEN } from "../limits.ts";

/** Log entries between two snapshots, at least; and at least twice as many as there are sessions and votes, so that writing it again pays. */
export const ENTRIES_PER_SNAPSHOT = 1_024;

/** A snapshot is written in parts of so many bytes: far below the 1 MiB that a NATS server takes by default. */
export const SNAPSHOT_PART_BYTES = 262_144;

/** Parts of one snapshot, at most: 1 GiB. */
export const SNAPSHOT_PARTS = 4_096;

/** Snapshots that are being written at once, at most. The one that has had no part for longest is given up. */
export const OPEN_SNAPSHOTS = 4;

/** Entries that are kept until the snapshot that they follow has been read, at most. */
export const MAX_BUFFERED = 1_000_000;

/**
 * For so many entries back a node can tell whether somebody else has read the same log: 128 KiB. Whoever lags by more is not
 * compared with, and compares by itself.
 */
export const TRAIL_ENTRIES = 16_384;

/**
 * Epochs count up by so much, and what is below is drawn: two nodes that say at once that the log was lost say different ones, and
 * all who read both, in any order, go on from the higher one.
 */
export const EPOCH_STEP = 2 ** 20;

/**
 * The epoch goes up by so much at a time, at most: 1,024 losses. Whoever is really further ahead is met after several words. Without
 * it one stray number would take all there are; so it takes four million entries.
 */
export const EPOCH_REACH = 1_024 * EPOCH_STEP;

/** Epochs and counts are no higher. What is above is nobody's: there would be no number left to go on with. */
export const MAX_MARK = 2 ** 52;

/** Tokens up to here are anyone's guess: calendars up to the year 2112, in microseconds. */
export const SANE_TOKEN = Math.floor(MAX_TOKEN / 2);

/** Above that, a token is higher than any before by so much at most. To use up the rest takes a million entries. */
export const TOKEN_REACH = 2 ** 32;

/** A node says so often in a `ttlMs` that the log was lost, at most, whatever it reads. The guard that follows lasts for all of it. */
export const LOSSES_PER_TTL = 6;

/** Sessions of which one node remembers whether they have ended with the log that it read, at most. It uses one at a time. */
export const MAX_SESSIONS_KNOWN = 64;

/** Sessions that one node reports as silent at once, at most. The rest a moment later. */
export const EXPIRED_AT_ONCE = 256;

/** How often a consumer of the log says that it is there, in milliseconds: NATS takes 100 at least. */
export const HEARTBEAT_MS = 500;

/**
 * A connection on which the log says nothing for so long is given up, in milliseconds: a third of `ttlMs` within these. The server
 * on which the consumer lives has stopped, say. At least three heartbeats.
 */
export const SILENT_MS = { least: 1_500, most: 5_000 } as const;

/** Between two dials, in milliseconds: drawn from up to the first, doubled up to the last. For ever. */
export const REDIAL_MS = { first: 100, last: 2_000 } as const;

/** How long it takes until it is told that the stream took nothing, in milliseconds: drawn from up to the first, doubled up to the last. */
export const REFUSAL_MS = { first: 20, last: 500 } as const;

/** How long reading the log may take at the start, in milliseconds. */
export const CATCH_UP_MS = 60_000;

/** How long a close waits for what is pending to be written, in milliseconds. A hung server must not hold it. */
export const CLOSE_MS = 1_000;
