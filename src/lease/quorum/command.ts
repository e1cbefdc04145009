import type { Vote } from "../requests.ts";
import type { QuorumCore } from "./core.ts";
import type { HeldNames } from "./held-names.ts";
import { enoughAtMs, quorumOf } from "./kept-out.ts";
import type { Questions } from "./questions.ts";
import type { ServerLink } from "./server-link.ts";
import type { Refusal } from "./types.ts";
import type { BallotWindow } from "./window.ts";

/** For so many times `requestMs` a command waits until it reaches a majority: a node that has just started has to connect first. */
const PATIENCE = 2;

/** What commands work with. */
export interface CommandPort {
  readonly core: QuorumCore;
  readonly links: readonly ServerLink[];
  readonly held: HeldNames;
  readonly questions: Questions;
  readonly window: BallotWindow;
  /** Commands of this node that stand in line. */
  waiters(): number;
  /** Tells whoever a name is kept for. */
  passOn(owner: string, name: string): void;
  /** It has come to an end. */
  ended(command: Command): void;
}

/** An `acquire` or a `lookup` under way. */
export abstract class Command {
  readonly id: number;
  readonly name: string;
  protected readonly port: CommandPort;
  readonly #withdraw: () => void;
  readonly #endsAtMs: number;
  #wake: (() => void) | undefined;
  #hasEnded = false;
  /** Nobody could tell whether the name is held. */
  protected isUnclear = false;
  /** Whether it waits for as long as it may until enough servers can be asked; else it is refused after a while. */
  protected isPatient = false;
  /** Too few servers can be asked. */
  #isStuck = false;
  #withdrawPatience: (() => void) | undefined;
  #hasWaitedEnough = false;

  constructor(port: CommandPort, id: number, name: string, timeoutMs: number) {
    this.port = port;
    this.id = id;
    this.name = name;
    const { core } = port;
    this.#endsAtMs = core.now.monotonicMs + timeoutMs;
    this.#withdraw = core.after(timeoutMs, () => this.refuse(this.#overdue()));
  }

  /** More servers than before may take part. */
  linksChanged(): void {
    if (this.#isStuck && !this.#hasEnded) this.attempt();
  }

  abstract attempt(): void;

  /** Takes back what was done. */
  protected abstract giveUp(): void;

  cancel(): void {
    this.giveUp();
    this.end();
  }

  protected refuse(refusal: Refusal): void {
    this.giveUp();
    this.end();
    this.port.core.emit({ kind: "refused", command: this.id, refusal });
  }

  protected end(): void {
    this.#hasEnded = true;
    this.#withdraw();
    this.#withdrawPatience?.();
    this.#wake?.();
    this.port.ended(this);
  }

  protected get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Goes on after that time, if nothing else does before. */
  protected wakeAfter(delayMs: number, run: () => void): void {
    this.#wake?.();
    this.#wake = this.port.core.after(delayMs, run);
  }

  protected stayAwake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  protected usable(): readonly ServerLink[] {
    return this.port.links.filter((link) => link.isUsable);
  }

  /** Whether so many servers are too few. Then the command waits for more, for a while. */
  protected areTooFew(reached: number): boolean {
    const { core } = this.port;
    this.#isStuck = reached < core.needed;
    if (!this.#isStuck) {
      this.#withdrawPatience?.();
      this.#withdrawPatience = undefined;
    } else if (this.#hasWaitedEnough) {
      this.#waitForGuards(reached);
    } else if (!this.isPatient) {
      this.#withdrawPatience ??= core.after(PATIENCE * core.times.requestMs, () => {
        this.#hasWaitedEnough = true;
        this.attempt();
      });
    }
    return this.#isStuck;
  }

  /** Servers that were just started, say, take part after a known time: that is worth waiting for, if it is over soon enough. */
  #waitForGuards(reached: number): void {
    const { core, links } = this.port;
    const overMs = enoughAtMs(links, core.needed - reached);
    // Then they are told a token floor, and sessions are opened.
    const leftMs = overMs + core.times.requestMs - core.now.monotonicMs;
    if (overMs >= this.#endsAtMs || leftMs <= 0) {
      this.refuse({ kind: "noQuorum", ...quorumOf(core, links, reached) });
      return;
    }
    this.#withdrawPatience?.();
    this.#withdrawPatience = core.after(leftMs, () => this.attempt());
  }

  /** Asks who may hold it, where too few servers could tell. `then` is not called when the command has ended meanwhile. */
  protected askHolder(vote: Vote, then: (holds: boolean | undefined) => void): void {
    this.port.questions.ask(vote, this.name, (holds) => {
      if (!this.#hasEnded) then(holds);
    });
  }

  #overdue(): Refusal {
    const { core, links } = this.port;
    const reached = this.usable().length;
    if (reached < core.needed) return { kind: "noQuorum", ...quorumOf(core, links, reached) };
    return this.isUnclear ? { kind: "indeterminate" } : { kind: "timeout" };
  }
}
