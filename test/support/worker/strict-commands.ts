import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type {
  ClusterNode,
  Lease,
  Pid,
  StrictHolder,
  StrictRegisterOptions,
  WaitingOptions,
} from "../../../src/index.ts";
import type { Sighting } from "./protocol.ts";
import { StrictWork, type StrictWorkOptions } from "./strict-work.ts";
import { WitnessClient } from "./witness-client.ts";

/** A time at which a name was held, in wall time. */
export interface Holding {
  readonly token: bigint;
  /** When it was asked for. */
  readonly askedMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export type StrictQuestion =
  | readonly ["register", name: string, options: Omit<StrictRegisterOptions, "signal">]
  | readonly ["lookup", name: string, options: WaitingOptions];

export interface Written {
  /** When the handler began. */
  readonly before: { readonly aborted: boolean; readonly remainingMs: number; readonly isHeld: boolean };
  /** What the witness said, if it was asked. */
  readonly isTaken?: boolean;
}

const LOOK_EVERY_MS = 5;

/** What a test can have a worker do with strict names of the default scope. */
export class StrictCommands {
  readonly #node: ClusterNode;
  readonly #see: (sighting: Sighting) => void;
  readonly #leases = new Map<string, Lease>();
  #work: StrictWork | undefined;

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

  /** All at once, for one process. Returns when the last one was granted, in wall time. */
  async strictRegisterMany(prefix: string, count: number): Promise<number> {
    const process = this.#node.spawn();
    const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    const leases = await Promise.all(names.map((name) => this.#node.strictNames.register(name, process)));
    const atMs = Date.now();
    if (leases.some((lease) => !lease.isHeld())) throw new Error(`some of ${prefix} were lost meanwhile`);
    return atMs;
  }

  strictLookup(name: string, options?: WaitingOptions): Promise<StrictHolder | undefined> {
    return this.#node.strictNames.lookup(name, options);
  }

  /**
   * Rejects as the question does, or says that it was late: that nothing had come when a timer of this process rang. By the clock of the
   * process that waits, as a busy machine holds up both.
   */
  async strictWithin(withinMs: number, ask: StrictQuestion): Promise<unknown> {
    const isOver = new AbortController();
    const late = pause(withinMs, "late", { signal: isOver.signal });
    const [kind, name, options] = ask;
    const answer =
      kind === "register" ? this.strictRegister(name, undefined, options) : this.strictLookup(name, options);
    try {
      return await Promise.race([answer, late]);
    } finally {
      late.catch(() => {});
      isOver.abort();
    }
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

  /**
   * A process that writes to a witness with the token of that lease, if it holds the name when it is called. Called with a file, it
   * looks, and then its event loop stands still until there is such a file, before it writes.
   */
  async strictWriter(name: string, port: number): Promise<Pid> {
    const witness = await WitnessClient.connect(port);
    const handler = async (file: unknown): Promise<Written> => {
      const before = this.strictState(name);
      if (!before.isHeld) return { before };
      if (typeof file === "string") {
        this.#see({ kind: "blocking" });
        // Else what it saw would wait for the loop.
        await new Promise(setImmediate);
        standStillUntil(() => existsSync(file));
      }
      return { before, isTaken: await witness.write(name, Number(this.#lease(name).token)) };
    };
    return this.#node.spawn(handler).pid;
  }

  strictRelease(name: string): Promise<void> {
    return this.#lease(name).release();
  }

  /** Stands in line for a name, holds it for a while, and gives it back. */
  async strictContend(name: string, holdMs: number, timeoutMs: number): Promise<Holding> {
    const process = this.#node.spawn();
    const askedMs = Date.now();
    const lease = await this.#node.strictNames.register(name, process, { wait: true, timeoutMs });
    const fromMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, holdMs));
    if (!lease.isHeld()) throw new Error(`${name} was lost meanwhile`);
    const toMs = Date.now();
    await lease.release();
    return { token: lease.token, askedMs, fromMs, toMs };
  }

  /** As `strictContend`, one time after another. */
  async strictContendAgain(
    name: string,
    times: number,
    holdMs: number,
    timeoutMs: number,
  ): Promise<readonly Holding[]> {
    const holdings: Holding[] = [];
    while (holdings.length < times) holdings.push(await this.strictContend(name, holdMs, timeoutMs));
    return holdings;
  }

  /** Contends for names, and tells the witness, until `endStrictWork`. */
  async beginStrictWork(options: StrictWorkOptions): Promise<void> {
    this.#work = await StrictWork.begin(this.#node, options);
  }

  keepStrictWork(names: number, withinMs: number): Promise<void> | undefined {
    return this.#work?.keep(names, withinMs);
  }

  letGoOfStrictWork(): void {
    this.#work?.letGo();
  }

  endStrictWork(): Promise<void> | undefined {
    return this.#work?.end();
  }

  #lease(name: string): Lease {
    const lease = this.#leases.get(name);
    if (lease === undefined) throw new Error(`this worker was never granted ${name}`);
    return lease;
  }
}

/** Lets nothing else run meanwhile, and keeps no processor busy. */
function standStillUntil(holds: () => boolean): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!holds()) Atomics.wait(never, 0, 0, LOOK_EVERY_MS);
}
