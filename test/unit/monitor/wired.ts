import type { ExitReason, NodeDownCause } from "../../../src/kernel/exit-reason.ts";
import { makeNodeId, makePid, type NodeId, type Pid } from "../../../src/kernel/ids.ts";
import { LocalProcesses } from "../../../src/monitor/local-processes.ts";
import type { MonitorMessage } from "../../../src/monitor/monitor-protocol.ts";
import { type MonitorInput, Monitors } from "../../../src/monitor/monitors.ts";
import type { Down } from "../../../src/monitor/types.ts";

export const normal: ExitReason = { kind: "normal" };

export class Side {
  readonly local: LocalProcesses;
  readonly monitors: Monitors;
  readonly fired: { monitor: number; down: Down }[] = [];
  readonly up = new Set<NodeId>();
  serials = 0;

  constructor(readonly id: NodeId) {
    this.local = new LocalProcesses(id);
    this.monitors = new Monitors({ self: id, local: this.local, heartbeatMs: 1_000 });
  }
}

/** Nodes joined by links that keep the order, and may lose. Who is up where is said by the test. */
export class Wired {
  readonly sides: Side[];
  nowMs = 0;
  loses: (message: MonitorMessage) => boolean = () => false;
  sent: { from: NodeId; to: NodeId; message: MonitorMessage }[] = [];
  #queue: { from: NodeId; to: NodeId; message: MonitorMessage }[] = [];
  #monitors = 0;

  constructor(count: number) {
    this.sides = Array.from(
      { length: count },
      (_, index) => new Side(makeNodeId(`n${index}`, "0".repeat(17))),
    );
    for (const side of this.sides) {
      for (const other of this.sides) if (other !== side) this.up(side, other);
    }
  }

  side(index: number): Side {
    const side = this.sides[index];
    if (side === undefined) throw new Error(`no node ${index}`);
    return side;
  }

  feed(side: Side, input: MonitorInput): void {
    for (const effect of side.monitors.step(input, { monotonicMs: this.nowMs, wallMs: 0 })) {
      if (effect.kind === "fire") {
        side.fired.push({ monitor: effect.monitor, down: effect.down });
        continue;
      }
      const frame = { from: side.id, to: effect.to, message: effect.message };
      this.sent.push(frame);
      if (!this.loses(effect.message)) this.#queue.push(frame);
    }
  }

  up(on: Side, peer: Side): void {
    on.up.add(peer.id);
    this.feed(on, { kind: "peerUp", node: peer.id });
  }

  down(on: Side, peer: Side, cause: NodeDownCause = "silent"): void {
    on.up.delete(peer.id);
    this.feed(on, { kind: "peerDown", node: peer.id, cause });
  }

  /** Delivers what is under way: all of it, or the first few. */
  flow(most = Number.POSITIVE_INFINITY): void {
    for (let count = 0; count < most; count += 1) {
      const frame = this.#queue.shift();
      if (frame === undefined) return;
      const to = this.sides.find((side) => side.id === frame.to);
      if (to?.up.has(frame.from))
        this.feed(to, { kind: "message", from: frame.from, message: frame.message });
    }
  }

  run(ms: number): void {
    for (const endMs = this.nowMs + ms; ; ) {
      const nextMs = Math.min(
        ...this.sides.map((side) => side.monitors.deadlineMs ?? Number.POSITIVE_INFINITY),
      );
      if (nextMs > endMs) {
        this.nowMs = endMs;
        return;
      }
      this.nowMs = nextMs;
      for (const side of this.sides) this.feed(side, { kind: "tick" });
      this.flow();
    }
  }

  spawn(side: Side): Pid {
    side.serials += 1;
    const pid = makePid(side.id, side.serials);
    this.feed(side, { kind: "spawned", pid });
    return pid;
  }

  exit(side: Side, pid: Pid, reason = normal): void {
    this.feed(side, { kind: "exited", pid, reason });
  }

  watch(side: Side, pid: Pid): number {
    this.#monitors += 1;
    this.feed(side, { kind: "watch", monitor: this.#monitors, pid });
    return this.#monitors;
  }
}
