import type { Clash, Contender, Resolver } from "../../src/index.ts";

/** What a shop keeps as metadata of the name `cart:<customer>`. */
export interface Cart {
  readonly items: readonly string[];
}

/** Keeps the newest cart, as many would write it at first. The other one is ended, and what was in it is gone. */
export const keepTheNewest: Resolver = (clash: Clash) => {
  const newest = clash.contenders.at(-1) as Contender;
  return { keep: newest.pid, losers: "exit" };
};

/** Keeps the oldest cart, with what is in any of them. */
export const mergeCarts: Resolver = (clash: Clash) => {
  const [oldest] = clash.contenders as readonly [Contender, ...Contender[]];
  const items = new Set(clash.contenders.flatMap(({ meta }) => (meta as Cart).items));
  return { keep: oldest.pid, meta: { items: [...items].sort() } satisfies Cart, losers: "exit" };
};
