import type { Clock } from "../kernel/clock.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { LogLimiter } from "./log-limiter.ts";
import type { LocalProcess, ProcessHost } from "./process.ts";
import type { ProcessTable } from "./process-table.ts";
import type { Pump } from "./pump.ts";
import { checkReason } from "./reasons.ts";
import type { Budget, RunQueue } from "./run-queue.ts";
import type { Counts } from "./stats.ts";
import type { Leases } from "./strict/leases.ts";

export interface NodeProcessHostOptions {
  readonly clock: Clock;
  readonly counts: Counts;
  readonly log: LogLimiter;
  readonly pump: Pump;
  readonly runQueue: RunQueue;
  processes(): ProcessTable;
  /** Undefined: without lease servers there are none. */
  leases(): Leases | undefined;
}

/** What a node does for its processes. */
export class NodeProcessHost implements ProcessHost {
  readonly #options: NodeProcessHostOptions;

  constructor(options: NodeProcessHostOptions) {
    this.#options = options;
  }

  get budget(): Budget {
    return this.#options.runQueue.budget;
  }

  nowMs(): number {
    return this.#options.clock.now().monotonicMs;
  }

  ready(process: LocalProcess): void {
    this.#options.runQueue.add(process);
  }

  ended(process: LocalProcess, reason: ExitReason): void {
    const { pump } = this.#options;
    this.#options.processes().remove(process);
    process.end(reason);
    // When this returns its names and memberships are gone here; only then does its own code hear of it.
    pump.feed({ kind: "exited", pid: process.pid, reason });
    this.#options.leases()?.processExited(process.pid);
    pump.afterwards(() => process.announceEnd());
  }

  failed(process: LocalProcess, error: unknown): void {
    this.#options.counts.messages.handlerErrors += 1;
    this.#options.log.warn({ pid: process.pid, error }, "a handler failed, and nobody waits for its answer");
  }

  undelivered(messages: number): void {
    this.#options.counts.messages.undelivered += messages;
  }

  expired(): void {
    this.#options.counts.messages.expiredCalls += 1;
  }

  mailboxFull(process: LocalProcess): void {
    this.#options.log.warn(
      { pid: process.pid, limit: "mailbox", allowed: process.capacity },
      "a mailbox is full: what comes for it is dropped",
    );
  }

  beforeHandler(): void {
    this.#options.leases()?.beforeHandler();
  }

  tokenOf(process: LocalProcess, strictKey: string): bigint | undefined {
    return this.#options.leases()?.tokenOf(process, strictKey);
  }

  checkReason(reason: ExitReason): ExitReason {
    return checkReason(reason);
  }
}
