import {
  LimitExceededError,
  NameTakenError,
  NoLeasesError,
  NoQuorumError,
  RollcallError,
} from "../kernel/errors.ts";

/** What a client is told, as RFC 9457 has it. `code` is stable; `detail` is for people. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly [member: string]: unknown;
}

/** Codes of the service's own; all others are those of the library's errors. */
const OWN = {
  BAD_JSON: [400, "The body is not JSON"],
  BAD_REQUEST: [400, "The request is not as it must be"],
  UNAUTHENTICATED: [401, "A token is needed"],
  FORBIDDEN: [403, "Not allowed"],
  NOT_FOUND: [404, "There is no such address"],
  NO_SUCH_SESSION: [404, "The session is not open"],
  NO_SUCH_CALL: [404, "The call is not waiting for an answer"],
  NO_SUCH_MONITOR: [404, "The monitor is not there"],
  NO_SUCH_SCOPE: [404, "The scope is not open on this node"],
  NOT_HELD: [404, "The session does not hold this"],
  METHOD_NOT_ALLOWED: [405, "The address does not take this method"],
  BODY_TOO_LARGE: [413, "The body is too large"],
  UNSUPPORTED_MEDIA_TYPE: [415, "The body must be JSON"],
  UPGRADE_REQUIRED: [426, "This address is a WebSocket"],
  RATE_LIMITED: [429, "Too many requests"],
  DRAINING: [503, "The node is leaving"],
  INTERNAL: [500, "Something went wrong here"],
} as const satisfies Readonly<Record<string, readonly [number, string]>>;

export type OwnCode = keyof typeof OWN;

/** Status and title of the library's errors. */
const OF_LIBRARY: Readonly<Record<string, readonly [number, string]>> = {
  INVALID_ARGUMENT: [400, "A value is not as it must be"],
  NO_SUCH_NAME: [404, "Nobody holds the name"],
  NO_SUCH_PROCESS: [404, "The process is not alive"],
  NAME_TAKEN: [409, "The name is held"],
  NOT_LOCAL: [409, "The process lives on another node"],
  LEASE_LOST: [409, "The lease was lost"],
  LIMIT_EXCEEDED: [429, "A limit is reached"],
  NO_LEASES: [501, "This node has no lease servers"],
  CALL_FAILED: [502, "The one who was called failed"],
  NODE_DOWN: [503, "The node is down or leaving"],
  NO_QUORUM: [503, "Too few lease servers take part"],
  INDETERMINATE: [503, "It cannot be told now"],
  BUS_CLOSED: [503, "The node is leaving"],
  TIMEOUT: [504, "It took too long"],
};

/** For who runs the server: the library's own words are for who writes the program. */
const NO_LEASES =
  "strict names need lease servers: start the server with REDIS_URLS, or with ROLLCALL_LEASES=jetstream and NATS_URL";
/** Limits that the request itself is over, whenever it is sent. */
const OF_SIZE = new Set(["messageBytes", "metadataBytes"]);
const TYPE = "urn:rollcall:problem:";

/** Thrown by the service for its own reasons. */
export class ServiceError extends Error {
  readonly code: OwnCode;
  /** Further members of the problem. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(code: OwnCode, detail: string, members: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.name = "ServiceError";
    this.code = code;
    this.members = members;
  }
}

/** What a client may know of an error: undefined when it says nothing that was meant for clients, and has to be logged. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof ServiceError)
    return problem(error.code, OWN[error.code], error.message, error.members);
  if (!(error instanceof RollcallError)) return undefined;
  const known = OF_LIBRARY[error.code];
  if (known === undefined) return undefined;
  const [status, title] = known;
  if (error instanceof NoLeasesError) return problem(error.code, known, NO_LEASES);
  const isTooLarge = error instanceof LimitExceededError && OF_SIZE.has(error.limit);
  return problem(error.code, [isTooLarge ? 413 : status, title], error.message, membersOf(error));
}

export const INTERNAL_PROBLEM: Problem = problem(
  "INTERNAL",
  OWN.INTERNAL,
  "the log of this node tells what happened",
);

function problem(
  code: string,
  [status, title]: readonly [number, string],
  detail: string,
  members: Readonly<Record<string, unknown>> = {},
): Problem {
  return { type: `${TYPE}${code}`, title, status, code, detail, ...members };
}

function membersOf(error: RollcallError): Readonly<Record<string, unknown>> {
  if (error instanceof NameTakenError) return { holder: error.holder };
  if (error instanceof LimitExceededError) return { limit: error.limit, allowed: error.allowed };
  if (error instanceof NoQuorumError) {
    const { keptOut, needed, reached } = error;
    return { reached, needed, keptOut };
  }
  return {};
}
