import type { NodeId, Pid } from "../kernel/ids.ts";

/** One name and the process that holds it, as one node knows it. A copy: later changes do not show in it. */
export interface Registration {
  readonly name: string;
  readonly pid: Pid;
  /**
   * Read-only: plain objects and arrays are frozen. What JavaScript cannot freeze, such as a Map or bytes, is made anew at each
   * access, so that nobody sees what another does to it.
   */
  readonly meta: unknown;
  /** The node of the process: the only one that writes this entry. */
  readonly node: NodeId;
  /** Changes at each write of the entry. */
  readonly revision: string;
}

/** One side of a clash. */
export interface Contender extends Registration {
  /** A hybrid logical clock's reading. Compares as text: the smaller is the older. */
  readonly registeredAt: string;
}

/** Two or more live registrations of one name that met, the oldest first. */
export interface Clash {
  readonly name: string;
  readonly scope: string;
  readonly contenders: readonly Contender[];
}

/**
 * What becomes of a clash. `keep` must be one of the contenders, and `meta`, when given, becomes its metadata. The others
 * lose the name; with `exit` they end (`nameClash`), with `notify` they live on and are told. `none` frees the name and ends
 * nobody.
 */
export type Verdict =
  | { readonly keep: Pid; readonly meta?: unknown; readonly losers: "exit" | "notify" }
  | { readonly keep: "none"; readonly notify: boolean };

/**
 * Decides a clash, once for the whole cluster, on the node of the oldest contender. It may take up to `limits.resolverMs`;
 * one that throws, returns something else than a verdict, or takes longer, is replaced by `keepOldest`.
 */
export type Resolver = (clash: Clash) => Verdict | Promise<Verdict>;
