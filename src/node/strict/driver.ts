import type { Clock, Now } from "../../kernel/clock.ts";
import type { NodeId } from "../../kernel/ids.ts";
import type { Random } from "../../kernel/random.ts";
import type { LeaseLinks, LeaseStore } from "../../lease/port.ts";
import { QuorumMachine } from "../../lease/quorum/machine.ts";
import type { HoldingQuestion, LeaseEffect, LeaseInput, Quorum } from "../../lease/quorum/types.ts";
import { Alarm } from "../alarm.ts";
import { RequestBatches } from "./request-batches.ts";

/** What the servers do not take care of. */
export type TellingEffect = Exclude<LeaseEffect, { kind: "send" | "warning" }>;

export interface LeaseDriverOptions {
  readonly self: NodeId;
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly random: Random;
  carryOut(effect: TellingEffect): void;
  /** Runs code of users, when the machine is at rest. */
  afterwards(run: () => void): void;
  onWarning(server: string, message: string): void;
  /** A rule of this library was broken. */
  onBug(error: unknown, input: LeaseInput): void;
}

/** Feeds the quorum machine, one input at a time, and connects it to the lease servers and to time. */
export class LeaseDriver {
  readonly #options: LeaseDriverOptions;
  readonly #machine: QuorumMachine;
  readonly #alarm: Alarm;
  readonly #batches: RequestBatches;
  #links: LeaseLinks | undefined;
  #inputs: LeaseInput[] = [];
  #afterwards: (() => void)[] = [];
  #running = false;
  #closed = false;
  #requests = 0;
  /** When it was last known that every name is held, and for how long from then. */
  #lookedAt: Now = { monotonicMs: 0, wallMs: 0 };
  #heldForMs = Number.POSITIVE_INFINITY;

  constructor(options: LeaseDriverOptions) {
    const { clock, self, store } = options;
    this.#options = options;
    this.#machine = new QuorumMachine({
      owner: self,
      servers: store.servers.length,
      settings: store.settings,
    });
    this.#batches = new RequestBatches({
      clock,
      send: (server, id, request) => {
        this.#requests += 1;
        this.#links?.send(server, id, request);
      },
      onReply: (server, id, reply) => this.feed({ kind: "reply", server, id, reply }),
    });
    this.#alarm = new Alarm(clock, () => this.feed({ kind: "tick" }));
  }

  /** Requests sent to lease servers. */
  get requests(): number {
    return this.#requests;
  }

  /** Begins to connect, and goes on until `close`. */
  open(): void {
    const { clock, random, self, store } = this.#options;
    this.#links ??= store.open({
      clientName: self,
      clock,
      random,
      onConnected: (server) => this.feed({ kind: "connected", server }),
      onDisconnected: (server) => {
        this.#batches.disconnected(server);
        this.feed({ kind: "disconnected", server });
      },
      onReply: (server, id, reply) => this.#batches.reply(server, id, reply),
      onWarning: (server, message) => this.#warn(server, message),
    });
  }

  feed(input: LeaseInput): void {
    if (this.#closed) return;
    this.#inputs.push(input);
    if (!this.#running) this.#run();
  }

  /** Has users' code run when the inputs that are in line are done with. */
  afterwards(run: () => void): void {
    this.#afterwards.push(run);
    if (!this.#running) this.#runAfterwards();
  }

  /**
   * To be called before anything of users runs that counts on leases: after the event loop stood still no timer has fired yet, and
   * what was lost meanwhile must be told first. Costs two looks at clocks; nothing while no name is held.
   */
  look(): void {
    if (this.#heldForMs === Number.POSITIVE_INFINITY) return;
    const { monotonicMs, wallMs } = this.#options.clock.now();
    const { monotonicMs: lastMs, wallMs: lastWallMs } = this.#lookedAt;
    if (Math.max(monotonicMs - lastMs, wallMs - lastWallMs) >= this.#heldForMs) this.feed({ kind: "tick" });
  }

  remainingMs(key: string, claim: number): number {
    if (this.#closed) return 0;
    return this.#machine.remainingMs(key, claim, this.#options.clock.now());
  }

  holds(question: HoldingQuestion): boolean {
    return !this.#closed && this.#machine.holds(question, this.#options.clock.now());
  }

  quorum(): Quorum {
    return this.#machine.quorum(this.#options.clock.now());
  }

  /** Ends the sessions and closes the connections. Idempotent. */
  async close(): Promise<void> {
    this.feed({ kind: "close" });
    this.#batches.flush();
    this.#closed = true;
    this.#inputs = [];
    this.#heldForMs = Number.POSITIVE_INFINITY;
    this.#alarm.close();
    const links = this.#links;
    this.#links = undefined;
    await links?.close();
  }

  #run(): void {
    this.#running = true;
    for (let input = this.#inputs.shift(); input !== undefined; input = this.#inputs.shift())
      this.#step(input);
    this.#running = false;
    if (!this.#closed) this.#alarm.set(this.#machine.deadlineMs);
    this.#runAfterwards();
  }

  #step(input: LeaseInput): void {
    const now = this.#options.clock.now();
    let effects: readonly LeaseEffect[];
    try {
      effects = this.#machine.step(input, now);
    } catch (error) {
      this.#options.onBug(error, input);
      return;
    }
    this.#lookedAt = now;
    this.#heldForMs = this.#machine.allHeldForMs;
    for (const effect of effects) {
      try {
        this.#carryOut(effect);
      } catch (error) {
        this.#options.onBug(error, input);
      }
    }
  }

  #carryOut(effect: LeaseEffect): void {
    switch (effect.kind) {
      case "send":
        this.#batches.send(effect.server, effect.id, effect.request);
        return;
      case "warning":
        this.#warn(effect.server, effect.message);
        return;
      default:
        this.#options.carryOut(effect);
    }
  }

  #warn(server: number, message: string): void {
    const { onWarning, store } = this.#options;
    onWarning(store.servers[server] ?? `${server}`, message);
  }

  #runAfterwards(): void {
    const afterwards = this.#afterwards;
    if (afterwards.length === 0) return;
    this.#afterwards = [];
    for (const run of afterwards) this.#options.afterwards(run);
  }
}
