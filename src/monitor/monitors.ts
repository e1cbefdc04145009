import type { Now } from "../kernel/clock.ts";
import type { ExitReason, NodeDownCause } from "../kernel/exit-reason.ts";
import { type NodeId, nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import { DOWN_CAUSES_KEPT, MS_PER_NODE, SERIALS_PER_MESSAGE } from "./limits.ts";
import type { LocalProcesses } from "./local-processes.ts";
import type { MonitorMessage } from "./monitor-protocol.ts";
import type { Down } from "./types.ts";
import { WatchKeeper } from "./watch-keeper.ts";
import { WatchedNode } from "./watched-node.ts";

export type MonitorInput =
  | { readonly kind: "watch"; readonly monitor: number; readonly pid: Pid }
  | { readonly kind: "watchNode"; readonly monitor: number; readonly node: NodeId }
  | { readonly kind: "unwatch"; readonly monitor: number }
  /** A process of this node. */
  | { readonly kind: "spawned"; readonly pid: Pid }
  | { readonly kind: "exited"; readonly pid: Pid; readonly reason: ExitReason }
  | { readonly kind: "message"; readonly from: NodeId; readonly message: MonitorMessage }
  | { readonly kind: "peerUp"; readonly node: NodeId }
  | { readonly kind: "peerRejoined"; readonly node: NodeId }
  | { readonly kind: "peerDown"; readonly node: NodeId; readonly cause: NodeDownCause }
  /** After a drop: what was sent since may be lost. */
  | { readonly kind: "busConnected" }
  | { readonly kind: "tick" };

export type MonitorEffect =
  | { readonly kind: "send"; readonly to: NodeId; readonly message: MonitorMessage }
  /** The monitor is over: it fires once. */
  | { readonly kind: "fire"; readonly monitor: number; readonly down: Down };

export interface MonitorsOptions {
  readonly self: NodeId;
  /** Kept up to date here: others read it. */
  readonly local: LocalProcesses;
  readonly heartbeatMs: number;
}

/** Counts since the start. */
export interface MonitorCounts {
  readonly fired: number;
  readonly checks: number;
  /** Times that a watcher of processes here was asked to say everything, because something had been lost. */
  readonly repairs: number;
}

const NONE: readonly MonitorEffect[] = [];

type Target = { readonly node: NodeId; readonly pid: Pid | undefined };

/**
 * Monitors: on processes of this node, of others, and on nodes. Each fires once.
 *
 * Watches are state. A watcher says what it adds and takes away, and the other node, which holds that, says what ends; either
 * may be lost. So the watcher sums up all it watches once per heartbeat interval, and says all of it where that differs.
 */
export class Monitors {
  readonly #self: NodeId;
  readonly #local: LocalProcesses;
  readonly #heartbeatMs: number;
  readonly #targets = new Map<number, Target>();
  readonly #watched = new Map<NodeId, WatchedNode>();
  readonly #keeper: WatchKeeper;
  readonly #up = new Set<NodeId>();
  readonly #causes = new Map<NodeId, NodeDownCause>();
  #checkAtMs: number | undefined;
  #nowMs = 0;
  #fired = 0;
  #checks = 0;
  #out: MonitorEffect[] = [];

  constructor(options: MonitorsOptions) {
    this.#self = options.self;
    this.#local = options.local;
    this.#heartbeatMs = options.heartbeatMs;
    this.#keeper = new WatchKeeper(options.local, (to, message) => this.#send(to, message));
  }

  /** When `tick` is due, on the monotonic clock. */
  get deadlineMs(): number | undefined {
    return this.#checkAtMs;
  }

  /** Sizes now: monitors that have not fired, and watches held for other nodes. */
  gauges(): { readonly monitors: number; readonly watchesHeld: number } {
    return { monitors: this.#targets.size, watchesHeld: this.#keeper.size };
  }

  /** Counts since the start. */
  get counts(): MonitorCounts {
    return { fired: this.#fired, checks: this.#checks, repairs: this.#keeper.repairs };
  }

  step(input: MonitorInput, now: Now): readonly MonitorEffect[] {
    if (this.#out.length > 0) this.#out = [];
    this.#nowMs = now.monotonicMs;
    switch (input.kind) {
      case "watch":
        this.#watch(input.monitor, input.pid);
        break;
      case "watchNode":
        this.#watchNode(input.monitor, input.node);
        break;
      case "unwatch":
        this.#unwatch(input.monitor);
        break;
      case "spawned":
        this.#local.spawned(input.pid);
        break;
      case "exited":
        this.#exited(input.pid, input.reason);
        break;
      case "message":
        if (this.#up.has(input.from)) this.#message(input.from, input.message);
        break;
      case "peerUp":
        this.#up.add(input.node);
        this.#causes.delete(input.node);
        break;
      case "peerRejoined":
        this.#peerRejoined(input.node);
        break;
      case "peerDown":
        this.#peerDown(input.node, input.cause);
        break;
      case "busConnected":
        for (const node of this.#watched.keys()) this.#sendAll(node);
        this.#keeper.reconnected();
        break;
      case "tick":
        this.#tick();
        break;
    }
    return this.#out.length === 0 ? NONE : this.#out;
  }

  #watch(monitor: number, pid: Pid): void {
    const node = nodeOfPid(pid);
    const serial = serialOfPid(pid);
    if (node === this.#self) {
      if (!this.#local.isAlive(serial)) {
        this.#fire(monitor, { pid, node, reason: this.#local.reasonOf(serial) });
        return;
      }
    } else if (!this.#up.has(node) || !Number.isSafeInteger(serial)) {
      // Of a node that never was up here nothing is known, so the pid may well have been made up.
      const cause = this.#causes.get(node);
      const reason: ExitReason =
        cause === undefined ? { kind: "noSuchProcess" } : { kind: "nodeDown", node, cause };
      this.#fire(monitor, { pid, node, reason });
      return;
    }
    this.#targets.set(monitor, { node, pid });
    const isNew = this.#watchedNode(node).watch(serial, monitor);
    if (node === this.#self) return;
    if (isNew) this.#send(node, { kind: "watch", serials: [serial] });
    this.#checkAtMs ??= this.#nowMs + this.#heartbeatMs;
  }

  #watchNode(monitor: number, node: NodeId): void {
    if (node !== this.#self && !this.#up.has(node)) {
      const cause = this.#causes.get(node) ?? "silent";
      this.#fire(monitor, { node, reason: { kind: "nodeDown", node, cause } });
      return;
    }
    this.#targets.set(monitor, { node, pid: undefined });
    this.#watchedNode(node).nodeMonitors.add(monitor);
  }

  #unwatch(monitor: number): void {
    const target = this.#targets.get(monitor);
    if (target === undefined) return;
    this.#targets.delete(monitor);
    const watched = this.#watched.get(target.node);
    if (watched === undefined) return;
    if (target.pid === undefined) {
      watched.nodeMonitors.delete(monitor);
    } else {
      const serial = serialOfPid(target.pid);
      const wasLast = watched.unwatch(serial, monitor);
      if (wasLast && target.node !== this.#self)
        this.#send(target.node, { kind: "unwatch", serials: [serial] });
    }
    this.#dropIfIdle(target.node, watched);
  }

  #exited(pid: Pid, reason: ExitReason): void {
    if (!this.#local.exited(pid, reason)) return;
    const serial = serialOfPid(pid);
    this.#end(this.#self, serial, reason);
    this.#keeper.exited(serial);
  }

  /** It had lost this node: so it forgot what is watched there from here, and all that it watched here has fired. */
  #peerRejoined(node: NodeId): void {
    this.#sendAll(node);
    this.#keeper.renew(node);
  }

  #peerDown(node: NodeId, cause: NodeDownCause): void {
    if (!this.#up.delete(node)) return;
    this.#remember(node, cause);
    this.#keeper.drop(node);
    const watched = this.#watched.get(node);
    if (watched === undefined) return;
    this.#watched.delete(node);
    const reason: ExitReason = { kind: "nodeDown", node, cause };
    for (const monitor of watched.processMonitors()) this.#fireTarget(monitor, reason);
    for (const monitor of watched.nodeMonitors) this.#fireTarget(monitor, reason);
  }

  #message(from: NodeId, message: MonitorMessage): void {
    switch (message.kind) {
      case "watch":
        this.#keeper.hold(from, message.serials, this.#nowMs);
        this.#checkAtMs ??= this.#nowMs + this.#heartbeatMs;
        break;
      case "unwatch":
        for (const serial of message.serials) this.#keeper.release(from, serial);
        break;
      case "exited": {
        const watched = this.#watched.get(from);
        if (watched !== undefined && message.ends.length > 0)
          watched.seen = message.first + message.ends.length - 1;
        for (const { serial, reason } of message.ends) this.#end(from, serial, reason);
        break;
      }
      case "watchCheck":
        this.#keeper.check(from, message, this.#nowMs);
        break;
      case "watchResync":
        this.#sendAll(from, true);
        break;
      case "watchAll":
        this.#keeper.receiveAll(from, message, this.#nowMs);
        this.#checkAtMs ??= this.#nowMs + this.#heartbeatMs;
        break;
    }
  }

  /** @param evenIfNone asked for: the other side holds something, or thinks so */
  #sendAll(node: NodeId, evenIfNone = false): void {
    if (node === this.#self || !this.#up.has(node)) return;
    const watched = this.#watched.get(node);
    if (watched !== undefined) watched.seen = 0;
    const serials = watched === undefined ? [] : [...watched.serials];
    if (serials.length === 0 && !evenIfNone) return;
    for (let index = 0; index * SERIALS_PER_MESSAGE < Math.max(1, serials.length); index += 1) {
      const start = index * SERIALS_PER_MESSAGE;
      const end = start + SERIALS_PER_MESSAGE;
      const part = serials.slice(start, end);
      this.#send(node, { kind: "watchAll", index, last: end >= serials.length, serials: part });
    }
  }

  #tick(): void {
    if (this.#checkAtMs === undefined || this.#nowMs < this.#checkAtMs) return;
    let checked = 0;
    for (const [node, watched] of this.#watched) {
      if (node === this.#self || !watched.takeCheck()) continue;
      checked += 1;
      const { size: count, digest: hash, seen } = watched;
      this.#send(node, { kind: "watchCheck", count, hash, seen });
      this.#dropIfIdle(node, watched);
    }
    this.#checks += checked;
    const isWatched = this.#keeper.askTheUnheard(this.#nowMs);
    const everyMs = Math.max(this.#heartbeatMs, checked * MS_PER_NODE);
    this.#checkAtMs = checked > 0 || isWatched ? this.#nowMs + everyMs : undefined;
  }

  /** A process has ended: every monitor of it here fires. */
  #end(node: NodeId, serial: number, reason: ExitReason): void {
    const watched = this.#watched.get(node);
    if (watched === undefined) return;
    for (const monitor of watched.end(serial)) this.#fireTarget(monitor, reason);
    this.#dropIfIdle(node, watched);
  }

  #fireTarget(monitor: number, reason: ExitReason): void {
    const target = this.#targets.get(monitor);
    if (target === undefined) return;
    this.#targets.delete(monitor);
    const { node, pid } = target;
    this.#fire(monitor, pid === undefined ? { node, reason } : { pid, node, reason });
  }

  #fire(monitor: number, down: Down): void {
    this.#fired += 1;
    this.#out.push({ kind: "fire", monitor, down });
  }

  #send(to: NodeId, message: MonitorMessage): void {
    this.#out.push({ kind: "send", to, message });
  }

  #watchedNode(node: NodeId): WatchedNode {
    const known = this.#watched.get(node);
    if (known !== undefined) return known;
    const watched = new WatchedNode();
    this.#watched.set(node, watched);
    return watched;
  }

  #dropIfIdle(node: NodeId, watched: WatchedNode): void {
    if (watched.isIdle || (node === this.#self && watched.size === 0 && watched.nodeMonitors.size === 0)) {
      this.#watched.delete(node);
    }
  }

  #remember(node: NodeId, cause: NodeDownCause): void {
    this.#causes.delete(node);
    this.#causes.set(node, cause);
    if (this.#causes.size <= DOWN_CAUSES_KEPT) return;
    for (const oldest of this.#causes.keys()) {
      this.#causes.delete(oldest);
      return;
    }
  }
}
