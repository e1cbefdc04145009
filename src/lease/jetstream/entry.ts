import { MalformedError } from "../../kernel/malformed.ts";
import { pack, unpack } from "../../kernel/msgpack.ts";
import type { AcquireItem, ConfirmItem, LeaseRequest, ReleaseItem, SessionId } from "../requests.ts";
import { bytes, counted, flag, list, text, whole } from "./fields.ts";
import { LOG_START, type LogMark } from "./trail.ts";

/** What stands in the log beside the requests: what the nodes tell each other about it. */
export type LogNote =
  /** Somebody has waited for a whole `ttlMs` since this session was kept last. Without effect if it has been kept since. */
  | { readonly kind: "expire"; readonly session: SessionId; readonly keptAt: number }
  /**
   * Somebody has seen more of the log than there is, or another one. Everything ends, and begins anew with this: the state from here
   * on follows from it alone. `epoch`: higher than any that was known; without effect if it is not. `maxToken`: the highest that they
   * know of.
   */
  | { readonly kind: "lost"; readonly epoch: number; readonly maxToken: number }
  /** Somebody has waited for as long as this guard has to last. */
  | { readonly kind: "endGuard"; readonly guard: string };

export interface LogEntry {
  /** One connection of one node: a text that nobody else uses. */
  readonly author: string;
  /** Goes up with each entry of the same author. */
  readonly number: number;
  /** What the author knows its request by. */
  readonly id: number;
  readonly configuration: string;
  /** What its author had carried out of the log when it wrote this. */
  readonly mark: LogMark;
  readonly request: LeaseRequest | LogNote;
}

/** Fields of a request, at most: the mark stands behind so many, where nodes of an older layout do not look. */
const MOST_FIELDS = 3;

export function encodeEntry({ author, configuration, id, mark, number, request }: LogEntry): Uint8Array {
  const fields = fieldsOf(request);
  const padding = Array.from({ length: MOST_FIELDS - fields.length }, () => null);
  return pack([author, number, id, configuration, request.kind, ...fields, ...padding, ...markFields(mark)]);
}

export function markFields({ count, digest, epoch }: LogMark): readonly number[] {
  return [epoch, count, digest];
}

/** @param fields none: it is of an older layout. Its configuration says so, and only that has to be understood. */
export function readMark(fields: readonly unknown[]): LogMark {
  if (fields.length === 0) return LOG_START;
  const [epoch, count, digest] = fields;
  return { epoch: counted(epoch), count: counted(count), digest: whole(digest) };
}

function fieldsOf(request: LeaseRequest | LogNote): readonly unknown[] {
  switch (request.kind) {
    case "status":
      return [];
    case "recover":
      return [request.guard, request.floor, request.first];
    case "read":
      return [request.names];
    case "expire":
      return [request.session, request.keptAt];
    case "lost":
      return [request.maxToken, request.epoch];
    case "endGuard":
      return [request.guard];
    case "open":
    case "renew":
    case "close":
      return [request.session, request.connection];
    case "acquire": {
      const items = request.items.map(({ claim, name, proposal, ticket, value }) => [
        ...[name, claim, proposal, value, ticket ?? null],
      ]);
      return [request.session, request.connection, items];
    }
    case "confirm":
    case "attach": {
      const items = request.items.map(({ claim, name, token, value }) => [name, claim, token, value]);
      return [request.session, request.connection, items];
    }
    case "release": {
      const items = request.items.map(({ claim, leave, name }) => [name, claim, leave]);
      return [request.session, request.connection, items];
    }
  }
}

/** @throws MalformedError when it is none */
export function decodeEntry(data: Uint8Array): LogEntry {
  const [author, number, id, configuration, kind, ...rest] = list(unpack(data));
  return {
    author: text(author),
    number: whole(number),
    id: whole(id),
    configuration: text(configuration),
    mark: readMark(rest.slice(MOST_FIELDS)),
    request: readRequest(text(kind), rest),
  };
}

function readRequest(kind: string, fields: readonly unknown[]): LeaseRequest | LogNote {
  const [first, second, third] = fields;
  switch (kind) {
    case "status":
      return { kind };
    case "recover":
      return { kind, guard: text(first), floor: whole(second), first: flag(third) };
    case "read":
      return { kind, names: list(first).map(text) };
    case "expire":
      return { kind, session: text(first) as SessionId, keptAt: whole(second) };
    case "lost":
      return { kind, maxToken: whole(first), epoch: counted(second) };
    case "endGuard":
      return { kind, guard: text(first) };
    default:
      return readSessionRequest(kind, text(first) as SessionId, whole(second), third);
  }
}

function readSessionRequest(
  kind: string,
  session: SessionId,
  connection: number,
  items: unknown,
): LeaseRequest {
  const common = { session, connection };
  switch (kind) {
    case "open":
    case "renew":
    case "close":
      return { kind, ...common };
    case "acquire":
      return { kind, ...common, items: list(items).map(readAcquireItem) };
    case "confirm":
    case "attach":
      return { kind, ...common, items: list(items).map(readConfirmItem) };
    case "release":
      return { kind, ...common, items: list(items).map(readReleaseItem) };
    default:
      throw new MalformedError(`a lease request of the kind ${kind}`);
  }
}

function readAcquireItem(item: unknown): AcquireItem {
  const [name, claim, proposal, value, ticket] = list(item);
  return {
    name: text(name),
    claim: whole(claim),
    proposal: whole(proposal),
    value: bytes(value),
    ticket: ticket === null ? undefined : whole(ticket),
  };
}

function readConfirmItem(item: unknown): ConfirmItem {
  const [name, claim, token, value] = list(item);
  return { name: text(name), claim: whole(claim), token: whole(token), value: bytes(value) };
}

function readReleaseItem(item: unknown): ReleaseItem {
  const [name, claim, leave] = list(item);
  return { name: text(name), claim: whole(claim), leave: flag(leave) };
}
