import type { Cancel } from "../../src/kernel/clock.ts";
import { SeededRandom } from "../../src/kernel/random.ts";
import type { LeaseLinks, LeaseStore } from "../../src/lease/port.ts";
import { QuorumMachine } from "../../src/lease/quorum/machine.ts";
import type { LeaseEffect, LeaseInput } from "../../src/lease/quorum/types.ts";
import { RealClock } from "./real-clock.ts";

export type Outcome = Extract<LeaseEffect, { readonly command: number }>;

/** The quorum machine of one node, over a real store. */
export class QuorumNode implements AsyncDisposable {
  readonly owner: string;
  readonly lost: string[] = [];
  readonly #machine: QuorumMachine;
  readonly #links: LeaseLinks;
  readonly #clock = new RealClock();
  readonly #others: ReadonlyMap<string, QuorumNode>;
  readonly #outcomes = new Map<number, (outcome: Outcome) => void>();
  #lastCommand = 0;
  #cancel: Cancel = () => undefined;

  constructor(store: LeaseStore, owner: string, others: ReadonlyMap<string, QuorumNode>) {
    this.owner = owner;
    this.#others = others;
    this.#machine = new QuorumMachine({ owner, servers: store.servers.length, settings: store.settings });
    this.#links = store.open({
      clientName: owner,
      clock: this.#clock,
      random: new SeededRandom(owner),
      onConnected: (server) => this.feed({ kind: "connected", server }),
      onDisconnected: (server) => this.feed({ kind: "disconnected", server }),
      onReply: (server, id, reply) => this.feed({ kind: "reply", server, id, reply }),
      onWarning: () => undefined,
    });
  }

  get reached(): number {
    return this.#machine.quorum(this.#clock.now()).reached;
  }

  feed(input: LeaseInput): void {
    for (const effect of this.#machine.step(input, this.#clock.now())) this.#carryOut(effect);
    this.#cancel();
    const { deadlineMs } = this.#machine;
    if (deadlineMs === undefined) return;
    const delayMs = Math.max(0, deadlineMs - this.#clock.now().monotonicMs);
    this.#cancel = this.#clock.after(delayMs, () => this.feed({ kind: "tick" }));
  }

  acquire(name: string, { wait = false, timeoutMs = 10_000 } = {}): Promise<Outcome> {
    const value = Buffer.from(this.owner);
    return this.#ask((command) => ({ kind: "acquire", command, name, value, wait, timeoutMs }));
  }

  /** Acquires, and must succeed. */
  async take(name: string, options?: { wait?: boolean }): Promise<Extract<Outcome, { kind: "granted" }>> {
    const outcome = await this.acquire(name, options);
    if (outcome.kind !== "granted") throw new Error(`not granted: ${JSON.stringify(outcome)}`);
    return outcome;
  }

  release(name: string, claim: number): Promise<Outcome> {
    return this.#ask((command) => ({ kind: "release", command, name, claim }));
  }

  /** The owner that a lookup tells of. */
  async holder(name: string): Promise<string | undefined> {
    const outcome = await this.#ask((command) => ({ kind: "lookup", command, name, timeoutMs: 10_000 }));
    if (outcome.kind !== "found") throw new Error(`not found: ${JSON.stringify(outcome)}`);
    return outcome.holder === undefined ? undefined : Buffer.from(outcome.holder.value).toString();
  }

  holds(name: string, claim: number): boolean {
    return this.#machine.remainingMs(name, claim, this.#clock.now()) > 0;
  }

  /** Ends without a word to the servers. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel();
    await this.#links.close();
    this.#cancel();
  }

  #ask(input: (command: number) => LeaseInput): Promise<Outcome> {
    this.#lastCommand += 1;
    const command = this.#lastCommand;
    return new Promise((resolve) => {
      this.#outcomes.set(command, resolve);
      this.feed(input(command));
    });
  }

  #carryOut(effect: LeaseEffect): void {
    switch (effect.kind) {
      case "send":
        this.#links.send(effect.server, effect.id, effect.request);
        return;
      case "lost":
        this.lost.push(effect.name);
        return;
      case "passOn": {
        const { name, owner } = effect;
        this.#clock.endOfTurn(() => this.#others.get(owner)?.feed({ kind: "yourTurn", name }));
        return;
      }
      case "ask": {
        const { owner, question } = effect;
        const other = this.#others.get(owner);
        this.#clock.endOfTurn(() => {
          if (other !== undefined)
            this.feed({ kind: "answer", question, holds: other.#machine.holds(effect, this.#clock.now()) });
        });
        return;
      }
      case "warning":
        return;
      default:
        this.#outcomes.get(effect.command)?.(effect);
        this.#outcomes.delete(effect.command);
    }
  }
}
