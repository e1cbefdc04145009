import type { Clock } from "../../kernel/clock.ts";
import type { ServerData } from "../../lease/memory/data.ts";
import { MemoryLeaseServer } from "../../lease/memory/server.ts";
import type { LeaseReply, LeaseRequest } from "../../lease/requests.ts";
import type { LeaseSettings } from "../../lease/settings.ts";
import { LocalClock } from "../machine/local-clock.ts";

/** For how long servers have been running when a run begins. */
const LONG_MS = 86_400_000;

/** One lease server of a simulated world, with a clock of its own. */
export class SimLeaseServer {
  readonly index: number;
  readonly clock: LocalClock;
  readonly #server: MemoryLeaseServer;
  #waiting: (() => void)[] | undefined;
  #saved: ServerData | undefined;

  constructor(index: number, global: Clock, settings: LeaseSettings) {
    this.index = index;
    this.clock = new LocalClock(global);
    const now = (): number => this.clock.now().wallMs;
    this.#server = new MemoryLeaseServer({ settings, now, startedMs: now() - LONG_MS });
  }

  /** Carries it out, or keeps it until it goes on. */
  receive(request: LeaseRequest, configuration: string, answer: (reply: LeaseReply) => void): void {
    const run = (): void => answer(this.#server.execute(request, configuration));
    if (this.#waiting === undefined) run();
    else this.#waiting.push(run);
  }

  get isReady(): boolean {
    return this.#server.isReady;
  }

  /** What a restart with `older` data finds. */
  save(): void {
    this.#saved = this.#server.snapshot();
  }

  restart(data: "kept" | "older" | "lost"): void {
    this.#server.restart(
      data === "kept" ? this.#server.snapshot() : data === "older" ? this.#saved : undefined,
    );
  }

  wipe(): void {
    this.#server.wipe();
  }

  /** It stands still, and carries out later what comes meanwhile. */
  pause(): void {
    this.#waiting ??= [];
  }

  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const run of waiting) run();
  }
}
