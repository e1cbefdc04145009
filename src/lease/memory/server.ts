import type { Guarded, LeaseReply, LeaseRequest, SessionId } from "../requests.ts";
import { type LeaseSettings, type LeaseTimes, leaseTimes } from "../settings.ts";
import { ServerData } from "./data.ts";
import { acquire, attach, confirm, read, release } from "./votes.ts";

export interface MemoryLeaseServerOptions {
  readonly settings: LeaseSettings;
  /** Its own clock, in milliseconds: it may step. */
  readonly now: () => number;
  /** Since when it has been running, by that clock. Default: now. */
  readonly startedMs?: number | undefined;
}

/**
 * One lease server in memory: the rules of `LeaseStore`, as they are, to be read beside them. It can be restarted, with all of its
 * data, with older ones or with none, and wiped as it runs.
 */
export class MemoryLeaseServer {
  readonly #settings: LeaseSettings;
  readonly #times: LeaseTimes;
  readonly #now: () => number;
  #startedMs: number;
  #run = 1;
  #guards = 0;
  #data: ServerData | undefined;
  /** As it ran. */
  #wasWiped = false;

  constructor(options: MemoryLeaseServerOptions) {
    this.#settings = options.settings;
    this.#times = leaseTimes(options.settings);
    this.#now = options.now;
    this.#startedMs = options.startedMs ?? options.now();
  }

  /** Whether it takes part, as far as it knows itself. */
  get isReady(): boolean {
    return (
      this.#data !== undefined && this.#data.run === `${this.#run}` && this.#guarded(this.#data) === undefined
    );
  }

  /** What a restart could find later. */
  snapshot(): ServerData | undefined {
    return this.#data?.copy();
  }

  /** @param data what it finds then: undefined for nothing */
  restart(data: ServerData | undefined): void {
    this.#wasWiped = false;
    this.#run += 1;
    this.#startedMs = this.#now();
    this.#data = data?.copy();
  }

  /** Everything is deleted, and the server runs on. */
  wipe(): void {
    this.#data = undefined;
    this.#wasWiped = true;
  }

  /** @param configuration that of the store the request comes from */
  execute(request: LeaseRequest, configuration: string): LeaseReply {
    const data = this.#look();
    if (data.configuration !== undefined && data.configuration !== configuration) {
      return { kind: "misconfigured", theirs: data.configuration };
    }
    if (request.kind === "recover") return this.#recover(data, request, configuration);
    const guarded = this.#guarded(data);
    if (guarded !== undefined) return guarded;
    switch (request.kind) {
      case "status":
        return { kind: "ready", maxToken: data.maxToken };
      case "read":
        return { kind: "read", items: request.names.map((name) => read(data, name)) };
      default:
        return this.#inSession(data, request);
    }
  }

  /** Every contact: has something happened since the last that may have made this server forget? */
  #look(): ServerData {
    const nowMs = this.#now();
    const run = `${this.#run}`;
    const data = this.#data ?? new ServerData();
    this.#data = data;
    const steppedOrStood = nowMs < data.seenMs || nowMs - data.seenMs > this.#settings.ttlMs / 2;
    if (data.run !== run || steppedOrStood) {
      if (data.run !== run) data.needsFloor = true;
      data.run = run;
      this.#guards += 1;
      data.guard = `${run}.${this.#guards}`;
      data.guardUntilMs = nowMs + this.#times.guardMs;
    }
    data.seenMs = nowMs;
    return data;
  }

  #guarded(data: ServerData): Guarded | undefined {
    const waitMs = Math.max(0, data.guardUntilMs - data.seenMs);
    if (waitMs === 0 && !data.needsFloor) return undefined;
    const { guard, isEmpty: empty, needsFloor } = data;
    const upMs = this.#wasWiped ? 0 : data.seenMs - this.#startedMs;
    const ageMs = Math.max(0, data.seenMs - data.guardUntilMs + this.#times.guardMs);
    return { kind: "guarded", guard, waitMs, needsFloor, empty, upMs, ageMs };
  }

  #recover(
    data: ServerData,
    { guard, floor, first }: Extract<LeaseRequest, { kind: "recover" }>,
    configuration: string,
  ): LeaseReply {
    const isOver = data.seenMs >= data.guardUntilMs || (first && data.isEmpty);
    if (data.needsFloor && data.guard === guard && isOver) {
      data.floor = Math.max(data.floor, floor);
      data.maxToken = Math.max(data.maxToken, data.floor);
      data.needsFloor = false;
      data.guardUntilMs = data.seenMs;
      data.configuration = configuration;
    }
    return this.#guarded(data) ?? { kind: "ready", maxToken: data.maxToken };
  }

  #inSession(
    data: ServerData,
    request: Exclude<LeaseRequest, { kind: "status" | "recover" | "read" }>,
  ): LeaseReply {
    const { connection, session: id } = request;
    if (request.kind === "open") return this.#keep(data, id, connection);
    const session = data.session(id);
    if (session === undefined) return { kind: "noSession" };
    if (connection < session.connection) return { kind: "stale" };
    session.connection = connection;
    switch (request.kind) {
      case "renew":
        return this.#keep(data, id, connection);
      case "acquire":
        this.#keep(data, id, connection);
        return { kind: "acquired", items: request.items.map((item) => acquire(data, id, item)) };
      case "confirm":
        return { kind: "confirmed", items: request.items.map((item) => confirm(data, id, item)) };
      case "attach":
        this.#keep(data, id, connection);
        return { kind: "confirmed", items: request.items.map((item) => attach(data, id, item)) };
      case "release":
        return { kind: "released", items: request.items.map((item) => release(data, id, item)) };
      case "close":
        data.closeSession(id);
        return { kind: "closed" };
    }
  }

  #keep(data: ServerData, session: SessionId, connection: number): LeaseReply {
    data.setSession(session, { connection, expiresMs: data.seenMs + this.#settings.ttlMs });
    return { kind: "kept", serverMs: data.seenMs, maxToken: data.maxToken };
  }
}
