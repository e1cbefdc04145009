import type { Clock } from "../../kernel/clock.ts";
import type { ServerData } from "../../lease/memory/data.ts";
import { MemoryLeaseServer } from "../../lease/memory/server.ts";
import type { LeaseReply, LeaseRequest } from "../../lease/requests.ts";
import type { LeaseSettings } from "../../lease/settings.ts";
import { LocalClock } from "../machine/local-clock.ts";
import type { LeaseFault } from "./plan.ts";

/** For how long servers have been running when a run begins. */
const LONG_MS = 86_400_000;

export interface SimLeaseServerOptions {
  readonly index: number;
  readonly clock: Clock;
  readonly settings: LeaseSettings;
  /** A fault has made a difference. */
  felt(kind: LeaseFault["kind"]): void;
}

/** One lease server of a simulated world, with a clock of its own. */
export class SimLeaseServer {
  readonly index: number;
  readonly clock: LocalClock;
  readonly #server: MemoryLeaseServer;
  #waiting: (() => void)[] | undefined;
  #saved: ServerData | undefined;
  #hasStepped = false;
  readonly #felt: SimLeaseServerOptions["felt"];

  constructor({ index, clock, settings, felt }: SimLeaseServerOptions) {
    this.index = index;
    this.clock = new LocalClock(clock);
    this.#felt = felt;
    const now = (): number => this.clock.now().wallMs;
    this.#server = new MemoryLeaseServer({ settings, now, startedMs: now() - LONG_MS });
  }

  /** Carries it out, or keeps it until it goes on. */
  receive(request: LeaseRequest, configuration: string, answer: (reply: LeaseReply) => void): void {
    const run = (): void => {
      if (this.#hasStepped) this.#felt("serverStep");
      this.#hasStepped = false;
      answer(this.#server.execute(request, configuration));
    };
    if (this.#waiting === undefined) {
      run();
      return;
    }
    this.#felt("serverPause");
    this.#waiting.push(run);
  }

  get isReady(): boolean {
    return this.#server.isReady;
  }

  /** What a restart with `older` data finds. */
  save(): void {
    this.#saved = this.#server.snapshot();
  }

  /** Its calendar steps. */
  step(byMs: number): void {
    this.save();
    this.#hasStepped = byMs !== 0;
    this.clock.stepWall(byMs);
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
