import { ITEMS_PER_REQUEST } from "../limits.ts";
import type { SessionId } from "../requests.ts";
import type { QuorumCore } from "./core.ts";
import type { ServerLink } from "./server-link.ts";

/** A name that this node holds. */
export interface Held {
  readonly name: string;
  readonly claim: number;
  readonly token: number;
  readonly value: Uint8Array;
}

interface Entry extends Held {
  /** One bit for each server whose vote it has, given in the session that is open there now. */
  mask: number;
}

/**
 * The names that this node holds, and until when.
 *
 * A name is held until the Q-th longest of the sessions **on the servers that voted for it** ends. "A majority voted for it, and a
 * majority renews the session" is not enough, for these may be different ones: 1. votes of A and B, renewals of B and C; 2. A lets
 * the session expire; 3. a rival gets A and C. So names are kept in groups by who voted for them, of which there are few, and
 * looking whether all are still held costs as much for ten thousand names as for one.
 */
export class HeldNames {
  readonly #core: QuorumCore;
  readonly #links: readonly ServerLink[];
  readonly #byName = new Map<string, Entry>();
  readonly #byMask = new Map<number, Set<Entry>>();
  /** For each server, the names that it has still to be asked for. */
  readonly #missing: readonly Set<Entry>[];
  /** And those that it has refused since the last renewal: kept apart, so that they do not keep the others from being asked for. */
  readonly #refused: readonly Set<Entry>[];
  readonly #isAttaching: boolean[];

  constructor(core: QuorumCore, links: readonly ServerLink[]) {
    this.#core = core;
    this.#links = links;
    this.#missing = links.map(() => new Set());
    this.#refused = links.map(() => new Set());
    this.#isAttaching = links.map(() => false);
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Held | undefined {
    return this.#byName.get(name);
  }

  /** The mask of those of these sessions that are still the ones that are open. */
  maskOf(sessions: ReadonlyMap<number, SessionId | undefined>): number {
    let mask = 0;
    for (const [server, session] of sessions) {
      const link = this.#links[server];
      if (link !== undefined && session !== undefined && link.session === session) mask |= link.bit;
    }
    return mask;
  }

  /** How long a name is held that these servers voted for; negative or 0: it is not. */
  leftMs(mask: number): number {
    const times = this.#links.filter(({ bit }) => (mask & bit) !== 0).map((link) => link.leftMs);
    times.sort((left, right) => right - left);
    return times[this.#core.needed - 1] ?? Number.NEGATIVE_INFINITY;
  }

  leftMsOf(name: string, claim: number): number {
    const entry = this.#byName.get(name);
    return entry?.claim === claim ? Math.max(0, this.leftMs(entry.mask)) : 0;
  }

  /** @param asked servers that may still answer: they are not asked again meanwhile */
  hold(held: Held, mask: number, asked: number): void {
    const entry: Entry = { ...held, mask };
    this.#byName.set(held.name, entry);
    this.#group(mask).add(entry);
    for (const link of this.#links) {
      if (((mask | asked) & link.bit) === 0) this.#missing[link.index]?.add(entry);
    }
    this.#links.forEach((link) => {
      this.attach(link);
    });
  }

  /** A server that was asked before the name was held has answered, or will not. */
  answered(held: Pick<Held, "name" | "claim">, link: ServerLink, session: SessionId | undefined): void {
    const entry = this.#byName.get(held.name);
    if (entry?.claim !== held.claim || (entry.mask & link.bit) !== 0) return;
    if (session !== undefined && session === link.session) {
      this.#setMask(entry, entry.mask | link.bit);
    } else {
      this.#missing[link.index]?.add(entry);
      this.attach(link);
    }
  }

  /** Whether a name would be lost with this server's votes. */
  needs({ bit }: ServerLink): boolean {
    for (const mask of this.#byMask.keys()) {
      if ((mask & bit) !== 0 && this.leftMs(mask) > 0 && this.leftMs(mask & ~bit) <= 0) return true;
    }
    return false;
  }

  drop(name: string): Held | undefined {
    const entry = this.#byName.get(name);
    if (entry === undefined) return undefined;
    this.#byName.delete(name);
    this.#ungroup(entry);
    for (const missing of [...this.#missing, ...this.#refused]) missing.delete(entry);
    return entry;
  }

  /** Its votes are gone, and have to be made anew. */
  sessionLost(link: ServerLink): void {
    const groups = [...this.#byMask].filter(([mask]) => (mask & link.bit) !== 0);
    for (const [mask, entries] of groups) {
      for (const entry of [...entries]) {
        this.#setMask(entry, mask & ~link.bit);
        this.#missing[link.index]?.add(entry);
      }
    }
  }

  /** The session has been opened or renewed: what somebody else was trying to get may be free now. */
  kept(link: ServerLink): void {
    const refused = this.#refused[link.index];
    for (const entry of refused ?? []) this.#missing[link.index]?.add(entry);
    refused?.clear();
    this.attach(link);
  }

  /** Asks a server for the votes that are missing there, so that every name survives the loss of any server. */
  attach(link: ServerLink): void {
    const missing = this.#missing[link.index];
    const { session } = link;
    if (missing === undefined || missing.size === 0 || session === undefined) return;
    if (this.#isAttaching[link.index] === true || !link.isUsable) return;
    const batch: Entry[] = [];
    for (const entry of missing) {
      if (batch.push(entry) === ITEMS_PER_REQUEST) break;
    }
    this.#isAttaching[link.index] = true;
    const items = batch.map(({ name, claim, token, value }) => ({ name, claim, token, value }));
    link.store("attach", items, (results) => {
      this.#isAttaching[link.index] = false;
      if (results === undefined || link.session !== session) return;
      for (const [index, entry] of batch.entries()) {
        if (!missing.delete(entry)) continue;
        if (results[index]?.kind === "stored") this.#setMask(entry, entry.mask | link.bit);
        else this.#refused[link.index]?.add(entry);
      }
      this.attach(link);
    });
  }

  /** Takes out the names that are not held any more. */
  takeLost(): readonly Held[] {
    const lost: Held[] = [];
    for (const [mask, entries] of [...this.#byMask]) {
      if (this.leftMs(mask) <= 0) lost.push(...entries);
    }
    for (const { name } of lost) this.drop(name);
    return lost;
  }

  /** How long all of them are held, if nothing is renewed. */
  get leastLeftMs(): number {
    let leastMs = Number.POSITIVE_INFINITY;
    for (const mask of this.#byMask.keys()) leastMs = Math.min(leastMs, this.leftMs(mask));
    return leastMs;
  }

  /** When `takeLost` has something to take, by the monotonic clock, if nothing is renewed. */
  get nextLossMs(): number {
    // Timers know no less than a millisecond; and the two clocks may disagree by less than either can tell.
    return this.#core.now.monotonicMs + Math.max(1, this.leastLeftMs);
  }

  #setMask(entry: Entry, mask: number): void {
    this.#ungroup(entry);
    entry.mask = mask;
    this.#group(mask).add(entry);
  }

  #group(mask: number): Set<Entry> {
    const known = this.#byMask.get(mask);
    if (known !== undefined) return known;
    const group = new Set<Entry>();
    this.#byMask.set(mask, group);
    return group;
  }

  #ungroup(entry: Entry): void {
    const group = this.#byMask.get(entry.mask);
    group?.delete(entry);
    if (group?.size === 0) this.#byMask.delete(entry.mask);
  }
}
