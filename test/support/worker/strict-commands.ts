import type {
  ClusterNode,
  Lease,
  Pid,
  StrictHolder,
  StrictRegisterOptions,
  WaitingOptions,
} from "../../../src/index.ts";
import type { Sighting } from "./protocol.ts";

/** A time at which a name was held, in wall time. */
export interface Holding {
  readonly token: bigint;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a test can have a worker do with strict names of the default scope. */
export class StrictCommands {
  readonly #node: ClusterNode;
  readonly #see: (sighting: Sighting) => void;
  readonly #leases = new Map<string, Lease>();

  constructor(node: ClusterNode, see: (sighting: Sighting) => void) {
    this.#node = node;
    this.#see = see;
  }

  /** Without a pid: for a process of its own. */
  async strictRegister(
    name: string,
    pid: Pid | undefined,
    options: Omit<StrictRegisterOptions, "signal"> = {},
  ): Promise<{ readonly token: bigint; readonly pid: Pid }> {
    const target = pid ?? this.#node.spawn().pid;
    const lease = await this.#node.strictNames.register(name, target, options);
    this.#leases.set(name, lease);
    lease.signal.addEventListener("abort", () => {
      const { token } = lease;
      this.#see({ kind: "leaseEnded", name, token, isHeld: lease.isHeld(), why: `${lease.signal.reason}` });
    });
    return { token: lease.token, pid: target };
  }

  async strictRegisterMany(prefix: string, count: number): Promise<void> {
    const process = this.#node.spawn();
    const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    await Promise.all(names.map((name) => this.#node.strictNames.register(name, process)));
  }

  strictLookup(name: string, options?: WaitingOptions): Promise<StrictHolder | undefined> {
    return this.#node.strictNames.lookup(name, options);
  }

  /** In this order: asking whether it is held makes sure that the signal is aborted if not. */
  strictState(name: string): {
    readonly aborted: boolean;
    readonly remainingMs: number;
    readonly isHeld: boolean;
  } {
    const lease = this.#lease(name);
    const { aborted } = lease.signal;
    return { aborted, remainingMs: lease.remainingMs(), isHeld: lease.isHeld() };
  }

  /** A process that answers every call with what it finds of that lease when its handler begins. */
  strictOnlooker(name: string): Pid {
    return this.#node.spawn(() => this.strictState(name)).pid;
  }

  strictRelease(name: string): Promise<void> {
    return this.#lease(name).release();
  }

  /** Stands in line for a name, holds it for a while, and gives it back. */
  async strictContend(name: string, holdMs: number, timeoutMs: number): Promise<Holding> {
    const process = this.#node.spawn();
    const lease = await this.#node.strictNames.register(name, process, { wait: true, timeoutMs });
    const fromMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, holdMs));
    if (!lease.isHeld()) throw new Error(`${name} was lost meanwhile`);
    const toMs = Date.now();
    await lease.release();
    return { token: lease.token, fromMs, toMs };
  }

  #lease(name: string): Lease {
    const lease = this.#leases.get(name);
    if (lease === undefined) throw new Error(`this worker was never granted ${name}`);
    return lease;
  }
}
