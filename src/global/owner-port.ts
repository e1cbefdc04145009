import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Stamp } from "../kernel/hlc.ts";
import type { NodeId, Pid } from "../kernel/ids.ts";
import type { Claims, OpenClaim } from "./claims.ts";
import type { Command, Outcome } from "./messages.ts";
import type { NameEntry } from "./name-entry.ts";
import type { NameOperation } from "./name-ops.ts";
import type { OthersPort } from "./superseding.ts";
import type { Notice } from "./types.ts";

/** What the writer of this node's entries needs of the rest. */
export interface OwnerPort extends OthersPort {
  readonly self: NodeId;
  readonly scope: string;
  readonly claims: Claims<Task>;
  readonly namesPerNode: number;
  /** Entries that this node has in all its scopes. */
  namesHere(): number;
  nowMs(): number;
  nextStamp(): Stamp;
  isAlive(pid: Pid): boolean;
  positionOf(owner: NodeId): number;
  write(operation: NameOperation): number;
  exit(pid: Pid, reason: ExitReason): void;
  notify(pid: Pid, notice: Notice): void;
  forgetResolver(resolver: number): void;
  /** Asks another node to take the name over for one of its processes. */
  adopt(to: Pid, entry: NameEntry, done: (outcome: Outcome) => void): () => void;
}

/** A command under way or waiting for its turn. Commands for one name are carried out one after another. */
export interface Task {
  readonly command: Command;
  readonly resolver: number;
  readonly done: (outcome: Outcome) => void;
  begun: boolean;
  /** What has to be given up with it. */
  claim: OpenClaim<Task> | undefined;
  cancel: (() => void) | undefined;
}

/** The tasks for one name. The first is under way. */
export interface TaskQueue {
  readonly tasks: Task[];
  /** It is being worked off further up the stack. */
  pumped: boolean;
}
