import type { NodeDownCause } from "../kernel/exit-reason.ts";
import type { NodeId } from "../kernel/ids.ts";
import type { MembershipMessage } from "./protocol.ts";

/** The protocol versions that a node speaks, both ends included. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** What happens to a node as far as its place among the others goes. */
export type MembershipInput =
  | {
      readonly kind: "start";
      readonly serverId: string;
      readonly scopes: readonly string[];
      /** The name claim found no other live node of this name. */
      readonly replaces: boolean;
    }
  /** The scopes that this node has open, all of them. */
  | { readonly kind: "scopes"; readonly scopes: readonly string[] }
  | { readonly kind: "busConnected"; readonly serverId: string }
  | { readonly kind: "busDisconnected" }
  /** A valid frame came in, whatever it held. Given before the messages in it. */
  | { readonly kind: "heard"; readonly from: NodeId }
  | { readonly kind: "message"; readonly from: NodeId; readonly message: MembershipMessage }
  /** A probe found nobody on this node's private subject. */
  | { readonly kind: "noResponders"; readonly node: NodeId }
  /** The bus says that this node's connection has ended. */
  | { readonly kind: "advisory"; readonly node: NodeId }
  | { readonly kind: "tick" }
  /** Say goodbye. Nothing follows it. */
  | { readonly kind: "goodbye" };

/** A peer that has just come up. */
export interface NewPeer {
  readonly id: NodeId;
  readonly scopes: readonly string[];
  /** The protocol version to speak with it. */
  readonly version: number;
  readonly serverId: string;
}

export type MembershipEffect =
  /** Whether that node is up or not: greetings go to strangers. */
  | { readonly kind: "send"; readonly to: NodeId; readonly message: MembershipMessage }
  | { readonly kind: "broadcast"; readonly message: MembershipMessage }
  | { readonly kind: "probe"; readonly node: NodeId }
  /** Broadcast a heartbeat now. */
  | { readonly kind: "beat" }
  | { readonly kind: "up"; readonly peer: NewPeer }
  | { readonly kind: "suspect"; readonly node: NodeId }
  /** A suspect was heard again. */
  | { readonly kind: "alive"; readonly node: NodeId }
  | { readonly kind: "down"; readonly node: NodeId; readonly cause: NodeDownCause }
  /**
   * This node is up at that peer once more, which knew nothing of it meanwhile: hand over to it anew. It may come more than
   * once for one time that the peer lost this node, so what it starts must bear repetition.
   */
  | { readonly kind: "rejoined"; readonly node: NodeId }
  | { readonly kind: "scopesOf"; readonly node: NodeId; readonly scopes: readonly string[] }
  /** The discovery phase is over: whoever was heard is up or does not answer. `alone`: nobody is up. */
  | { readonly kind: "discovered"; readonly alone: boolean }
  /** In place of `discovered`: nodes were heard, and none speaks a version that this one speaks. */
  | { readonly kind: "incompatible"; readonly node: NodeId; readonly theirs: readonly [number, number] }
  /** A live node has this node's name, and more right to it: this one must close. */
  | { readonly kind: "duplicate"; readonly other: NodeId }
  | {
      readonly kind: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
      readonly details: object;
    };

/** A peer as it stands now. */
export interface PeerView extends NewPeer {
  readonly state: "up" | "suspect";
}

/** Counts since the start. */
export interface MembershipCounts {
  beats: number;
  probes: number;
  hellos: number;
  challenges: number;
  handshakes: number;
  rejoins: number;
  strangersRefused: number;
  incompatible: number;
  suspicions: number;
  /** Suspects that were heard again. */
  refutations: number;
  /** Peers whose connection was found gone. */
  evidence: number;
  /** "No responders" about peers not heard since this node's own reconnect. */
  refusalsIgnored: number;
  busFaults: number;
  rumoursSent: number;
  rumoursHeard: number;
  stalls: number;
  downLeft: number;
  downDisconnected: number;
  downSilent: number;
  downReplaced: number;
}

export function noCounts(): MembershipCounts {
  return {
    beats: 0,
    probes: 0,
    hellos: 0,
    challenges: 0,
    handshakes: 0,
    rejoins: 0,
    strangersRefused: 0,
    incompatible: 0,
    suspicions: 0,
    refutations: 0,
    evidence: 0,
    refusalsIgnored: 0,
    busFaults: 0,
    rumoursSent: 0,
    rumoursHeard: 0,
    stalls: 0,
    downLeft: 0,
    downDisconnected: 0,
    downSilent: 0,
    downReplaced: 0,
  };
}
