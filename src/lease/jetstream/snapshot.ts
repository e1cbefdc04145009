import { MalformedError } from "../../kernel/malformed.ts";
import { pack, unpack } from "../../kernel/msgpack.ts";
import type { DataDump } from "../memory/data.ts";
import type { QueueDump } from "../memory/queue.ts";
import type { SessionId, Vote } from "../requests.ts";
import { markFields, readMark } from "./entry.ts";
import { bytes, finite, list, text, whole } from "./fields.ts";
import { OPEN_SNAPSHOTS, SNAPSHOT_PART_BYTES, SNAPSHOT_PARTS } from "./limits.ts";
import type { LogMark } from "./trail.ts";

/** All that a replica knows at one place of the log. */
export interface ReplicaDump {
  readonly data: DataDump;
  /** Longest unheard of first. */
  readonly uses: readonly {
    readonly session: SessionId;
    readonly author: string;
    readonly keptAt: number;
    readonly number: number;
  }[];
  readonly guard: string | undefined;
}

export interface Snapshot {
  /** It is what the log comes to up to here, this entry included. */
  readonly at: number;
  /** What had been carried out by then. */
  readonly mark: LogMark;
  readonly dump: ReplicaDump;
}

/** @returns the messages that it is written in, in this order; undefined when it is too large */
export function encodeSnapshot(
  { at, dump, mark }: Snapshot,
  author: string,
): readonly Uint8Array[] | undefined {
  const { data, guard, uses } = dump;
  const { configuration, floor, maxToken, queues, seenMs, sessions, sweepAt, votes } = data;
  const body = pack([
    ...[configuration ?? null, floor, maxToken, seenMs, sweepAt, guard ?? null],
    sessions.map(([id, connection]) => [id, connection]),
    votes.map(([name, { claim, session, token, value }]) => [name, session, claim, token, value]),
    queues.map(([name, { kept, waiters }]) => [
      ...[name, kept?.index ?? null, kept?.untilMs ?? null],
      waiters.map(({ claim, session, ticket }) => [session, claim, ticket]),
    ]),
    uses.map(({ author: by, keptAt, number, session }) => [session, by, keptAt, number]),
    ...markFields(mark),
  ]);
  const count = Math.ceil(body.length / SNAPSHOT_PART_BYTES);
  if (count > SNAPSHOT_PARTS) return undefined;
  return Array.from({ length: count }, (_, index) => {
    const part = body.subarray(index * SNAPSHOT_PART_BYTES, (index + 1) * SNAPSHOT_PART_BYTES);
    return pack([`${author} ${at}`, at, index, count, part]);
  });
}

interface Parts {
  readonly count: number;
  readonly parts: Uint8Array[];
}

/** Puts snapshots together. Those of several authors may stand in the log between each other; parts that are missing spoil one. */
export class SnapshotAssembly {
  readonly #open = new Map<string, Parts>();

  /**
   * @returns the snapshot that this part completes
   * @throws MalformedError when it is no part of any, or the whole is no snapshot
   */
  take(message: Uint8Array): Snapshot | undefined {
    const [id, at, index, count, part] = list(unpack(message));
    const key = text(id);
    const parts = this.#open.get(key) ?? { count: whole(count), parts: [] };
    this.#open.delete(key);
    if (whole(index) !== parts.parts.length || parts.count !== whole(count)) {
      throw new MalformedError(`part ${whole(index)} of a snapshot of which ${parts.parts.length} are there`);
    }
    if (parts.count > SNAPSHOT_PARTS) throw new MalformedError(`a snapshot of ${parts.count} parts`);
    parts.parts.push(bytes(part));
    if (parts.parts.length === parts.count) {
      return readSnapshot(whole(at), list(unpack(Buffer.concat(parts.parts))));
    }
    this.#open.set(key, parts);
    const [oldest] = this.#open.keys();
    if (oldest !== undefined && this.#open.size > OPEN_SNAPSHOTS) this.#open.delete(oldest);
    return undefined;
  }
}

function readSnapshot(at: number, fields: readonly unknown[]): Snapshot {
  const [configuration, floor, maxToken, seenMs, sweepAt, guard, sessions, votes, queues, uses, ...mark] =
    fields;
  const dump = {
    guard: guard === null ? undefined : text(guard),
    uses: list(uses).map((use) => {
      const [session, author, keptAt, number] = list(use);
      return {
        session: text(session) as SessionId,
        author: text(author),
        keptAt: whole(keptAt),
        number: whole(number),
      };
    }),
    data: {
      configuration: configuration === null ? undefined : text(configuration),
      floor: whole(floor),
      maxToken: whole(maxToken),
      seenMs: finite(seenMs),
      sweepAt: whole(sweepAt),
      sessions: list(sessions).map((session) => {
        const [id, connection] = list(session);
        return [text(id) as SessionId, whole(connection), Number.POSITIVE_INFINITY] as const;
      }),
      votes: list(votes).map(readVote),
      queues: list(queues).map(readQueue),
    },
  };
  return { at, mark: readMark(mark), dump };
}

function readVote(item: unknown): readonly [string, Vote] {
  const [name, session, claim, token, value] = list(item);
  const vote = {
    session: text(session) as SessionId,
    claim: whole(claim),
    token: whole(token),
    value: bytes(value),
  };
  return [text(name), vote];
}

function readQueue(item: unknown): readonly [string, QueueDump] {
  const [name, index, untilMs, waiters] = list(item);
  const kept = index === null ? undefined : { index: whole(index), untilMs: finite(untilMs) };
  const read = list(waiters).map((waiter) => {
    const [session, claim, ticket] = list(waiter);
    return { session: text(session) as SessionId, claim: whole(claim), ticket: whole(ticket) };
  });
  return [text(name), { kept, waiters: read }];
}
