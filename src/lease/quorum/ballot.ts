import type { AcquireItem, AcquireResult, SessionId } from "../requests.ts";
import type { QuorumCore } from "./core.ts";
import type { ServerLink } from "./server-link.ts";

/** A majority's votes, and in which session each was given. */
export interface Won {
  readonly token: number;
  readonly votes: ReadonlyMap<number, SessionId | undefined>;
  /** One bit for each server that may still answer: see `onLate`. */
  readonly open: number;
}

export interface BallotOptions {
  readonly core: QuorumCore;
  readonly item: AcquireItem;
  /** A majority at least. */
  readonly links: readonly ServerLink[];
  /**
   * Asks the first alone, and the others when it has granted. Of several who contend only the one that gets this vote asks for
   * more, so that they do not split the votes between them.
   */
  readonly oneFirst: boolean;
  onWon(won: Won): void;
  /** There is nothing to be won any more. Not called after `giveUp`. */
  onLost(): void;
  /** After it was won a server has answered too. @param session in which it voted for the token that was won, if it did */
  onLate(link: ServerLink, session: SessionId | undefined): void;
}

interface Asked {
  readonly link: ServerLink;
  readonly session: SessionId | undefined;
  /** Undefined: not answered yet. `unknown`: it will not be, and may have been carried out. */
  result: AcquireResult | { readonly kind: "unknown" } | undefined;
}

type Granted = Asked & { readonly result: Extract<AcquireResult, { readonly kind: "granted" }> };

/**
 * One attempt to get a majority's votes for a name. A majority that granted **the same token** is enough: one round trip. If the
 * tokens differ, the highest is stored with the votes of a majority before it counts; else the next to come could be given the
 * same one by servers that know the lower only.
 */
export class Ballot {
  readonly #options: BallotOptions;
  readonly #asked: Asked[] = [];
  #rest: readonly ServerLink[];
  #state: "asking" | "confirming" | "won" | "over" = "asking";
  #token = 0;

  constructor(options: BallotOptions) {
    this.#options = options;
    this.#rest = options.links;
  }

  begin(): void {
    this.#askNext(this.#options.oneFirst ? 1 : this.#rest.length);
  }

  /** What was answered, by those who answered. */
  get results(): readonly AcquireResult[] {
    return this.#asked.flatMap(({ result }) =>
      result === undefined || result.kind === "unknown" ? [] : [result],
    );
  }

  /**
   * Takes back whatever a server may have given, also one that did not answer.
   * @param leave the place in its queue too
   */
  giveUp(leave: boolean): void {
    this.#state = "over";
    const { claim, name } = this.#options.item;
    for (const { link, result, session } of this.#asked) {
      const mayHaveVoted = result === undefined || result.kind === "unknown" || result.kind === "granted";
      if (session !== link.session || !(mayHaveVoted || leave)) continue;
      link.owe({ name, claim, leave });
    }
  }

  #askNext(count: number): void {
    const links = this.#rest.slice(0, count);
    this.#rest = this.#rest.slice(count);
    const asked = links.map((link): Asked => ({ link, session: link.session, result: undefined }));
    this.#asked.push(...asked);
    for (const each of asked) {
      if (this.#state !== "asking") return;
      each.link.acquire(this.#options.item, (result) => {
        each.result = result ?? { kind: "unknown" };
        if (result?.kind === "granted") this.#options.core.sawToken(result.token);
        if (this.#state === "asking") this.#judge();
        else if (this.#state === "won") this.#options.onLate(each.link, this.#sessionOf(each));
      });
    }
  }

  #judge(): void {
    const { core } = this.#options;
    const granted = this.#asked.filter(isGranted);
    if (granted.length > 0 && this.#rest.length > 0) {
      this.#askNext(this.#rest.length);
      return;
    }
    if (granted.length >= core.needed) {
      this.#token = Math.max(...granted.map(({ result }) => result.token));
      const same = granted.filter(({ result }) => result.token === this.#token);
      if (same.length >= core.needed) this.#win(same);
      else this.#confirm(granted);
      return;
    }
    const open = this.#asked.filter(({ result }) => result === undefined).length;
    if (open === 0 || granted.length + open + this.#rest.length < core.needed) this.#lose();
  }

  #confirm(granted: readonly Asked[]): void {
    this.#state = "confirming";
    const { claim, name, value } = this.#options.item;
    const stored: Asked[] = [];
    let open = granted.length;
    for (const each of granted) {
      const answered = (isStored: boolean): void => {
        open -= 1;
        if (isStored) stored.push(each);
        if (this.#state !== "confirming") return;
        if (stored.length >= this.#options.core.needed) this.#win(stored);
        else if (stored.length + open < this.#options.core.needed) this.#lose();
      };
      // A vote of a session that has ended is gone. It must not be made anew in the next one: somebody else may have held the name
      // meanwhile, with a higher token.
      if (each.link.session !== each.session) answered(false);
      else {
        each.link.store("confirm", [{ name, claim, token: this.#token, value }], (results) => {
          answered(results?.[0]?.kind === "stored");
        });
      }
    }
  }

  #win(voted: readonly Asked[]): void {
    this.#state = "won";
    let open = 0;
    for (const { link, result } of this.#asked) if (result === undefined) open |= link.bit;
    const votes = new Map(voted.map(({ link, session }) => [link.index, session]));
    this.#options.onWon({ token: this.#token, votes, open });
  }

  #lose(): void {
    this.#state = "over";
    this.#options.onLost();
  }

  #sessionOf({ result, session }: Asked): SessionId | undefined {
    return result?.kind === "granted" && result.token === this.#token ? session : undefined;
  }
}

function isGranted(asked: Asked): asked is Granted {
  return asked.result?.kind === "granted";
}
