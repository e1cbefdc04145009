import type { Clock } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import type { LeaseReply, LeaseRequest } from "./requests.ts";
import type { LeaseSettings } from "./settings.ts";

/**
 * Where the leases of strict names are kept: an odd number of servers that fail independently. One will do if it is itself
 * replicated, as a JetStream stream is.
 *
 * ## What each server promises
 *
 * 1. **Atomic.** Each item of a request is carried out at once or not at all, and so is a request without items; different items
 *    of one request may be apart. After an answer, whatever is asked of that server finds what it says.
 * 2. **In order, at most once.** Requests of one connection are carried out in the order in which they were sent, and none of them
 *    twice: an adapter never sends one again by itself. Requests and replies may be lost, late, or carried out when nobody waits
 *    any more. What an earlier connection sent may be carried out after what a later one sent: that is what `connection` is for.
 *    A request with a lower number than its session has seen is refused (`stale`); a higher one is remembered.
 * 3. **Sessions.** `open`, `renew`, `acquire` and `attach` keep a session for `ttlMs` from when they are carried out, by the server's
 *    own clock: never less, but for steps of that clock. Afterwards it is gone for good, and whatever hangs on it with it. (That a
 *    vote lasts for a while once it is given is what `Lookup` counts on; a store of one server may leave it to `open` and `renew`.)
 * 4. **Votes.** A name has one vote on each server: session, claim, token and value. It is *live* while its session is. `acquire`
 *    gives it if there is no live one, or the same claim of the same session has it; `confirm` only if that claim has it; `attach`
 *    as `acquire`, but with the token that it says. Nothing else moves a vote, `release` and `close` end it.
 * 5. **Tokens.** The *bound* of a name is the higher of the token of its vote, live or not, and the server's `floor`. It never
 *    goes down: whoever deletes or replaces a vote raises the floor to its token first. `acquire` gives the higher of the proposal
 *    and the bound + 1; `confirm` raises the token of the vote, and never lowers it. Dead votes may be deleted at any time, so.
 * 6. **Guard.** When it cannot be sure to remember all sessions and tokens, it keeps out (`Guarded`): for `guardMs` of
 *    `LeaseTimes` by its own clock, from when it notices. It notices by what it stores beside the data: the identity of the run
 *    (restart, failover, wiped data: then it needs a floor too), and the time of the last contact (a clock that went back, or ahead
 *    by more than half a `ttlMs`: then not). A store that cannot forget, because it is replicated, needs no guard.
 * 7. **Queue.** `acquire` with a ticket that is not granted keeps a place in the name's queue, for as long as the session lives:
 *    ticket 0 gives a newcomer the highest number in the queue + 1; a higher one raises the ticket that it has, or is the one it
 *    gets. While anybody waits, a free name is kept for the first in line (lowest ticket, then session, then claim) for
 *    `RESERVATION_MS` from when the server first finds it so, in `acquire` or `release`; then for the next, and whoever has missed
 *    their turn loses their place. Whoever is granted the vote keeps its place until it leaves: a minority's votes are given back,
 *    and must not cost it. Only fairness depends on queues: they may be lost.
 * 8. **Configuration.** The first `recover` stores the store's `configuration`; whoever comes with another is refused
 *    (`misconfigured`).
 *
 * Votes, sessions, floor and `maxToken` need not survive a restart: the guard is for that, as long as no more than a minority
 * of servers forgets within one guard. They must not come back from the past unnoticed.
 */
export interface LeaseStore {
  readonly kind: "redis" | "jetstream" | "memory";
  /** What errors and logs call each server. 1 to `MAX_SERVERS`; every node has them in the same order. */
  readonly servers: readonly string[];
  readonly settings: LeaseSettings;
  /** Begins to connect to all of them, and goes on for as long as it takes. */
  open(options: LeaseOpenOptions): LeaseLinks;
}

export interface LeaseOpenOptions {
  /** Shown in the servers' own tools: the node id. */
  readonly clientName: string;
  readonly clock: Clock;
  readonly random: Random;
  /** There is a new connection to this server. Not called while there is one: `onDisconnected` comes first. */
  onConnected(server: number): void;
  /** The connection is gone. No reply to anything sent on it comes any more. */
  onDisconnected(server: number): void;
  /** @param id that of the request */
  onReply(server: number, id: number, reply: LeaseReply): void;
  /** Something that an operator should see: a server that refuses the password, or may evict data. */
  onWarning(server: number, message: string): void;
}

/** The connections of one node to the servers of a store. */
export interface LeaseLinks {
  /** Sends at once, or drops without a word when there is no connection. Never throws. */
  send(server: number, id: number, request: LeaseRequest): void;
  /** Sends what is pending, then closes. Idempotent. Nothing is called back afterwards. */
  close(): Promise<void>;
}
