import type { SessionId, Vote } from "../requests.ts";
import { type QueueDump, WaiterQueue } from "./queue.ts";

interface Session {
  connection: number;
  expiresMs: number;
}

/** All of it as plain values, for another server to go on from exactly there. */
export interface DataDump {
  readonly configuration: string | undefined;
  readonly seenMs: number;
  readonly floor: number;
  readonly maxToken: number;
  readonly sweepAt: number;
  /** Id, connection, and when it ends. */
  readonly sessions: readonly (readonly [SessionId, number, number])[];
  readonly votes: readonly (readonly [string, Vote])[];
  readonly queues: readonly (readonly [string, QueueDump])[];
}

/** Dead votes, sessions and waiters are looked for when there are so many of these and of queues, and then twice as many as were left. */
const LEAST_SWEEP = 1_024;

/** What one server remembers. */
export class ServerData {
  /** Undefined until the first `recover`: there are no data yet. */
  configuration: string | undefined;
  /** The run that wrote here last. */
  run = "";
  guard = "";
  guardUntilMs = 0;
  needsFloor = true;
  seenMs = 0;
  floor = 0;
  maxToken = 0;
  #sessions = new Map<SessionId, Session>();
  #votes = new Map<string, Vote>();
  #queues = new Map<string, WaiterQueue>();
  #sweepAt = LEAST_SWEEP;

  /** As of now: what a server has on its disk. The queues are not there. */
  copy(): ServerData {
    const copy = new ServerData();
    const { configuration, run, guard, guardUntilMs, needsFloor, seenMs, floor, maxToken } = this;
    Object.assign(copy, { configuration, run, guard, guardUntilMs, needsFloor, seenMs, floor, maxToken });
    copy.#sessions = new Map([...this.#sessions].map(([id, session]) => [id, { ...session }]));
    copy.#votes = new Map(this.#votes);
    return copy;
  }

  /** Queues and the next sweep are part of it: two servers that are asked the same must answer the same. Without the guard. */
  dump(): DataDump {
    const { configuration, floor, maxToken, seenMs } = this;
    return {
      ...{ configuration, floor, maxToken, seenMs, sweepAt: this.#sweepAt },
      sessions: [...this.#sessions].map(([id, { connection, expiresMs }]) => [id, connection, expiresMs]),
      votes: [...this.#votes],
      queues: [...this.#queues].map(([name, queue]) => [name, queue.dump()]),
    };
  }

  /** In place of what there is. */
  load({ configuration, floor, maxToken, queues, seenMs, sessions, sweepAt, votes }: DataDump): void {
    Object.assign(this, { configuration, floor, maxToken, seenMs });
    this.#sweepAt = sweepAt;
    this.#sessions = new Map(sessions.map(([id, connection, expiresMs]) => [id, { connection, expiresMs }]));
    this.#votes = new Map(votes);
    this.#queues = new Map();
    for (const [name, dump] of queues) {
      const queue = this.#makeQueue();
      queue.load(dump);
      this.#queues.set(name, queue);
    }
  }

  /** Sessions and votes. */
  get size(): number {
    return this.#sessions.size + this.#votes.size;
  }

  get isEmpty(): boolean {
    return this.configuration === undefined;
  }

  session(id: SessionId): Session | undefined {
    const session = this.#sessions.get(id);
    return session !== undefined && session.expiresMs > this.seenMs ? session : undefined;
  }

  setSession(id: SessionId, session: Session): void {
    this.#sessions.set(id, session);
    this.#sweep();
  }

  closeSession(id: SessionId): void {
    this.#sessions.delete(id);
  }

  /** How long it lasts if it is not renewed. */
  leftMs(id: SessionId): number {
    return Math.max(0, (this.#sessions.get(id)?.expiresMs ?? 0) - this.seenMs);
  }

  liveVote(name: string): Vote | undefined {
    const vote = this.#votes.get(name);
    return vote !== undefined && this.session(vote.session) !== undefined ? vote : undefined;
  }

  /** The token that the next one of this name has to be higher than. */
  bound(name: string): number {
    return Math.max(this.floor, this.#votes.get(name)?.token ?? 0);
  }

  /** In place of the one there is, whose token goes into the floor if it is the higher one: the bound never goes down. */
  setVote(name: string, vote: Vote): void {
    if (this.bound(name) > vote.token) this.deleteVote(name);
    this.#votes.set(name, vote);
    this.maxToken = Math.max(this.maxToken, vote.token);
    this.#sweep();
  }

  deleteVote(name: string): void {
    this.floor = this.bound(name);
    this.#votes.delete(name);
  }

  queue(name: string): WaiterQueue | undefined {
    return this.#queues.get(name);
  }

  queueToEnter(name: string): WaiterQueue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    // Before it is there: nobody is in it yet.
    this.#sweep();
    const queue = this.#makeQueue();
    this.#queues.set(name, queue);
    return queue;
  }

  /** A queue that nobody is in takes no room. */
  tidyQueue(name: string): void {
    if (this.#queues.get(name)?.size === 0) this.#queues.delete(name);
  }

  #makeQueue(): WaiterQueue {
    return new WaiterQueue((session) => this.session(session) !== undefined);
  }

  get #entries(): number {
    return this.#sessions.size + this.#votes.size + this.#queues.size;
  }

  /**
   * When it is due follows from what was asked, and so does what it leaves: servers that are asked the same sweep at the same request.
   * Names that are asked for once and never again would else keep their queues for ever, once all who waited have died.
   */
  #sweep(): void {
    if (this.#entries < this.#sweepAt) return;
    for (const id of this.#sessions.keys()) if (this.session(id) === undefined) this.#sessions.delete(id);
    for (const name of this.#votes.keys()) if (this.liveVote(name) === undefined) this.deleteVote(name);
    for (const [name, queue] of this.#queues) {
      queue.dropDead();
      this.tidyQueue(name);
    }
    this.#sweepAt = Math.max(LEAST_SWEEP, 2 * this.#entries);
  }
}
