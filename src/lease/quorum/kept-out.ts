import type { QuorumCore } from "./core.ts";
import type { ServerLink } from "./server-link.ts";
import type { Quorum } from "./types.ts";

/** What there is to say of a majority when so many servers take part. */
export function quorumOf(core: QuorumCore, links: readonly ServerLink[], reached: number): Quorum {
  const ends = endsOf(links);
  const lastMs = ends.at(-1) ?? core.now.monotonicMs;
  const keptOutMs = Math.max(0, lastMs - core.now.monotonicMs);
  return { reached, needed: core.needed, keptOut: ends.length, keptOutMs };
}

/** When as many servers as are missing will have stopped keeping out, as far as is known. Infinity: not by themselves. */
export function enoughAtMs(links: readonly ServerLink[], missing: number): number {
  return endsOf(links)[missing - 1] ?? Number.POSITIVE_INFINITY;
}

function endsOf(links: readonly ServerLink[]): readonly number[] {
  const ends = links.flatMap(({ keepsOutUntilMs }) =>
    keepsOutUntilMs === undefined ? [] : [keepsOutUntilMs],
  );
  return ends.sort((left, right) => left - right);
}
