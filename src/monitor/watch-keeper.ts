import type { NodeId } from "../kernel/ids.ts";
import { ENDS_PER_MESSAGE, UNHEARD_WATCHER_MS } from "./limits.ts";
import type { LocalProcesses } from "./local-processes.ts";
import type { End, MonitorMessage } from "./monitor-protocol.ts";
import { WatcherRecord } from "./watcher-record.ts";

/**
 * Holds the watches of other nodes on processes of this one. What it holds is alive here, and the watcher is up: so the truth
 * is the bound of its memory, whatever a watcher asks for.
 */
export class WatchKeeper {
  readonly #local: LocalProcesses;
  readonly #send: (to: NodeId, message: MonitorMessage) => void;
  readonly #watchers = new Map<NodeId, WatcherRecord>();
  /** Who watches a process. */
  readonly #watchersOf = new Map<number, Set<NodeId>>();
  /** Times that a watcher was asked to say everything, because something had been lost. */
  #repairs = 0;

  constructor(local: LocalProcesses, send: (to: NodeId, message: MonitorMessage) => void) {
    this.#local = local;
    this.#send = send;
  }

  get repairs(): number {
    return this.#repairs;
  }

  /** How many watches are held. */
  get size(): number {
    let size = 0;
    for (const record of this.#watchers.values()) size += record.serials.size;
    return size;
  }

  /** Watches begin. */
  hold(watcher: NodeId, serials: readonly number[], nowMs: number): void {
    const record = this.#recordOf(watcher);
    record.heardAtMs = nowMs;
    const dead: number[] = [];
    for (const serial of serials) {
      if (!this.#local.isAlive(serial)) {
        dead.push(serial);
      } else if (record.add(serial)) {
        const watchers = this.#watchersOf.get(serial);
        if (watchers === undefined) this.#watchersOf.set(serial, new Set([watcher]));
        else watchers.add(watcher);
      }
    }
    this.#tell(watcher, record, dead);
  }

  release(watcher: NodeId, serial: number): void {
    const record = this.#watchers.get(watcher);
    if (record?.remove(serial) !== true) {
      record?.takeBack(serial);
      return;
    }
    const watchers = this.#watchersOf.get(serial);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchersOf.delete(serial);
  }

  /** A process of this node has ended. */
  exited(serial: number): void {
    const watchers = this.#watchersOf.get(serial);
    if (watchers === undefined) return;
    this.#watchersOf.delete(serial);
    for (const watcher of watchers) {
      const record = this.#watchers.get(watcher);
      record?.remove(serial);
      if (record !== undefined) this.#tell(watcher, record, [serial]);
    }
  }

  check(watcher: NodeId, check: Extract<MonitorMessage, { kind: "watchCheck" }>, nowMs: number): void {
    const record = this.#watchers.get(watcher);
    if (record === undefined) {
      if (check.count > 0) this.#askAll(watcher);
      return;
    }
    record.heardAtMs = nowMs;
    const outcome = record.check(check.count, check.hash, check.seen);
    switch (outcome.kind) {
      case "same":
        break;
      case "behind":
        // Under way, or lost: told once more with the same numbers, which does no harm.
        this.#sendEnds(watcher, outcome.first, outcome.serials);
        break;
      case "different":
        this.#askAll(watcher);
        break;
    }
  }

  receiveAll(watcher: NodeId, part: Extract<MonitorMessage, { kind: "watchAll" }>, nowMs: number): void {
    const record = this.#recordOf(watcher);
    const alive = part.serials.filter((serial) => this.#local.isAlive(serial));
    const dead = part.serials.filter((serial) => !this.#local.isAlive(serial));
    const all = record.receive(part.index, part.last, alive);
    this.#tell(watcher, record, dead);
    if (all === undefined) return;
    for (const serial of [...record.serials]) if (!all.has(serial)) this.release(watcher, serial);
    // One may have ended between two parts of the list: `hold` tells of it.
    this.hold(watcher, [...all], nowMs);
  }

  /**
   * The watcher had lost this node, so all that it watched here has fired. But a node may be told more than once that it was
   * lost, and late: then there are new watches already. Only the watcher knows.
   */
  renew(watcher: NodeId): void {
    if (this.#watchers.has(watcher)) this.#askAll(watcher);
  }

  drop(watcher: NodeId): void {
    const record = this.#watchers.get(watcher);
    if (record === undefined) return;
    for (const serial of [...record.serials]) this.release(watcher, serial);
    this.#watchers.delete(watcher);
  }

  /** This node was cut off: what it told of ends meanwhile is lost. */
  reconnected(): void {
    for (const watcher of this.#watchers.keys()) this.#send(watcher, { kind: "watchResync" });
  }

  /**
   * Asks those who have been silent about their watches: a watcher that watches nothing here any more has nothing to say, and
   * what it said last may be lost.
   *
   * @returns whether anything is held for anyone
   */
  askTheUnheard(nowMs: number): boolean {
    let isAnyHeld = false;
    for (const [watcher, record] of this.#watchers) {
      if (record.serials.size === 0) continue;
      isAnyHeld = true;
      if (nowMs < record.heardAtMs + UNHEARD_WATCHER_MS) continue;
      record.heardAtMs = nowMs;
      this.#askAll(watcher);
    }
    return isAnyHeld;
  }

  #askAll(watcher: NodeId): void {
    this.#repairs += 1;
    this.#send(watcher, { kind: "watchResync" });
  }

  #tell(watcher: NodeId, record: WatcherRecord, serials: readonly number[]): void {
    if (serials.length > 0) this.#sendEnds(watcher, record.tell(serials), serials);
  }

  #sendEnds(watcher: NodeId, first: number, serials: readonly number[]): void {
    for (let start = 0; start < serials.length; start += ENDS_PER_MESSAGE) {
      const ends: End[] = serials
        .slice(start, start + ENDS_PER_MESSAGE)
        .map((serial) => ({ serial, reason: this.#local.reasonOf(serial) }));
      this.#send(watcher, { kind: "exited", first: first + start, ends });
    }
  }

  #recordOf(watcher: NodeId): WatcherRecord {
    const known = this.#watchers.get(watcher);
    if (known !== undefined) return known;
    const record = new WatcherRecord();
    this.#watchers.set(watcher, record);
    return record;
  }
}
