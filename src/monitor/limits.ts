/** Added to the heartbeat interval for each node of the cluster: 100 heartbeats a second reach a node at most. */
export const MS_PER_NODE = 10;

/** Heartbeats come up to this part earlier or later than their interval, so that nodes do not beat in step. */
export const BEAT_JITTER = 0.1;

/**
 * The most that one step adds to the observed clock. Shorter than any time that leads to a judgement, so that a stall of this
 * node, however long, weighs like a moment; longer than `TICK_MS`, so that a merely late tick costs nothing.
 */
export const CLOCK_STEP_MS = 200;

/** A tick is due at least this often: it is what keeps the observed clock going. */
export const TICK_MS = 100;

/** After a stall nobody is judged for this long: what came in meanwhile is read first. */
export const SETTLE_MS = 100;

/** Stalls that follow each other put off judgement for this long in all: ten of them. */
export const MAX_POSTPONED_MS = 2_000;

/** A stranger is challenged at most this often. */
export const CHALLENGE_EVERY_MS = 250;

/** A stranger that was heard is challenged after this long, unless the frame it was heard by began the handshake itself. */
export const CHALLENGE_DELAY_MS = 20;

/** Challenges to one stranger without hearing it in between; the next frame of it starts them again. */
export const CHALLENGES_IN_A_ROW = 4;

/** Challenges after which the discovery phase waits for a stranger no longer, whether it is heard or not. */
export const CHALLENGES_IN_DISCOVERY = 5;

/** A nonce older than this is not accepted. Longer than any round trip in which a cluster can work. */
export const NONCE_LIFE_MS = 5_000;

/** A stranger not heard for this long is forgotten; a nonce for it has expired by then. */
export const STRANGER_LIFE_MS = 10_000;

/** Strangers known at once. Four times the largest cluster; past it a newcomer waits until others are up or forgotten. */
export const MAX_STRANGERS = 4_096;

/** Incarnations that are remembered as down, the latest ones. What is forgotten still needs a new handshake to come back. */
export const MAX_TOMBSTONES = 4_096;

/** Incompatible peers that are remembered while this node starts: one is enough to tell the user. */
export const MAX_INCOMPATIBLE = 64;

/** Scopes that one node can have open: they all stand in one hello. */
export const MAX_SCOPES = 256;

/** Between two hellos of a starting node, plus up to half of it by jitter. */
export const HELLO_EVERY_MS = 100;

/** How much older than two probes the last "no responders" may be for a peer to count as gone still: the round trip. */
export const PROBE_SLACK_MS = 50;

/** After this many probes that reached somebody, a connection that was gone is taken to be back. */
export const PROBES_UNTIL_CLEARED = 5;

/** Probes, during a bus fault, until the bus grace ends: many peers may have to be probed by every node at once. */
export const PROBES_IN_BUS_FAULT = 10;

/** How often the node that finds a peer gone tells the others, in case they do not hear it the first time. */
export const RUMOURS_PER_EVIDENCE = 3;

/** A node that finds a peer gone and may not judge it tells the others at the second of this many probes, as often as above. */
export const REFUSALS_PER_RUMOUR = 4;

/** At most one heartbeat in this time, however many nodes ask whether this one lives. */
export const REFUTE_EVERY_MS = 100;

/** A peer that says it beats less often than this is not believed: it would never be found silent. */
export const MAX_BEAT_MS = 60_000;

/** How often a starting node asks for its name again. */
export const NAME_PROBE_EVERY_MS = 100;

/** Ended processes of this node whose reason is kept, the latest ones, for monitors that come late. */
export const EXIT_REASONS_KEPT = 10_000;

/** Down nodes whose cause is kept, the latest ones, for monitors that come late. */
export const DOWN_CAUSES_KEPT = 4_096;

/** Serials in one message about watches: 9 bytes each at most. */
export const SERIALS_PER_MESSAGE = 1_000;

/** Ends in one message. With the longest of errors each they take 256 KiB, well under what a bus carries. */
export const ENDS_PER_MESSAGE = 32;

/** How much of the message of an error travels, in UTF-16 code units: three bytes each at most. */
export const ERROR_MESSAGE_UNITS = 2_000;

/** How much of its name travels, and of its code. */
export const ERROR_NAME_UNITS = 64;

/**
 * How much of the stack of an error travels with the failure of a call, in UTF-16 code units, and how many causes behind it:
 * with the longest of all of them such a failure takes about 100 KiB, well under what a bus carries.
 */
export const ERROR_STACK_UNITS = 4_096;
export const ERROR_CAUSES = 4;

/** What is thrown without being an error travels as a value up to this size, else as a description. */
export const ERROR_VALUE_BYTES = 4_096;

/** The latest ends told to a watcher that may still be under way when it says what it watches. */
export const ENDS_UNDER_WAY = 1_024;

/** How often a watcher that watches nothing any more says so. */
export const EMPTY_CHECKS = 2;

/** A watcher that said nothing about its watches for this long is asked. Longer than three checks in a cluster of 1,000. */
export const UNHEARD_WATCHER_MS = 35_000;
