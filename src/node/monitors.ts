import { LimitExceededError } from "../kernel/errors.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";
import type { Down } from "../monitor/types.ts";
import { type Deferred, deferred } from "./deferred.ts";
import type { NodeInput } from "./machine-types.ts";
import type { Pump } from "./pump.ts";
import type { Monitor } from "./types.ts";

/** The watches of this node on processes and nodes, here or elsewhere. */
export class MonitorTable {
  readonly #pump: Pump;
  readonly #allowed: number;
  readonly #open = new Map<number, Deferred<Down>>();
  #lastId = 0;

  constructor(pump: Pump, monitors: number) {
    this.#pump = pump;
    this.#allowed = monitors;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @throws LimitExceededError */
  ofPid(pid: Pid): Monitor {
    return this.#start((monitor) => ({ kind: "monitor", monitor, pid }));
  }

  /** @throws LimitExceededError */
  ofNode(node: NodeId): Monitor {
    return this.#start((monitor) => ({ kind: "monitorNode", monitor, node }));
  }

  /** A monitor on what is dead already. */
  static fired(down: Down): Monitor {
    return { down: Promise.resolve(down), cancel: () => false };
  }

  down(monitor: number, down: Down): void {
    const waiting = this.#open.get(monitor);
    this.#open.delete(monitor);
    waiting?.resolve(down);
  }

  /** From here on none fires. */
  close(): void {
    this.#open.clear();
  }

  #start(input: (monitor: number) => NodeInput): Monitor {
    if (this.#open.size >= this.#allowed) {
      throw new LimitExceededError("monitors", this.#allowed, "this node has as many monitors as it may");
    }
    this.#lastId += 1;
    const id = this.#lastId;
    const waiting = deferred<Down>();
    this.#open.set(id, waiting);
    this.#pump.feed(input(id));
    return {
      down: waiting.promise,
      cancel: () => {
        if (!this.#open.delete(id)) return false;
        this.#pump.feed({ kind: "demonitor", monitor: id });
        return true;
      },
    };
  }
}
