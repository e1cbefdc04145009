import type { Guarded } from "../requests.ts";
import type { QuorumCore } from "./core.ts";
import type { ServerLink } from "./server-link.ts";

/** A guard that is so many times as old as it has to be is over, also for who sees it for the first time. */
const OLD = 3;

/**
 * Gets servers going that keep out because they may have forgotten tokens. Any node may do it, and all do.
 *
 * Waiting makes sure that nobody counts on forgotten votes, and says nothing about tokens: 1. token 5 is stored on A and B; 2. A
 * restarts empty; 3. a majority of A and C would give out 1. So the server gets a floor: the highest token that N - Q + 1 others
 * have ever stored, which is at least one of every majority. They are asked **after** its wait is over. Before, a token that counts
 * the forgotten vote may still be on its way to them.
 */
export class Recovery {
  readonly #core: QuorumCore;
  readonly #links: readonly ServerLink[];
  /** What each server said last, if it keeps out. */
  readonly #guards: (Guarded | undefined)[];
  /** Of each server, which guard this node has seen there last, and when for the first time. */
  readonly #seen: ({ readonly guard: string; readonly sinceMs: number } | undefined)[];
  /** When the others were asked for a floor for it last. */
  readonly #askedMs: number[];
  #hasWarned = false;
  /** This node has had a session on any of them. */
  #isUsed = false;

  constructor(core: QuorumCore, links: readonly ServerLink[]) {
    this.#core = core;
    this.#links = links;
    this.#guards = links.map(() => undefined);
    this.#seen = links.map(() => undefined);
    this.#askedMs = links.map(() => Number.NEGATIVE_INFINITY);
  }

  guarded(link: ServerLink, guarded: Guarded): void {
    this.#guards[link.index] = guarded;
    const { requestMs } = this.#core.times;
    const isOver = this.#hasLasted(link, guarded) && guarded.waitMs === 0;
    const leftMs = guarded.needsFloor
      ? Math.max(guarded.waitMs, this.#leftMs(link, guarded))
      : guarded.waitMs;
    link.keepsOutFor(leftMs);
    link.lookAgain(isOver ? requestMs : Math.min(leftMs + 1, requestMs));
    if (!guarded.needsFloor) return;
    if (this.#isFirstUse()) this.#openAll();
    else if (isOver) this.#findFloor(link, guarded.guard);
    this.#warnIfClosed();
  }

  /** Its session was opened or renewed. */
  kept(link: ServerLink): void {
    this.#isUsed = true;
    this.forget(link);
  }

  /** It takes part, or cannot be reached. */
  forget(link: ServerLink): void {
    this.#guards[link.index] = undefined;
  }

  /**
   * Whether a guard has lasted long enough whatever was done to the server's calendar, which is likely to be put right just after a
   * restart: a wait that is cut short by that would be none. Nodes that live for less than that must not keep the server out for
   * ever, so a guard that is several times as old as it must be has lasted, too: unnoticed steps are of less than half a ttl each.
   */
  #hasLasted(link: ServerLink, guarded: Guarded): boolean {
    return guarded.ageMs >= OLD * this.#core.times.guardMs || this.#leftMs(link, guarded) === 0;
  }

  /** How long the guard has still to last by this node's monotonic clock, from when this node saw it first. */
  #leftMs(link: ServerLink, { guard }: Guarded): number {
    const { monotonicMs } = this.#core.now;
    const known = this.#seen[link.index];
    const seen = known?.guard === guard ? known : { guard, sinceMs: monotonicMs };
    this.#seen[link.index] = seen;
    return Math.max(0, seen.sinceMs + this.#core.times.guardMs - monotonicMs);
  }

  /**
   * All are empty. If they have been running for long enough nobody has ever used them, as far as can be told: then nobody counts on
   * anything, and there is no need to wait. A node that has used them itself knows better.
   */
  #isFirstUse(): boolean {
    const { ttlMs } = this.#core.settings;
    return this.#links.every((link) => {
      const guard = this.#guards[link.index];
      if (guard?.empty !== true || !guard.needsFloor) return false;
      const isNew = guard.upMs > ttlMs && !this.#isUsed;
      return isNew || (guard.waitMs === 0 && this.#hasLasted(link, guard));
    });
  }

  #openAll(): void {
    const floor = this.#core.wallMicros;
    for (const link of this.#links) {
      const guard = this.#guards[link.index];
      if (guard !== undefined) this.#recover(link, guard.guard, floor, true);
    }
  }

  #findFloor(link: ServerLink, guard: string): void {
    const others = this.#links.filter((other) => other !== link);
    // One alone has nobody to ask. Nobody but it has ever given out tokens, by the same calendar as at first use.
    if (others.length === 0) {
      this.#recover(link, guard, this.#core.proposeToken(), false);
      return;
    }
    const enough = this.#links.length - this.#core.needed + 1;
    const nowMs = this.#core.now.monotonicMs;
    // What the others answer may be that they keep out too, and nobody is to be asked for that over and over.
    if (others.length < enough || nowMs < (this.#askedMs[link.index] ?? 0) + this.#core.times.requestMs / 2)
      return;
    this.#askedMs[link.index] = nowMs;
    const tokens: number[] = [];
    for (const other of others) {
      other.ask({ kind: "status" }, (reply) => {
        if (reply?.kind === "ready") tokens.push(reply.maxToken);
        if (reply?.kind === "ready" && tokens.length === enough) {
          this.#recover(link, guard, Math.max(...tokens), false);
        }
      });
    }
  }

  #recover(link: ServerLink, guard: string, floor: number, first: boolean): void {
    link.ask({ kind: "recover", guard, floor, first }, (reply) => {
      if (reply?.kind === "ready") link.lookAgain(0);
    });
  }

  #warnIfClosed(): void {
    const lost = this.#guards.filter((guard) => guard?.needsFloor === true).length;
    const isUsed = this.#links.some(
      ({ index, session }) => this.#guards[index]?.empty === false || session !== undefined,
    );
    const isAlone = this.#links.length === 1;
    const isClosed = isUsed && !isAlone && lost > this.#links.length - this.#core.needed;
    if (isClosed && !this.#hasWarned) {
      const message = `${lost} of ${this.#links.length} lease servers may have lost their data: strict names stay closed; stop all nodes for a ttl, and start them with another namespace`;
      for (const { index } of this.#links) this.#core.emit({ kind: "warning", server: index, message });
    }
    this.#hasWarned = isClosed;
  }
}
