import type { ResolverOutcome } from "../global/clash-decider.ts";
import { InvalidArgumentError } from "../kernel/errors.ts";
import { Value } from "../kernel/value.ts";
import type { ByteLimit } from "../kernel/value-walk.ts";
import { keepOldest } from "../resolve/resolvers.ts";
import type { Clash, Resolver, Verdict } from "../resolve/types.ts";
import { checkVerdict } from "../resolve/verdict.ts";
import type { Logger } from "./logger.ts";
import type { ResolverRef } from "./machine-types.ts";
import type { Counts } from "./stats.ts";

const A_VERDICT =
  "{ keep, losers, meta? }, where keep is the pid of a contender and losers " +
  '"exit" or "notify", or { keep: "none", notify }, where notify is true or false';

export interface ResolverTableOptions {
  readonly metadata: ByteLimit;
  readonly counts: Counts;
  readonly logger: Logger;
}

/** The functions that decide clashes. The machine, which is plain data, knows them by number. */
export class ResolverTable {
  readonly #options: ResolverTableOptions;
  readonly #byRef = new Map<ResolverRef, Resolver>();
  #lastRef: ResolverRef = 0;

  constructor(options: ResolverTableOptions) {
    this.#options = options;
  }

  add(resolver: Resolver): ResolverRef {
    this.#lastRef += 1;
    this.#byRef.set(this.#lastRef, resolver);
    return this.#lastRef;
  }

  replace(ref: ResolverRef, resolver: Resolver): void {
    this.#byRef.set(ref, resolver);
  }

  forget(ref: ResolverRef): void {
    this.#byRef.delete(ref);
  }

  /**
   * Runs a resolver. It never throws; one that is not known any more is the default.
   *
   * @param onOutcome called once, at once if the resolver needs no waiting
   */
  run(ref: ResolverRef, clash: Clash, onOutcome: (outcome: ResolverOutcome) => void): void {
    const resolver = this.#byRef.get(ref) ?? keepOldest;
    const judge = (verdict: unknown): void => onOutcome(this.#read(verdict, clash));
    const fail = (error: unknown): void => onOutcome(this.#failed(clash, error));
    try {
      const verdict: Verdict | Promise<Verdict> = resolver(clash);
      if (isPromise(verdict)) Promise.resolve(verdict).then(judge, fail);
      else judge(verdict);
    } catch (error) {
      fail(error);
    }
  }

  #read(given: unknown, clash: Clash): ResolverOutcome {
    const verdict = checkVerdict(given, clash);
    if (verdict === undefined)
      return this.#failed(clash, new InvalidArgumentError("verdict", given, A_VERDICT));
    if ("notify" in verdict) return { kind: "none", notify: verdict.notify };
    try {
      const meta =
        verdict.meta === undefined ? undefined : Value.encode(verdict.meta, this.#options.metadata, "meta");
      return { kind: "keep", winner: verdict.keep, meta, losers: verdict.losers };
    } catch (error) {
      return this.#failed(clash, error);
    }
  }

  #failed(clash: Clash, error: unknown): ResolverOutcome {
    this.#options.counts.resolverErrors += 1;
    const { name, scope } = clash;
    this.#options.logger.error({ name, scope, error }, "a resolver failed; keepOldest decides in its place");
    return { kind: "failed" };
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
