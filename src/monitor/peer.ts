import type { NodeId } from "../kernel/ids.ts";

/** What is known of a node that is up, suspect or not. Times are on the observed clock. */
export interface Peer {
  readonly id: NodeId;
  readonly name: string;
  /** The protocol version that both sides speak. */
  readonly version: number;
  scopes: readonly string[];
  scopesRevision: number;
  /** The bus server it was on when it last said hello; "": not known. */
  serverId: string;
  /** It made sure, before it started, that no other node of its name was alive. */
  replaces: boolean;
  /** How often it says that it beats. */
  beatMs: number;
  heardAtMs: number;
  /** The number of this node's bus connection on which it was last heard. */
  heardOn: number;
  suspect: boolean;
  /** When a suspect was last asked whether it lives. */
  askedAtMs: number;
  /** "No responders" in a row, with nothing heard in between. */
  refusals: number;
  evidence: Evidence | undefined;
  /** A node that came up under its name says that this one is gone, and it has not been heard since. */
  doubted: boolean;
  /** When one under evidence or doubt was last probed. */
  probedAtMs: number;
}

/** That a peer's connection is gone: begun by "no responders" twice or by an advisory, ended by anything heard. */
export interface Evidence {
  readonly sinceMs: number;
  refusedAtMs: number;
  /** Others vanished with it, on other servers than ours: the bus may be to blame. */
  busFault: boolean;
  /** The grace has ended; only the proof that the connection is still gone is missing. */
  overdue: boolean;
  /** The bus itself said that the connection has ended. */
  advised: boolean;
  rumoursLeft: number;
  rumourAtMs: number;
}
