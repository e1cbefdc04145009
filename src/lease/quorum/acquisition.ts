import { hashText } from "../../kernel/hash.ts";
import { POLL_MS } from "../limits.ts";
import { type AcquireResult, ownerOf } from "../requests.ts";
import { Ballot, type Won } from "./ballot.ts";
import { Command, type CommandPort } from "./command.ts";
import type { ServerLink } from "./server-link.ts";
import { tallyOf } from "./tally.ts";
import type { Turn } from "./window.ts";

export interface AcquisitionOptions {
  readonly command: number;
  readonly claim: number;
  readonly name: string;
  readonly value: Uint8Array;
  readonly wait: boolean;
  readonly timeoutMs: number;
}

/**
 * Gets a name, by one ballot after another. What a lost one gave is taken back at once, everywhere, also where no answer came:
 * votes that were kept until the next attempt would block everyone, this node included, until the session ends.
 *
 * Whoever waits has a ticket on each server. Tickets are numbered as those of a baker: one gets the highest number that any server
 * gave, and brings it to all of them. So whoever comes when another has done that at a majority gets a higher one.
 */
export class Acquisition extends Command {
  /** Whether it stands in line while somebody has the name. */
  readonly isWaiting: boolean;
  readonly #options: AcquisitionOptions;
  #ballot: Ballot | undefined;
  /** Until its ballot is over, or while it waits for one. */
  #turn: Turn | undefined;
  #tries = 0;
  #ticket = 0;
  #isMyTurn = false;

  constructor(port: CommandPort, options: AcquisitionOptions) {
    super(port, options.command, options.name, options.timeoutMs);
    this.#options = options;
    this.isWaiting = options.wait;
    this.isPatient = options.wait;
  }

  /** A releaser says that it is this node's turn. */
  yourTurn(): void {
    if (this.hasEnded) return;
    this.#isMyTurn = true;
    this.#tries = 0;
    this.#turn?.hurry();
    if (this.#turn === undefined) this.attempt();
  }

  protected giveUp(): void {
    const { claim, name, wait } = this.#options;
    this.#ballot?.giveUp(true);
    this.#endTurn();
    if (!wait) return;
    for (const link of this.port.links) link.owe({ name, claim, leave: true });
  }

  attempt(): void {
    this.stayAwake();
    const isUrgent = this.#isMyTurn || !this.#options.wait;
    this.#turn ??= this.port.window.enter(() => this.#hold(), isUrgent);
  }

  #hold(): void {
    const { core } = this.port;
    const links = this.usable();
    if (this.areTooFew(links.length)) {
      this.#endTurn();
      return;
    }
    this.#isMyTurn = false;
    this.#tries += 1;
    const { claim, name, value, wait } = this.#options;
    const ticket = wait ? this.#ticket : undefined;
    const ballot: Ballot = new Ballot({
      core,
      item: { name, claim, proposal: core.proposeToken(), value, ticket },
      // Those who wait are in line anyway.
      oneFirst: !wait && this.#tries > 1,
      links: inOrderFor(name, links),
      onWon: (won) => this.#won(ballot, won),
      onLost: () => this.#lost(ballot),
      onLate: (link, session) => this.port.held.answered({ name, claim }, link, session),
    });
    this.#ballot = ballot;
    this.wakeAfter(core.times.requestMs, () => this.#lost(ballot));
    ballot.begin();
  }

  #endTurn(): void {
    this.#ballot = undefined;
    this.#turn?.end();
    this.#turn = undefined;
  }

  #won(ballot: Ballot, { open, token, votes }: Won): void {
    const { core, held } = this.port;
    const mask = held.maskOf(votes);
    // Time has passed since the servers were asked, and maybe too much.
    if (held.leftMs(mask) <= 0) {
      this.#lost(ballot);
      return;
    }
    const { claim, name, value } = this.#options;
    this.#endTurn();
    this.end();
    held.hold({ name, claim, token, value }, mask, open);
    core.emit({ kind: "granted", command: this.id, name, claim, token });
  }

  #lost(ballot: Ballot): void {
    const { results } = ballot;
    // Else its time runs out as well, while somebody is being asked about it, and two attempts follow.
    this.stayAwake();
    ballot.giveUp(false);
    this.#endTurn();
    for (const result of results) if (result.kind === "held") this.port.core.sawToken(result.vote.token);
    if (results.some(({ kind }) => kind === "exhausted")) this.refuse({ kind: "exhausted" });
    else if (this.#options.wait) this.#standInLine(results);
    else this.#whoHasIt(results);
  }

  #standInLine(results: readonly AcquireResult[]): void {
    const refused = results.filter(isRefused);
    const tickets = refused.map(({ ticket }) => ticket ?? 0);
    this.#ticket = Math.max(this.#ticket, ...tickets);
    // A server that granted has taken it out of the line, and one that numbered it lower must be told.
    const isInPlace = refused.length === results.length && tickets.every((ticket) => ticket === this.#ticket);
    const ahead = Math.max(0, ...refused.map((result) => result.ahead));
    const leftMs = Math.max(0, ...refused.map((result) => result.leftMs));
    const inLineMs = Math.min(POLL_MS.next + ahead * POLL_MS.perPlace, this.port.core.times.renewEveryMs);
    const pollMs = Math.max(inLineMs, this.port.waiters() * POLL_MS.perWaiter);
    // Whoever it is kept for may not know, because the line has changed since the release.
    const next = refused.flatMap((result) => (result.kind === "reserved" ? [ownerOf(result.next)] : []));
    for (const owner of new Set(next)) this.port.passOn(owner, this.name);
    if (this.#isMyTurn || !isInPlace) this.#again();
    else this.wakeAfter(Math.min(pollMs, leftMs + 1), () => this.attempt());
  }

  #whoHasIt(results: readonly AcquireResult[]): void {
    const { core, links } = this.port;
    const { leading, votes } = tallyOf(
      results.flatMap((result) => (result.kind === "held" ? [result.vote] : [])),
    );
    if (leading !== undefined && votes >= core.needed) {
      this.refuse({ kind: "taken", vote: leading });
      return;
    }
    const silent = links.length - results.length;
    if (leading === undefined || votes + silent < core.needed) {
      this.isUnclear = false;
      this.#again();
      return;
    }
    // Only one of those who voted for it could be asked, say: the others may have voted for it too.
    this.isUnclear = true;
    this.askHolder(leading, (holds) => {
      if (holds === true) this.refuse({ kind: "taken", vote: leading });
      else {
        this.isUnclear = holds === undefined;
        this.#again();
      }
    });
  }

  #again(): void {
    this.wakeAfter(this.port.core.backoffMs(this.#tries, `${this.#options.claim}`), () => this.attempt());
  }
}

type Refused = Extract<AcquireResult, { readonly kind: "held" | "reserved" }>;

function isRefused(result: AcquireResult): result is Refused {
  return result.kind === "held" || result.kind === "reserved";
}

/** The same for everyone who is after this name. */
function inOrderFor(name: string, links: readonly ServerLink[]): readonly ServerLink[] {
  const weight = ({ index }: ServerLink): number => hashText(name, hashText(`server ${index}`));
  return [...links].sort((left, right) => weight(right) - weight(left));
}
