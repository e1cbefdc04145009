/** The named limits of the HTTP service. What is over one is refused with the code `LIMIT_EXCEEDED` and the limit's name, or dropped and counted. */
export interface ServiceLimits {
  /** Of one request's body. Messages and metadata are limited by the node's own `messageBytes` and `metadataBytes` as well. */
  readonly bodyBytes: number;
  /** Of one request's headers. */
  readonly headerBytes: number;
  /** How long a client may take to send a request, in milliseconds. */
  readonly requestMs: number;
  /** Connections open at once. Further ones are closed at once. */
  readonly connections: number;
  /** Requests per second and client address, over time; and how many at once. Also messages of a WebSocket. */
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  /** Open sessions. */
  readonly sessions: number;
  /** What one session may hold of names, strict names, memberships and monitors together, requests under way included. */
  readonly holdings: number;
  /** Events that wait for a session's client, by number and by bytes; further messages are dropped and counted, calls fail. */
  readonly inboxEvents: number;
  readonly inboxBytes: number;
  /** Calls that a session's client has not answered. */
  readonly pendingReplies: number;
  /** How long a session's client has to answer a call, in milliseconds. */
  readonly replyMs: number;
  /** Streams of `/v1/watch` open at once. */
  readonly watchers: number;
  /** Changes that each watched table keeps for those who come back with `Last-Event-ID`, or read slowly. Who is further behind gets a resync. */
  readonly watchLog: number;
  /** How long a stream may take to read what was written to it, in milliseconds. Then it is closed. */
  readonly stallMs: number;
  /** How long an event stream of a session lives, in milliseconds. The client connects anew, which shows that it is there. */
  readonly streamMs: number;
  /** What a WebSocket may have waiting to be sent. Over it the connection is closed; the session has its grace. */
  readonly socketBytes: number;
  /** Calls, registrations and lookups of one node that wait for an answer. */
  readonly waits: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_LIMITS: ServiceLimits = {
  bodyBytes: MIB,
  headerBytes: 16 * KIB,
  requestMs: 30_000,
  connections: 20_000,
  requestsPerSecond: 5_000,
  requestBurst: 10_000,
  sessions: 10_000,
  holdings: 10_000,
  inboxEvents: 1_000,
  inboxBytes: 4 * MIB,
  pendingReplies: 1_000,
  replyMs: 30_000,
  watchers: 10_000,
  watchLog: 10_000,
  stallMs: 30_000,
  streamMs: 300_000,
  socketBytes: 4 * MIB,
  waits: 10_000,
};

/** How long a session lives without a sign of life, in milliseconds. */
export const SESSION_TTL = { least: 1_000, most: 3_600_000, usual: 30_000 } as const;
/** How long a session outlives its dropped WebSocket, in milliseconds. */
export const SESSION_GRACE = { least: 0, most: 300_000, usual: 2_000 } as const;
/** How long a request may wait. */
export const LONGEST_WAIT_MS = 600_000;
/** How many entries a page has. */
export const PAGE = { usual: 100, most: 1_000 } as const;
