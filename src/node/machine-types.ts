import type { ResolverOutcome } from "../global/clash-decider.ts";
import type { NameEvent, Notice } from "../global/types.ts";
import type { GroupEvent, Member } from "../groups/types.ts";
import type { Now } from "../kernel/clock.ts";
import type { RollcallError } from "../kernel/errors.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Stamp } from "../kernel/hlc.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";
import type { Value } from "../kernel/value.ts";
import type { Down, NodeEvent, NodeView } from "../monitor/types.ts";
import type { Clash, Registration } from "../resolve/types.ts";
import type { ClusterMessage } from "./protocol.ts";
import type { LeaseMessage } from "./strict/messages.ts";

/** Ties a command to the effect that answers it. Given out by the shell, never used twice on a node. */
export type RequestId = number;

/** Ties a registration or a scope to a resolver function, which only the shell holds. 0: the built-in default. */
export type ResolverRef = number;

/** Everything that can happen to a node. The shell feeds one at a time. */
export type NodeInput =
  | { readonly kind: "start"; readonly serverId: string; readonly replaces: boolean }
  | { readonly kind: "tick" }
  /** What one frame carried. The shell has checked cluster, secret, version and order of frames. */
  | {
      readonly kind: "frame";
      readonly from: NodeId;
      readonly stamp: Stamp;
      readonly messages: readonly ClusterMessage[];
    }
  | { readonly kind: "busConnected"; readonly epoch: number; readonly serverId: string }
  | { readonly kind: "busDisconnected" }
  | { readonly kind: "noResponders"; readonly node: NodeId }
  | { readonly kind: "advisory"; readonly node: NodeId }
  | { readonly kind: "spawned"; readonly pid: Pid }
  | { readonly kind: "exited"; readonly pid: Pid; readonly reason: ExitReason }
  | {
      readonly kind: "openScope";
      readonly request: RequestId;
      readonly scope: string;
      readonly resolver: ResolverRef;
    }
  | {
      readonly kind: "register";
      readonly request: RequestId;
      readonly scope: string;
      readonly name: string;
      readonly pid: Pid;
      readonly meta: Value;
      /** Take the name from whoever holds it. */
      readonly takeover: boolean;
      /** Only for a process of this node. 0: that of the scope. */
      readonly resolver: ResolverRef;
    }
  | {
      readonly kind: "updateName";
      readonly request: RequestId;
      readonly scope: string;
      readonly name: string;
      /** The revision that the new metadata was computed from. */
      readonly revision: string;
      readonly meta: Value;
    }
  | {
      readonly kind: "transfer";
      readonly request: RequestId;
      readonly scope: string;
      readonly name: string;
      readonly to: Pid;
    }
  | {
      readonly kind: "unregister";
      readonly request: RequestId;
      readonly scope: string;
      readonly name: string;
      readonly pid: Pid | undefined;
    }
  /** The caller stopped waiting: withdraw what can be withdrawn, answer nothing any more. */
  | { readonly kind: "abandon"; readonly request: RequestId }
  /** The shell has checked that every pid is local and alive. `meta` absent: as it was, or undefined. */
  | {
      readonly kind: "join";
      readonly scope: string;
      readonly group: string;
      readonly pids: readonly Pid[];
      readonly meta: Value | undefined;
    }
  | { readonly kind: "leave"; readonly scope: string; readonly group: string; readonly pids: readonly Pid[] }
  | {
      readonly kind: "updateMember";
      readonly scope: string;
      readonly group: string;
      readonly pid: Pid;
      readonly meta: Value;
    }
  | { readonly kind: "monitor"; readonly monitor: number; readonly pid: Pid }
  | { readonly kind: "monitorNode"; readonly monitor: number; readonly node: NodeId }
  | { readonly kind: "demonitor"; readonly monitor: number }
  /** Whether anyone watches: without watchers no event is made. */
  | { readonly kind: "watching"; readonly scope: string; readonly names: boolean; readonly groups: boolean }
  | { readonly kind: "settle"; readonly request: RequestId }
  /** Send what was written: at the end of a turn in which there was a `wrote`, and before a message of a user. */
  | { readonly kind: "flush" }
  /** Clashes are told apart within their scope only. */
  | {
      readonly kind: "resolved";
      readonly scope: string;
      readonly clash: string;
      readonly outcome: ResolverOutcome;
    }
  /** Hand over arbitration; answered when every peer can do without this node. */
  | { readonly kind: "retire"; readonly request: RequestId }
  /** Say goodbye. Nothing follows it. */
  | { readonly kind: "goodbye" };

/** What is to be done about it. The shell carries these out in order, before it feeds the next input. */
export type NodeEffect =
  | { readonly kind: "send"; readonly to: NodeId; readonly message: ClusterMessage }
  /** To every node of the cluster, or of the scope. */
  | { readonly kind: "broadcast"; readonly scope: string | undefined; readonly message: ClusterMessage }
  | { readonly kind: "probe"; readonly node: NodeId }
  /** There is something to send that a `flush` asks for. */
  | { readonly kind: "wrote" }
  /** The first answer to a command that carries a request. `value` is what its public method resolves with. */
  | { readonly kind: "answer"; readonly request: RequestId; readonly answer: Answer }
  | { readonly kind: "exit"; readonly pid: Pid; readonly reason: ExitReason }
  | { readonly kind: "notify"; readonly pid: Pid; readonly notice: Notice }
  | { readonly kind: "nameEvent"; readonly scope: string; readonly event: NameEvent }
  | { readonly kind: "groupEvent"; readonly scope: string; readonly event: GroupEvent }
  | { readonly kind: "nodeEvent"; readonly event: NodeEvent }
  | { readonly kind: "down"; readonly monitor: number; readonly down: Down }
  | {
      readonly kind: "resolve";
      readonly clash: string;
      readonly resolver: ResolverRef;
      readonly details: Clash;
    }
  /** No registration names this resolver any more. */
  | { readonly kind: "forgetResolver"; readonly resolver: ResolverRef }
  /** A node that is up says this about leases, which other parts of the node take care of. */
  | { readonly kind: "leaseMessage"; readonly from: NodeId; readonly message: LeaseMessage }
  /** Joined and synced: `startNode` may resolve. */
  | { readonly kind: "ready" }
  /** A node of the same name stays; this one must close. Or nobody speaks our protocol. */
  | { readonly kind: "fatal"; readonly error: RollcallError }
  | {
      readonly kind: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
      readonly details: object;
    };

export type Answer =
  | { readonly kind: "registration"; readonly registration: Registration }
  | { readonly kind: "done" }
  | { readonly kind: "flag"; readonly value: boolean }
  /** For updateName: somebody wrote in between; compute again from this one. */
  | { readonly kind: "conflict"; readonly registration: Registration }
  | { readonly kind: "error"; readonly error: RollcallError };

/** The whole of a node's rules, as one pure machine. */
export interface NodeMachinePort {
  readonly id: NodeId;
  step(input: NodeInput, now: Now): readonly NodeEffect[];
  /** When `tick` is due next, on the monotonic clock; undefined: not until something else happens. */
  readonly deadlineMs: number | undefined;
  /** The stamp to put on a frame that leaves now. */
  stamp(now: Now): Stamp;
  /** The tables of a scope that this node has opened. */
  names(scope: string): NameReader | undefined;
  groups(scope: string): GroupReader | undefined;
  /** Live nodes, this one included. */
  nodes(): readonly NodeView[];
  /** Whether this incarnation is up (or suspect) here: frames of any other touch no table, and nothing is sent to it. */
  isUp(node: NodeId): boolean;
  /** Whom a `settle` or `retire` still waits for. */
  lagging(request: RequestId): readonly NodeId[];
  /** Counts since the start, and sizes now, by dotted name. */
  counters(): Readonly<Record<string, number>>;
}

/** The local copy of a scope's names: synchronous, and right up to what this node has applied. */
export interface NameReader {
  whereis(name: string): Registration | undefined;
  list(): IterableIterator<Registration>;
  count(node?: NodeId): number;
  namesOf(pid: Pid): readonly string[];
}

/** The local copy of a scope's groups. */
export interface GroupReader {
  members(group: string): readonly Member[];
  localMembers(group: string): readonly Member[];
  list(): readonly string[];
  groupsOf(pid: Pid): readonly string[];
  count(group: string, node?: NodeId): number;
  has(group: string, pid: Pid): boolean;
  /** For `publish`: the pids of one node in the group, without building members. */
  pidsOn(group: string, node: NodeId): Iterable<Pid>;
  /** For `publish`: the nodes that have members, each with how many. */
  nodesOf(group: string): ReadonlyMap<NodeId, number>;
  /** All groups with their members: what a watch starts from. */
  snapshot(group?: string): ReadonlyMap<string, readonly Member[]>;
}
