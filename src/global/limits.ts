/** Claims that one arbiter lets wait at once, over all names. Past that a claimer is told to come back: it asks again. */
export const PARKED_CLAIMS = 100_000;

/** How long a question between nodes waits for its answer before it is asked again. */
export const RETRY_MS = 300;

/** Answers kept to requests of other nodes, in case they did not arrive and the request comes again. */
export const ANSWERS_KEPT = 4_096;

/**
 * The nodes that are down for which it is remembered what was given up at them, and what was registered for them: should they
 * come back, it is withdrawn. Past that the one that went first is forgotten.
 */
export const DOWN_NODES_KEPT = 64;

/** Commands that may wait at one owner for one name. */
export const QUEUED_PER_NAME = 10_000;

/** A decider that could not collect all promises within this time lets go of them and starts again. */
export const PROMISE_MS = 2_000;

/**
 * The names of which each node remembers lately ended registrations, twice over: at 100,000 ends a second, those of the last
 * 40 ms at least. Past that a reader whose log of one node lags more than this may see such a registration for a moment.
 */
export const ENDS_REMEMBERED = 4_096;

/** The same, of one name: one for each of the nodes that held it last. */
export const ENDS_REMEMBERED_PER_NAME = 4;
