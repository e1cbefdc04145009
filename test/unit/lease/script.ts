import { QuorumMachine } from "../../../src/lease/quorum/machine.ts";
import type { LeaseEffect, LeaseInput } from "../../../src/lease/quorum/types.ts";
import type { AcquireResult, LeaseReply, LeaseRequest } from "../../../src/lease/requests.ts";
import { DEFAULT_LEASE_SETTINGS } from "../../../src/lease/settings.ts";

type Sent = LeaseEffect & { readonly kind: "send" };

/** One machine, and servers that say what the test says. */
export class Script {
  readonly machine: QuorumMachine;
  readonly effects: LeaseEffect[] = [];
  nowMs = 1_000;
  readonly #answered = new Set<number>();

  /** @param servers how many of them have a session with it when it begins */
  constructor(servers = 3) {
    this.machine = new QuorumMachine({ owner: "n1", servers, settings: DEFAULT_LEASE_SETTINGS });
    for (let server = 0; server < servers; server += 1) {
      this.step({ kind: "connected", server });
      this.keep(server);
    }
  }

  step(input: LeaseInput): void {
    this.effects.push(...this.machine.step(input, { monotonicMs: this.nowMs, wallMs: this.nowMs }));
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.step({ kind: "tick" });
  }

  /** What was sent to a server and has not been answered. */
  open(server: number, kind?: LeaseRequest["kind"]): readonly Sent[] {
    return this.effects.filter(
      (effect): effect is Sent =>
        effect.kind === "send" &&
        effect.server === server &&
        !this.#answered.has(effect.id) &&
        (kind === undefined || effect.request.kind === kind),
    );
  }

  /** Answers the oldest open request of this kind. */
  reply(server: number, kind: LeaseRequest["kind"], reply: LeaseReply): void {
    const [sent] = this.open(server, kind);
    if (sent === undefined) throw new Error(`nothing like ${kind} was sent to ${server}`);
    this.#answered.add(sent.id);
    this.step({ kind: "reply", server, id: sent.id, reply });
  }

  /** The session is opened, or renewed. */
  keep(server: number): void {
    const kind = this.open(server, "open").length > 0 ? "open" : "renew";
    this.reply(server, kind, { kind: "kept", serverMs: this.nowMs, maxToken: 0 });
  }

  vote(server: number, result: AcquireResult): void {
    this.reply(server, "acquire", { kind: "acquired", items: [result] });
  }

  grant(server: number, token: number): void {
    this.vote(server, { kind: "granted", token });
  }

  acquire(name: string, wait = false): void {
    this.step({ kind: "acquire", command: 1, name, value: new Uint8Array(), wait, timeoutMs: 60_000 });
  }

  told<K extends LeaseEffect["kind"]>(kind: K): readonly (LeaseEffect & { readonly kind: K })[] {
    return this.effects.filter(
      (effect): effect is LeaseEffect & { readonly kind: K } => effect.kind === kind,
    );
  }
}
