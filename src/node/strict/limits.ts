/**
 * Names whose last known holder is remembered, besides those that are held here. Past that the one that was heard of longest ago is
 * forgotten: it is a hint only.
 */
export const HOLDERS_KEPT = 10_000;

/** Questions to other nodes whose answers are let in, the latest ones. More are not under way in a sixth of a `ttlMs`. */
export const QUESTIONS_KEPT = 10_000;

/** How long the stop of a node waits for the lease servers, in milliseconds. Who does not hear of it sees the leases run out. */
export const RELEASE_MS = 1_000;

/**
 * How much longer than the caller said a command is waited for, in milliseconds. The machine gives up in time, and knows why; if
 * this comes first, something is broken.
 */
export const BACKSTOP_MS = 100;

/**
 * Names that a node asks for at once, but for those it stands in line for: some 50 ms of work. Were there more, answers would come
 * when they are not waited for any more, and all would be asked for again. The others wait here until these are through.
 */
export const ASKED_AT_ONCE = 512;

/** Before a message is sent anew, because who was thought to hold its name does not: doubled from the first to the last. */
export const RETRY_MS = { first: 10, last: 250 } as const;
