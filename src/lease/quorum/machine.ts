import type { Now } from "../../kernel/clock.ts";
import { ownerOf, type SessionId } from "../requests.ts";
import { Acquisition } from "./acquisition.ts";
import type { Command, CommandPort } from "./command.ts";
import { QuorumCore, type QuorumOptions } from "./core.ts";
import { type Held, HeldNames } from "./held-names.ts";
import { quorumOf } from "./kept-out.ts";
import { Lookup } from "./lookup.ts";
import { Questions } from "./questions.ts";
import { Recovery } from "./recovery.ts";
import { ServerLink } from "./server-link.ts";
import type { HoldingQuestion, LeaseEffect, LeaseInput, Quorum } from "./types.ts";
import { BallotWindow } from "./window.ts";

/**
 * One node's side of the leases: it gets names from a majority of servers, keeps them, and knows until when. Pure: it is told what
 * happens and what time it is, and says what is to be done.
 *
 * Every `step`, and every question about a name, first ends what has run out. So whoever asks after the event loop stood still is
 * told the truth, whatever timers have had no chance to fire.
 */
export class QuorumMachine {
  readonly #core: QuorumCore;
  readonly #links: readonly ServerLink[];
  readonly #held: HeldNames;
  readonly #recovery: Recovery;
  readonly #questions: Questions;
  readonly #commands = new Map<number, Command>();
  /** Those who wait for a name, by name. */
  readonly #waiting = new Map<string, Set<Acquisition>>();
  readonly #port: CommandPort;
  readonly #window = new BallotWindow();
  #waiters = 0;
  #closed = false;

  constructor(options: QuorumOptions) {
    const core = new QuorumCore(options);
    const links = Array.from({ length: options.servers }, (_, index) => this.#makeLink(core, index));
    this.#core = core;
    this.#links = links;
    this.#held = new HeldNames(core, links);
    this.#recovery = new Recovery(core, links);
    this.#questions = new Questions(core, this.#held);
    const ended = (command: Command): void => this.#ended(command);
    const passOn = (owner: string, name: string): void => this.#passOn(owner, name);
    const waiters = (): number => this.#waiters;
    const window = this.#window;
    this.#port = {
      core,
      links,
      held: this.#held,
      questions: this.#questions,
      window,
      waiters,
      passOn,
      ended,
    };
  }

  /** When it wants a `tick` at the latest, by the monotonic clock. */
  get deadlineMs(): number | undefined {
    if (this.#closed) return undefined;
    const nextMs = Math.min(this.#core.agenda.nextMs, this.#held.nextLossMs);
    return nextMs === Number.POSITIVE_INFINITY ? undefined : nextMs;
  }

  /** Names held. */
  get size(): number {
    return this.#held.size;
  }

  /** How many servers this node can ask for votes now, and how many it needs. */
  quorum(now: Now): Quorum {
    this.#core.look(now);
    const reached = this.#links.filter((link) => link.isUsable).length;
    return quorumOf(this.#core, this.#links, reached);
  }

  /** For how long this claim certainly holds the name, if nothing is renewed; 0: it does not. */
  remainingMs(name: string, claim: number, now: Now): number {
    this.#core.look(now);
    return this.#held.leftMsOf(name, claim);
  }

  /** How long, from the latest step or question, every name is certainly held; Infinity when there are none, 0 or less: not all are. */
  get allHeldForMs(): number {
    return this.#held.leastLeftMs;
  }

  /** The answer to another node's `ask`. */
  holds({ claim, name, token }: HoldingQuestion, now: Now): boolean {
    return this.#held.get(name)?.token === token && this.remainingMs(name, claim, now) > 0;
  }

  step(input: LeaseInput, now: Now): readonly LeaseEffect[] {
    if (this.#closed) return [];
    this.#core.look(now);
    this.#endLost();
    this.#core.agenda.runDue(now.monotonicMs);
    this.#take(input);
    if (!this.#closed) {
      this.#window.admit();
      for (const link of this.#links) link.endStep();
    }
    return this.#core.takeEffects();
  }

  #take(input: LeaseInput): void {
    switch (input.kind) {
      case "connected":
        this.#links[input.server]?.connected();
        return;
      case "disconnected":
        this.#disconnected(this.#links[input.server]);
        return;
      case "reply":
        this.#links[input.server]?.reply(input.id, input.reply);
        return;
      case "acquire":
        this.#begin(new Acquisition(this.#port, { ...input, claim: this.#core.nextId() }));
        return;
      case "lookup":
        this.#begin(new Lookup(this.#port, input.command, input.name, input.timeoutMs));
        return;
      case "cancel":
        this.#commands.get(input.command)?.cancel();
        return;
      case "release":
        this.#release(input.command, [input]);
        return;
      case "releaseAll":
        this.#release(input.command, input.claims);
        return;
      case "answer":
        this.#questions.answer(input.question, input.holds);
        return;
      case "yourTurn":
        for (const waiting of [...(this.#waiting.get(input.name) ?? [])]) waiting.yourTurn();
        return;
      case "close":
        for (const link of this.#links) link.close();
        this.#closed = true;
        return;
      case "tick":
        return;
    }
  }

  #makeLink(core: QuorumCore, index: number): ServerLink {
    return new ServerLink(core, index, {
      onKept: (link) => {
        this.#recovery.kept(link);
        this.#held.kept(link);
        for (const command of [...this.#commands.values()]) command.linksChanged();
      },
      onSessionLost: (link) => {
        this.#held.sessionLost(link);
        this.#endLost();
      },
      onGuarded: (link, guarded) => this.#recovery.guarded(link, guarded),
      isNeeded: (link) => this.#held.needs(link),
    });
  }

  #disconnected(link: ServerLink | undefined): void {
    if (link === undefined) return;
    this.#recovery.forget(link);
    link.disconnected();
  }

  #begin(command: Command): void {
    this.#commands.set(command.id, command);
    if (command instanceof Acquisition && command.isWaiting) {
      const waiting = this.#waiting.get(command.name) ?? new Set();
      this.#waiting.set(command.name, waiting.add(command));
      this.#waiters += 1;
    }
    command.attempt();
  }

  #ended(command: Command): void {
    this.#commands.delete(command.id);
    if (!(command instanceof Acquisition)) return;
    const waiting = this.#waiting.get(command.name);
    if (waiting?.delete(command) === true) this.#waiters -= 1;
    if (waiting?.size === 0) this.#waiting.delete(command.name);
  }

  /** A name that has run out is lost for good, and given back: whoever waits need not wait for the session to end. */
  #endLost(): void {
    const lost = this.#held.takeLost();
    // All are told before anything is done about the first: they may be thousands.
    for (const { claim, name, token } of lost) this.#core.emit({ kind: "lost", name, claim, token });
    for (const held of lost) this.#free(held, () => {});
  }

  #release(command: number, claims: readonly { readonly name: string; readonly claim: number }[]): void {
    const held = claims.flatMap(({ claim, name }) => {
      const one = this.#held.get(name);
      return one?.claim === claim ? [one] : [];
    });
    let open = held.length;
    let isOver = false;
    const finish = (): void => {
      if (!isOver) this.#core.emit({ kind: "released", command, confirmed: open === 0 && held.length > 0 });
      isOver = true;
      withdraw();
    };
    const withdraw = this.#core.after(this.#core.times.requestMs, finish);
    if (open === 0) finish();
    for (const one of held) {
      this.#held.drop(one.name);
      this.#free(one, () => {
        open -= 1;
        if (open === 0) finish();
      });
    }
  }

  /** @param onMajority called when a majority has no vote any more */
  #free({ claim, name }: Held, onMajority: () => void): void {
    const turns = new Map<string, number>();
    const { needed } = this.#core;
    let gone = 0;
    const taken = (next: SessionId | undefined): void => {
      gone += 1;
      if (gone === needed) onMajority();
      const owner = next === undefined ? undefined : ownerOf(next);
      const turn = (turns.get(owner ?? "") ?? 0) + 1;
      if (owner !== undefined) turns.set(owner, turn);
      // Whoever a majority keeps it for will get it. Not before: it would come too early for the rest.
      if (owner !== undefined && turn === needed) this.#passOn(owner, name);
      if (gone < this.#links.length) return;
      // Servers that number the waiters differently keep it for different ones. Once these have looked again they agree.
      for (const [other, times] of turns) if (times < needed) this.#passOn(other, name);
    };
    for (const link of this.#links) link.owe({ name, claim, leave: true }, taken);
  }

  #passOn(owner: string, name: string): void {
    // Not at once: whoever says so may be one of those whose turn it is, and in the middle of something.
    if (owner === this.#core.owner) this.#core.after(0, () => this.#take({ kind: "yourTurn", name }));
    else this.#core.emit({ kind: "passOn", owner, name });
  }
}
