import { compareText } from "../../kernel/ids.ts";
import { RESERVATION_MS, WAITERS_PER_NAME } from "../limits.ts";
import type { Place, SessionId } from "../requests.ts";

export interface Waiter {
  readonly session: SessionId;
  readonly claim: number;
  ticket: number;
}

export interface QueueDump {
  /** In line. */
  readonly waiters: readonly Waiter[];
  /** For which of them the name is kept, counted from 0, and until when. */
  readonly kept: { readonly index: number; readonly untilMs: number } | undefined;
}

/** Those who wait for one name on one server. */
export class WaiterQueue {
  readonly #isLive: (session: SessionId) => boolean;
  #waiters: Waiter[] = [];
  #kept: { readonly waiter: Waiter; readonly untilMs: number } | undefined;

  constructor(isLive: (session: SessionId) => boolean) {
    this.#isLive = isLive;
  }

  get size(): number {
    return this.#waiters.length;
  }

  dump(): QueueDump {
    const kept = this.#kept;
    return {
      waiters: this.#waiters.map((waiter) => ({ ...waiter })),
      kept:
        kept === undefined ? undefined : { index: this.#waiters.indexOf(kept.waiter), untilMs: kept.untilMs },
    };
  }

  load({ kept, waiters }: QueueDump): void {
    this.#waiters = waiters.map((waiter) => ({ ...waiter }));
    const waiter = kept === undefined ? undefined : this.#waiters[kept.index];
    this.#kept = kept === undefined || waiter === undefined ? undefined : { waiter, untilMs: kept.untilMs };
  }

  /** Takes a place, or raises the ticket of the one that it has. */
  enter(session: SessionId, claim: number, ticket: number): void {
    this.dropDead();
    const known = this.#find(session, claim);
    if (known !== undefined) {
      known.ticket = Math.max(known.ticket, ticket);
    } else {
      if (this.#waiters.length >= WAITERS_PER_NAME) return;
      const next = (this.#waiters.at(-1)?.ticket ?? 0) + 1;
      this.#waiters.push({ session, claim, ticket: ticket > 0 ? ticket : next });
    }
    this.#waiters.sort(inLine);
  }

  /** Those whose session has ended. */
  dropDead(): void {
    this.#remove((waiter) => !this.#isLive(waiter.session));
  }

  leave(session: SessionId, claim: number): void {
    this.#remove((waiter) => waiter.session === session && waiter.claim === claim);
  }

  place(session: SessionId, claim: number): Place {
    const index = this.#waiters.findIndex((waiter) => waiter.session === session && waiter.claim === claim);
    const waiter = this.#waiters[index];
    return waiter === undefined
      ? { ticket: undefined, ahead: this.#waiters.length }
      : { ticket: waiter.ticket, ahead: index };
  }

  /** For whom the name, which is free, is kept; and for how much longer. */
  turn(nowMs: number): { readonly waiter: Waiter; readonly leftMs: number } | undefined {
    this.dropDead();
    for (;;) {
      const waiter = this.#waiters[0];
      if (waiter === undefined) return undefined;
      if (this.#kept?.waiter !== waiter) this.#kept = { waiter, untilMs: nowMs + RESERVATION_MS };
      const leftMs = this.#kept.untilMs - nowMs;
      if (leftMs > 0) return { waiter, leftMs };
      this.#passOver(waiter.session);
    }
  }

  /**
   * Whoever has not come has died, as a rule, and with it those of the same session that are next in line: the others would have to
   * wait for each of them in turn. Who has not died comes back with its ticket.
   */
  #passOver(session: SessionId): void {
    for (let first = this.#waiters[0]; first?.session === session; first = this.#waiters[0]) {
      this.leave(session, first.claim);
    }
  }

  #remove(isGone: (waiter: Waiter) => boolean): void {
    if (!this.#waiters.some(isGone)) return;
    this.#waiters = this.#waiters.filter((waiter) => !isGone(waiter));
    if (this.#kept !== undefined && isGone(this.#kept.waiter)) this.#kept = undefined;
  }

  #find(session: SessionId, claim: number): Waiter | undefined {
    return this.#waiters.find((waiter) => waiter.session === session && waiter.claim === claim);
  }
}

function inLine(left: Waiter, right: Waiter): number {
  return left.ticket - right.ticket || compareText(left.session, right.session) || left.claim - right.claim;
}
