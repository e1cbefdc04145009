import type { NodeId } from "../kernel/ids.ts";
import { AnswerBudget } from "./answer-budget.ts";
import { Feed } from "./feed.ts";
import { BYTES_PER_MESSAGE, OPERATIONS_PER_MESSAGE } from "./limits.ts";
import type { ReplicationMessage, Written } from "./messages.ts";
import { OwnLog } from "./own-log.ts";
import { SnapshotServer } from "./snapshot-server.ts";

/** The tables that a scope's logs amount to, and the way out. Called at once, inside the step that caused it. */
export interface ReplicationPort<Op> {
  apply(owner: NodeId, sequence: number, operation: Op): void;
  reset(owner: NodeId, entries: readonly Written<Op>[]): void;
  /** What this node's own operations amount to now. */
  ownEntries(): Iterable<Written<Op>>;
  digestOf(owner: NodeId): number;
  /** The bytes of an operation on the wire, roughly. */
  sizeOf(operation: Op): number;
  send(to: NodeId, message: ReplicationMessage<Op>): void;
  broadcast(message: ReplicationMessage<Op>): void;
  /** The log of `owner` is applied up to `position` now. */
  advanced(owner: NodeId, position: number): void;
  /** Something was written that the others do not know of before the next `flush`. */
  unsent(): void;
}

export interface ReplicationCounts {
  gaps: number;
  repairs: number;
  snapshots: number;
  digestMismatches: number;
  heldDropped: number;
  /** Of askers that had been answered enough for the moment. */
  questionsIgnored: number;
}

/**
 * The logs of one scope: this node's own, which it alone writes, and a feed of each other node's. The rules of what an
 * operation means are the tables'; the rules of how it gets everywhere, once and in order, are here.
 */
export class Replication<Op> {
  readonly counts: ReplicationCounts = {
    gaps: 0,
    repairs: 0,
    snapshots: 0,
    digestMismatches: 0,
    heldDropped: 0,
    questionsIgnored: 0,
  };
  readonly #scope: string;
  readonly #self: NodeId;
  readonly #port: ReplicationPort<Op>;
  readonly #log = new OwnLog<Op>();
  readonly #feeds = new Map<NodeId, Feed<Op>>();
  readonly #snapshots: SnapshotServer<Op>;
  readonly #answers = new AnswerBudget();
  /** Written, not yet broadcast. */
  #unsent: Op[] = [];
  #unsentBytes = 0;

  constructor(scope: string, self: NodeId, port: ReplicationPort<Op>) {
    this.#scope = scope;
    this.#self = self;
    this.#port = port;
    this.#snapshots = new SnapshotServer(scope, port);
  }

  /** Where the log of `owner` stands here; 0 when it is not followed. */
  positionOf(owner: NodeId): number {
    return owner === this.#self ? this.#log.position : (this.#feeds.get(owner)?.position ?? 0);
  }

  isSynced(owner: NodeId): boolean {
    return owner === this.#self || this.#feeds.get(owner)?.synced === true;
  }

  follows(owner: NodeId): boolean {
    return this.#feeds.has(owner);
  }

  /** Writes an operation of this node: into the log, into the tables here, and, at the next `flush`, to the others. */
  write(operation: Op): number {
    const sequence = this.#log.append(operation);
    const size = this.#port.sizeOf(operation);
    if (this.#unsent.length >= OPERATIONS_PER_MESSAGE || this.#unsentBytes + size > BYTES_PER_MESSAGE) {
      this.#broadcastUnsent(sequence - 1);
    }
    if (this.#unsent.length === 0) this.#port.unsent();
    this.#unsent.push(operation);
    this.#unsentBytes += size;
    this.#port.apply(this.#self, sequence, operation);
    this.#port.advanced(this.#self, sequence);
    return sequence;
  }

  /** Sends what was written. Called once for all the steps of a turn, but before any message that could tell of it. */
  flush(): void {
    this.#broadcastUnsent(this.#log.position);
  }

  peerUp(owner: NodeId, nowMs: number): void {
    if (this.#feeds.has(owner)) return;
    const feed = this.#newFeed(owner);
    this.#feeds.set(owner, feed);
    feed.begin(nowMs);
  }

  peerDown(owner: NodeId): void {
    this.#feeds.delete(owner);
    this.#snapshots.drop(owner);
    this.#answers.drop(owner);
  }

  beat(owner: NodeId, position: number, digest: number, nowMs: number): void {
    this.#feeds.get(owner)?.beat(position, digest, nowMs);
  }

  message(from: NodeId, message: ReplicationMessage<Op>, nowMs: number): void {
    const feed = this.#feeds.get(from);
    if (feed === undefined) return;
    const before = feed.position;
    switch (message.kind) {
      case "operations":
        feed.operations(message.first, message.operations, message.answer, nowMs);
        break;
      case "snapshot":
        feed.chunk(message, nowMs);
        break;
      case "need":
        if (this.#mayAnswer(from, nowMs)) this.#answer(from, message.after, message.snapshot, nowMs);
        return;
      case "snapshotMore":
        this.#goOn(from, message.id, message.next, nowMs);
        return;
    }
    if (feed.position !== before || message.kind === "snapshot" || message.answer) {
      this.#port.advanced(from, feed.position);
    }
  }

  tick(nowMs: number): void {
    for (const feed of this.#feeds.values()) feed.tick(nowMs);
    this.#snapshots.tick(nowMs);
  }

  #newFeed(owner: NodeId): Feed<Op> {
    return new Feed<Op>({
      apply: (sequence, operation) => this.#port.apply(owner, sequence, operation),
      reset: (entries) => this.#port.reset(owner, entries),
      ask: (after, snapshot) => this.#port.send(owner, { kind: "need", scope: this.#scope, after, snapshot }),
      askMore: (id, next) => this.#port.send(owner, { kind: "snapshotMore", scope: this.#scope, id, next }),
      digest: () => this.#port.digestOf(owner),
      count: (what) => {
        this.counts[what] += 1;
      },
    });
  }

  #broadcastUnsent(upTo: number): void {
    if (this.#unsent.length === 0) return;
    const first = upTo - this.#unsent.length + 1;
    this.#port.broadcast({
      kind: "operations",
      scope: this.#scope,
      first,
      answer: false,
      operations: this.#unsent,
    });
    this.#unsent = [];
    this.#unsentBytes = 0;
  }

  #mayAnswer(asker: NodeId, nowMs: number): boolean {
    if (this.#answers.take(asker, nowMs)) return true;
    this.counts.questionsIgnored += 1;
    return false;
  }

  /** What follows in a snapshot comes to an end by itself; what is sent again does not. */
  #goOn(to: NodeId, id: number, next: number, nowMs: number): void {
    if (!this.#snapshots.isNext(to, id, next) && !this.#mayAnswer(to, nowMs)) return;
    if (!this.#snapshots.more(to, id, next, nowMs)) this.#answer(to, 0, true, nowMs);
  }

  /**
   * Whoever knows nothing yet gets what stands, though the tail may reach back to the beginning: that is never more, and
   * nobody must see what has long ended pass by once again as if it were news.
   */
  #answer(to: NodeId, after: number, snapshot: boolean, nowMs: number): void {
    this.flush();
    const knowsNothing = after === 0 && this.#log.position > 0;
    const missing = snapshot || knowsNothing ? undefined : this.#log.after(after, OPERATIONS_PER_MESSAGE);
    if (missing === undefined) {
      this.#snapshots.begin(to, this.#log.position, nowMs);
      return;
    }
    const operations = this.#fit(missing);
    this.#port.send(to, {
      kind: "operations",
      scope: this.#scope,
      first: after + 1,
      answer: true,
      operations,
    });
    // The rest follows unasked, as far as the outbound queue should hold at once.
    let sent = after + operations.length;
    for (let round = 1; round < 8 && sent < this.#log.position; round += 1) {
      const more = this.#fit(this.#log.after(sent, OPERATIONS_PER_MESSAGE) ?? []);
      if (more.length === 0) return;
      this.#port.send(to, {
        kind: "operations",
        scope: this.#scope,
        first: sent + 1,
        answer: true,
        operations: more,
      });
      sent += more.length;
    }
  }

  #fit(operations: readonly Op[]): readonly Op[] {
    let size = 0;
    for (let index = 0; index < operations.length; index += 1) {
      size += this.#port.sizeOf(operations[index] as Op);
      if (size > BYTES_PER_MESSAGE && index > 0) return operations.slice(0, index);
    }
    return operations;
  }
}
