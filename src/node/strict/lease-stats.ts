/** The leases of one node, in `NodeStats`: sizes now, and counts since the start. */
export interface LeaseStats {
  /** How many lease servers there are: 0 without `leases`. */
  readonly servers: number;
  /** How many of them can be asked for votes now. Under `needed`: strict names are not to be had. */
  readonly reached: number;
  /** How many are a majority. */
  readonly needed: number;
  /** Strict names that processes of this node hold. */
  readonly held: number;
  /** `register` under way, and how many of these stand in line. */
  readonly registering: number;
  readonly waiting: number;
  /** `lookup` under way. */
  readonly lookups: number;
  /** Requests sent to lease servers. */
  readonly requests: number;
  readonly granted: number;
  /** Leases that could not be proven any more. */
  readonly lost: number;
  /** Leases given back, by `release()`, the end of the process or the stop of the node. */
  readonly released: number;
  /** `register` and `lookup` that did not reach a majority. */
  readonly noQuorum: number;
  /** What an operator should have seen in the log. */
  readonly warnings: number;
}

export const NO_LEASES: LeaseStats = {
  servers: 0,
  reached: 0,
  needed: 0,
  held: 0,
  registering: 0,
  waiting: 0,
  lookups: 0,
  requests: 0,
  granted: 0,
  lost: 0,
  released: 0,
  noQuorum: 0,
  warnings: 0,
};
