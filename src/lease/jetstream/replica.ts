import { ServerData } from "../memory/data.ts";
import { acquire, attach, confirm, read, release } from "../memory/votes.ts";
import type { LeaseReply, LeaseRequest, SessionId } from "../requests.ts";
import { type LeaseSettings, type LeaseTimes, leaseTimes } from "../settings.ts";
import type { LogEntry, LogNote } from "./entry.ts";
import type { ReplicaDump } from "./snapshot.ts";

type Lost = Extract<LogNote, { readonly kind: "lost" }>;

/** How a session was used last. */
interface Use {
  /** The place in the log of what kept it last. */
  keptAt: number;
  /** When this node read that, by its own monotonic clock. */
  readMs: number;
  /** When this node said that it is silent. */
  reportedMs: number;
  author: string;
  number: number;
}

/** Sessions do not end by a calendar here, so all that time says is how long this node has not heard of one. */
class ReplicaData extends ServerData {
  readonly #leftMs: (session: SessionId) => number;

  constructor(leftMs: (session: SessionId) => number) {
    super();
    this.#leftMs = leftMs;
  }

  override leftMs(session: SessionId): number {
    return this.#leftMs(session);
  }
}

/** A place in the log, and when the leader of the stream wrote it, by its calendar. */
export interface LogPlace {
  readonly at: number;
  readonly writtenMs: number;
}

/** Where an entry is carried out. */
export interface EntryPlace extends LogPlace {
  /** Whether its author knew of the last `lost`, and of no other: what they ask rests on the same beginning as this state. */
  readonly isCurrent: boolean;
}

/** For whoever had read something else than what the state rests on now. */
const OF_ANOTHER_LOG: LeaseReply = { kind: "failed", message: "the log of leases was lost meanwhile" };

/**
 * The rules of `LeaseStore`, carried out over a log. Every node has one, and gives it the same entries in the same order, so all of
 * them are in the same state at the same place: what an entry is answered depends on nothing but those before it. What is read on
 * this node's clock goes into no state. It is told (`leftMs`), and it leads to entries (`expire`, `endGuard`).
 */
export class LeaseReplica {
  readonly #settings: LeaseSettings;
  readonly #times: LeaseTimes;
  readonly #nowMs: () => number;
  #data = this.#makeData();
  /** Longest unheard of first. */
  #uses = new Map<SessionId, Use>();
  #guard: { readonly id: string; readMs: number; reportedMs: number } | undefined;

  /** @param nowMs this node's monotonic clock, in milliseconds */
  constructor(settings: LeaseSettings, nowMs: () => number) {
    this.#settings = settings;
    this.#times = leaseTimes(settings);
    this.#nowMs = nowMs;
  }

  /** Sessions and votes. */
  get size(): number {
    return this.#data.size;
  }

  get maxToken(): number {
    return Math.max(this.#data.maxToken, this.#data.floor);
  }

  /** Whether this configuration is the one that all must have. Nobody's, as long as nothing was asked. */
  accepts(configuration: string): boolean {
    return (this.#data.configuration ?? configuration) === configuration;
  }

  /**
   * @param place counted from the last `lost`
   * @returns undefined for a note, and for what came out of order
   */
  apply(entry: LogEntry, { at, isCurrent, writtenMs }: EntryPlace): LeaseReply | undefined {
    const data = this.#data;
    const { configuration, request } = entry;
    // The next leader's calendar may be behind. Only reservations go by it.
    data.seenMs = Math.max(data.seenMs, writtenMs);
    data.configuration ??= configuration;
    if (data.configuration !== configuration) return { kind: "misconfigured", theirs: data.configuration };
    switch (request.kind) {
      case "expire":
      case "endGuard":
        if (isCurrent) this.#note(request);
        return undefined;
      case "lost":
        // One that counts is carried out by `restart`.
        return undefined;
    }
    const guarded = this.#guarded();
    if (guarded !== undefined) return guarded;
    if (!isCurrent) return OF_ANOTHER_LOG;
    switch (request.kind) {
      case "status":
      case "recover":
        return { kind: "ready", maxToken: data.maxToken };
      case "read":
        return { kind: "read", items: request.names.map((name) => read(data, name)) };
      default:
        return this.#inSession(entry, request, at);
    }
  }

  /**
   * All that was known ends, whatever it was: replicas that differed are alike from here on. Sessions that are known here may not be
   * elsewhere, and of those that are, renewals may be lost; so all are opened anew, when everyone has had the time to give up.
   */
  restart(configuration: string, { epoch, maxToken }: Lost): void {
    this.#uses = new Map();
    this.#data = this.#makeData();
    Object.assign(this.#data, { configuration, maxToken, floor: maxToken });
    this.#guard = { id: `${epoch}`, readMs: this.#nowMs(), reportedMs: 0 };
  }

  /** What there is to say about the time that has passed; not again before `againMs`. */
  overdue(againMs: number, atOnce: number): readonly LogNote[] {
    const nowMs = this.#nowMs();
    const notes: LogNote[] = [];
    const guard = this.#guard;
    if (guard !== undefined && nowMs >= Math.max(guard.readMs + this.#times.guardMs, guard.reportedMs)) {
      guard.reportedMs = nowMs + againMs;
      notes.push({ kind: "endGuard", guard: guard.id });
    }
    for (const [session, use] of this.#uses) {
      if (use.readMs + this.#settings.ttlMs > nowMs || notes.length >= atOnce) break;
      if (use.reportedMs > nowMs) continue;
      use.reportedMs = nowMs + againMs;
      notes.push({ kind: "expire", session, keptAt: use.keptAt });
    }
    return notes;
  }

  dump(): ReplicaDump {
    const uses = [...this.#uses].map(([session, { author, keptAt, number }]) => ({
      ...{ session, author, keptAt, number },
    }));
    return { data: this.#data.dump(), uses, guard: this.#guard?.id };
  }

  load({ data, guard, uses }: ReplicaDump): void {
    this.#data = this.#makeData();
    this.#data.load(data);
    // Whoever reads of a session only now has to wait for a whole ttl from now.
    const readMs = this.#nowMs();
    this.#uses = new Map(uses.map(({ session, ...use }) => [session, { ...use, readMs, reportedMs: 0 }]));
    this.#guard = guard === undefined ? undefined : { id: guard, readMs, reportedMs: 0 };
  }

  #makeData(): ReplicaData {
    return new ReplicaData((session) => {
      const use = this.#uses.get(session);
      return use === undefined ? 0 : Math.max(0, use.readMs + this.#settings.ttlMs - this.#nowMs());
    });
  }

  #note(note: Exclude<LogNote, Lost>): void {
    switch (note.kind) {
      case "expire":
        if (this.#uses.get(note.session)?.keptAt === note.keptAt) this.#end(note.session);
        return;
      case "endGuard":
        if (this.#guard?.id === note.guard) this.#guard = undefined;
        return;
    }
  }

  #guarded(): LeaseReply | undefined {
    if (this.#guard === undefined) return undefined;
    const { id: guard, readMs } = this.#guard;
    const waitMs = Math.max(0, readMs + this.#times.guardMs - this.#nowMs());
    return {
      kind: "guarded",
      guard,
      waitMs,
      needsFloor: false,
      empty: false,
      upMs: 0,
      ageMs: this.#nowMs() - readMs,
    };
  }

  #inSession(
    { author, number }: LogEntry,
    request: Exclude<LeaseRequest, { kind: "status" | "recover" | "read" }>,
    at: number,
  ): LeaseReply | undefined {
    const data = this.#data;
    const { connection, session: id } = request;
    const use = this.#uses.get(id) ?? { keptAt: at, readMs: 0, reportedMs: 0, author, number: -1 };
    if (request.kind !== "open") {
      const session = data.session(id);
      if (session === undefined) return { kind: "noSession" };
      if (connection < session.connection) return { kind: "stale" };
      // 1. Two requests go to a leader; 2. it steps down with the first still in its hands; 3. the next leader takes the second.
      // The first must not come after that, should the old leader be elected again.
      if (use.author === author && use.number >= number) return undefined;
      session.connection = connection;
    }
    use.author = author;
    use.number = number;
    switch (request.kind) {
      case "open":
        data.setSession(id, { connection, expiresMs: Number.POSITIVE_INFINITY });
        return this.#keep(id, use, at);
      case "renew":
        return this.#keep(id, use, at);
      case "acquire":
        this.#keep(id, use, at);
        return { kind: "acquired", items: request.items.map((item) => acquire(data, id, item)) };
      case "confirm":
        return { kind: "confirmed", items: request.items.map((item) => confirm(data, id, item)) };
      case "attach":
        this.#keep(id, use, at);
        return { kind: "confirmed", items: request.items.map((item) => attach(data, id, item)) };
      case "release":
        return { kind: "released", items: request.items.map((item) => release(data, id, item)) };
      case "close":
        this.#end(id);
        return { kind: "closed" };
    }
  }

  #keep(session: SessionId, use: Use, at: number): LeaseReply {
    use.keptAt = at;
    use.readMs = this.#nowMs();
    use.reportedMs = 0;
    this.#uses.delete(session);
    this.#uses.set(session, use);
    return { kind: "kept", serverMs: use.readMs, maxToken: this.#data.maxToken };
  }

  #end(session: SessionId): void {
    this.#uses.delete(session);
    this.#data.closeSession(session);
  }
}
