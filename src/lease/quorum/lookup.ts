import type { ReadResult, Vote } from "../requests.ts";
import { Command } from "./command.ts";
import { tallyOf } from "./tally.ts";

/**
 * Who holds a name? Servers are asked at different moments, so what they say is put together with care:
 *
 * - A majority has votes of one holder: it is that one.
 * - A majority has no votes, **twice in a row**: nobody. Once is not enough, for votes move from server to server as sessions end and
 *   others step in: 1. server C has no vote of the holder; 2. C is given one; 3. the holder's session on A ends; 4. A has none.
 *   Whoever holds it between the two looks has votes that a majority had neither before nor after; and a vote that is given
 *   lasts for a `ttlMs` at least, which is longer than both looks may take.
 * - Else whoever may be the holder is asked, and its yes is the truth. Votes are never helped on by readers: an attempt that was
 *   taken back already could come to life.
 */
export class Lookup extends Command {
  #collect: { readonly results: ReadResult[]; open: number } | undefined;
  #tries = 0;
  #wasFreeAtMs = Number.NEGATIVE_INFINITY;

  protected giveUp(): void {
    this.#collect = undefined;
  }

  attempt(): void {
    const { core, links } = this.port;
    const asked = links.filter((link) => link.isReachable && link.keepsOutUntilMs === undefined);
    this.stayAwake();
    if (this.areTooFew(asked.length)) {
      this.#wasFreeAtMs = Number.NEGATIVE_INFINITY;
      return;
    }
    this.#tries += 1;
    const begunMs = core.now.monotonicMs;
    const collect = { results: [] as ReadResult[], open: asked.length };
    this.#collect = collect;
    this.wakeAfter(core.times.requestMs, () => {
      if (this.#collect === collect) this.#judge(collect.results, begunMs, true);
    });
    for (const link of asked) {
      link.ask({ kind: "read", names: [this.name] }, (reply) => {
        collect.open -= 1;
        const result = reply?.kind === "read" ? reply.items[0] : undefined;
        if (result !== undefined) collect.results.push(result);
        if (result?.kind === "vote") core.sawToken(result.vote.token);
        if (this.#collect === collect) this.#judge(collect.results, begunMs, collect.open === 0);
      });
    }
  }

  #judge(results: readonly ReadResult[], begunMs: number, isComplete: boolean): void {
    const { core, links } = this.port;
    const voted = results.flatMap((result) => (result.kind === "vote" ? [result.vote] : []));
    const { leading, votes } = tallyOf(voted);
    if (leading !== undefined && votes >= core.needed) {
      this.#found(leading);
      return;
    }
    if (results.length - voted.length >= core.needed) {
      this.#free(begunMs);
      return;
    }
    if (!isComplete) return;
    this.#collect = undefined;
    this.stayAwake();
    this.#wasFreeAtMs = Number.NEGATIVE_INFINITY;
    this.isUnclear = results.length >= core.needed;
    // Servers that keep out answer, but do not tell.
    if (this.areTooFew(results.length)) {
      this.wakeAfter(core.times.requestMs, () => this.attempt());
      return;
    }
    const silent = links.length - results.length;
    if (leading === undefined || votes + silent < core.needed) {
      this.#again();
      return;
    }
    this.askHolder(leading, (holds) => {
      if (holds === true) this.#found(leading);
      else this.#again();
    });
  }

  #free(begunMs: number): void {
    const { ttlMs } = this.port.core.settings;
    const { monotonicMs } = this.port.core.now;
    this.#collect = undefined;
    const wasFree = monotonicMs - this.#wasFreeAtMs < ttlMs / 2;
    if (wasFree) {
      this.#found(undefined);
      return;
    }
    this.#wasFreeAtMs = begunMs;
    this.attempt();
  }

  #found(holder: Vote | undefined): void {
    this.end();
    this.port.core.emit({ kind: "found", command: this.id, holder });
  }

  #again(): void {
    this.#collect = undefined;
    this.wakeAfter(this.port.core.backoffMs(this.#tries, this.name), () => this.attempt());
  }
}
