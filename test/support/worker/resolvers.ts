import {
  type Clash,
  keepBy,
  keepNewest,
  keepOldest,
  notifyAll,
  type Resolver,
  randomExit,
  randomNotify,
  type Verdict,
} from "../../../src/index.ts";

/** The resolvers that a test can name. */
const RESOLVERS = {
  keepOldest,
  keepNewest,
  randomExit,
  randomNotify,
  notifyAll,
  mostMeta: keepBy((contender) => Number(contender.meta)),
  /** The newest wins and gets new metadata; the others are told. */
  mergeMeta: (clash): Verdict => ({
    keep: clash.contenders.reduce((_older, newer) => newer).pid,
    meta: clash.contenders.reduce((sum, contender) => sum + Number(contender.meta), 0),
    losers: "notify",
  }),
  throws: () => {
    throw new Error("this resolver always fails");
  },
  junk: () => ({ keep: "nobody", losers: 42 }) as unknown as Verdict,
  never: () => new Promise<Verdict>(() => {}),
} satisfies Record<string, Resolver>;

export type ResolverName = keyof typeof RESOLVERS;

export function resolverOf(name: ResolverName, onCall: (clash: Clash) => void): Resolver {
  const resolver: Resolver = RESOLVERS[name];
  return (clash) => {
    onCall(clash);
    return resolver(clash);
  };
}
