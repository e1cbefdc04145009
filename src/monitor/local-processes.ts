import type { ExitReason } from "../kernel/exit-reason.ts";
import { type NodeId, nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import { EXIT_REASONS_KEPT } from "./limits.ts";

/** The processes of this node, by serial: which are alive, and why the latest that are not ended. */
export class LocalProcesses {
  readonly #self: NodeId;
  readonly #alive = new Set<number>();
  readonly #ended = new Map<number, ExitReason>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  get count(): number {
    return this.#alive.size;
  }

  spawned(pid: Pid): void {
    if (nodeOfPid(pid) === this.#self) this.#alive.add(serialOfPid(pid));
  }

  /** False when it was not alive: it ends once. */
  exited(pid: Pid, reason: ExitReason): boolean {
    const serial = serialOfPid(pid);
    if (nodeOfPid(pid) !== this.#self || !this.#alive.delete(serial)) return false;
    this.#ended.set(serial, reason);
    if (this.#ended.size > EXIT_REASONS_KEPT) {
      for (const oldest of this.#ended.keys()) {
        this.#ended.delete(oldest);
        break;
      }
    }
    return true;
  }

  isAlive(serial: number): boolean {
    return this.#alive.has(serial);
  }

  /** Why a process that is not alive ended: `noSuchProcess` when it never was, or ended too long ago. */
  reasonOf(serial: number): ExitReason {
    return this.#ended.get(serial) ?? { kind: "noSuchProcess" };
  }
}
