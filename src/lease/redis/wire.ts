import { MalformedError } from "../../kernel/malformed.ts";
import type {
  AcquireResult,
  ConfirmResult,
  LeaseReply,
  LeaseRequest,
  Place,
  ReadResult,
  ReleaseResult,
  SessionId,
  Vote,
} from "../requests.ts";

export type Argument = string | number | Uint8Array;

/** The arguments of the script that depend on the request: its kind, and what comes from `ARGV[6]` on. */
export interface EncodedRequest {
  readonly kind: LeaseRequest["kind"];
  readonly rest: readonly Argument[];
}

/** @param configuration in full, for the first `recover` to store */
export function encodeRequest(request: LeaseRequest, configuration: string): EncodedRequest {
  return { kind: request.kind, rest: argumentsOf(request, configuration) };
}

function argumentsOf(request: LeaseRequest, configuration: string): readonly Argument[] {
  switch (request.kind) {
    case "status":
      return [];
    case "recover":
      return [request.guard, request.floor, request.first ? 1 : 0, configuration];
    case "read":
      return request.names;
    case "open":
    case "renew":
    case "close":
      return [request.session, request.connection];
    case "acquire": {
      const items = request.items.map(({ name, claim, proposal, value, ticket }) => [
        ...[name, claim, proposal],
        bytes(value),
        ticket ?? "",
      ]);
      return [request.session, request.connection, ...items.flat()];
    }
    case "confirm":
    case "attach": {
      const items = request.items.map(({ name, claim, token, value }) => [name, claim, token, bytes(value)]);
      return [request.session, request.connection, ...items.flat()];
    }
    case "release": {
      const items = request.items.map(({ name, claim, leave }) => [name, claim, leave ? 1 : 0]);
      return [request.session, request.connection, ...items.flat()];
    }
  }
}

/** The client takes a `Buffer` for bytes, and any other `Uint8Array` for something to be written as text. */
function bytes(value: Uint8Array): Uint8Array {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/**
 * What the script answered. Texts come as bytes, because values are bytes.
 * @throws MalformedError when it is nothing that the script answers
 */
export function decodeReply(reply: unknown): LeaseReply {
  const [kind, ...rest] = list(reply);
  const [first, second] = rest;
  switch (text(kind)) {
    case "ready":
      return { kind: "ready", maxToken: whole(first) };
    case "guarded":
      return {
        kind: "guarded",
        guard: text(first),
        waitMs: whole(second),
        needsFloor: whole(rest[2]) === 1,
        empty: whole(rest[3]) === 1,
        upMs: whole(rest[4]),
        ageMs: whole(rest[5]),
      };
    case "kept":
      return { kind: "kept", serverMs: whole(first), maxToken: whole(second) };
    case "noSession":
      return { kind: "noSession" };
    case "stale":
      return { kind: "stale" };
    case "closed":
      return { kind: "closed" };
    case "misconfigured":
      return { kind: "misconfigured", theirs: text(first) };
    case "acquired":
      return { kind: "acquired", items: list(first).map(readAcquired) };
    case "confirmed":
      return { kind: "confirmed", items: list(first).map(readConfirmed) };
    case "released":
      return { kind: "released", items: list(first).map(readReleased) };
    case "read":
      return { kind: "read", items: list(first).map(readVote) };
    default:
      throw new MalformedError(`an answer of the lease script that begins with ${text(kind)}`);
  }
}

function readAcquired(item: unknown): AcquireResult {
  const [kind, ...rest] = list(item);
  switch (text(kind)) {
    case "granted":
      return { kind: "granted", token: whole(rest[0]) };
    case "held":
      return { kind: "held", vote: vote(rest), leftMs: whole(rest[4]), ...place(rest[5], rest[6]) };
    case "reserved":
      return {
        kind: "reserved",
        next: text(rest[3]) as SessionId,
        leftMs: whole(rest[0]),
        ...place(rest[1], rest[2]),
      };
    case "exhausted":
      return { kind: "exhausted" };
    default:
      throw new MalformedError(`an answer to acquire that begins with ${text(kind)}`);
  }
}

function readConfirmed(item: unknown): ConfirmResult {
  return { kind: whole(item) === 1 ? "stored" : "lost" };
}

function readReleased(item: unknown): ReleaseResult {
  const next = text(item);
  return { next: next === "" ? undefined : (next as SessionId) };
}

function readVote(item: unknown): ReadResult {
  const [kind, ...rest] = list(item);
  if (text(kind) === "none") return { kind: "none" };
  return { kind: "vote", vote: vote(rest), leftMs: whole(rest[4]) };
}

function vote([session, claim, token, value]: readonly unknown[]): Vote {
  if (!(value instanceof Uint8Array)) throw new MalformedError("a vote whose value is no bytes");
  // A copy: what the client gives is a part of all that came from the socket with it.
  return {
    session: text(session) as SessionId,
    claim: whole(claim),
    token: whole(token),
    value: new Uint8Array(value),
  };
}

function place(ticket: unknown, ahead: unknown): Place {
  const number = whole(ticket);
  return { ticket: number === 0 ? undefined : number, ahead: whole(ahead) };
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new MalformedError(`an answer of the lease script that is ${typeof value} where it has a list`);
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  throw new MalformedError(`an answer of the lease script that is ${typeof value} where it has a text`);
}

/** Tokens come as texts: the client's parser gets numbers of 16 digits wrong by one. */
function whole(value: unknown): number {
  const number = typeof value === "number" ? value : Number(text(value));
  if (Number.isSafeInteger(number)) return number;
  throw new MalformedError(`an answer of the lease script that is ${number} where it has a whole number`);
}
