/** Which names the ticker hangs on: available (`node.names`), or strict (`node.strictNames`). */
export type Kind = "available" | "strict";

/** What is on one side of the partition. */
export interface Side {
  readonly name: string;
  readonly nodes: readonly string[];
  /** Lease servers. */
  readonly servers: readonly string[];
}

/** A time during which a node ran the ticker. All times are milliseconds since the start of the round. */
export interface Holding {
  readonly node: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** The reason with which the ticker's process ended; `stillRunning` when the round was over. */
  readonly end: string;
  /** Of strict names: the fencing token, in digits. */
  readonly token?: string;
}

/** A piece of work that was done. Of those with one number each is to be done once in the whole cluster. */
export interface Tick {
  readonly number: number;
  readonly node: string;
  readonly atMs: number;
}

/** A run of the resolver. */
export interface Decision {
  readonly by: string;
  readonly atMs: number;
  readonly contenders: readonly string[];
  readonly kept: string;
}

/** A node was told that the name is not to be had, because a majority of the lease servers is out of its reach. */
export interface Refusal {
  readonly node: string;
  readonly atMs: number;
}

/** All that was recorded of one ticker in one round: what is drawn and measured is made of this alone. */
export interface Timeline {
  readonly kind: Kind;
  readonly sides: readonly Side[];
  /** The work with number n is due at n times this. */
  readonly tickMs: number;
  readonly cutMs: number;
  readonly healMs: number;
  readonly endMs: number;
  /** For how long the program stood still at the worst, with all its nodes, because the machine was busy. */
  readonly stallMs: number;
  readonly holdings: readonly Holding[];
  readonly ticks: readonly Tick[];
  readonly decisions: readonly Decision[];
  readonly refusals: readonly Refusal[];
}
