import type { ExitReason } from "../kernel/exit-reason.ts";
import type { Stamp } from "../kernel/hlc.ts";
import { type NodeId, nodeOfPid, type Pid } from "../kernel/ids.ts";
import type { Clash } from "../resolve/types.ts";
import { Arbiter } from "./arbiter.ts";
import { Claims } from "./claims.ts";
import { ClashDecider } from "./clash-decider.ts";
import { Commands, type NameAnswer } from "./commands.ts";
import { Handover } from "./handover.ts";
import type { ClaimMessage, ClashMessage, NameMessage } from "./messages.ts";
import type { HolderChange } from "./name-entry.ts";
import type { NameOperation } from "./name-ops.ts";
import { NameTable } from "./name-table.ts";
import { Owner } from "./owner.ts";
import type { Task } from "./owner-port.ts";
import { Promises } from "./promises.ts";
import { Requests } from "./requests.ts";
import type { NameEvent, Notice } from "./types.ts";

/** The rest of the node, as the names of one scope see it. Called at once, inside the step. */
export interface NameMachinePort {
  readonly self: NodeId;
  readonly scope: string;
  readonly arbiterTimeoutMs: number;
  readonly resolverMs: number;
  readonly namesPerNode: number;
  /** Entries that this node has in all its scopes. */
  namesHere(): number;
  nextStamp(): Stamp;
  isAlive(pid: Pid): boolean;
  /** Up or suspect, and with this scope open. */
  isUp(node: NodeId): boolean;
  isSuspect(node: NodeId): boolean;
  /** Known to be down, or to have left. */
  isGone(node: NodeId): boolean;
  busConnected(): boolean;
  positionOf(owner: NodeId): number;
  isSynced(owner: NodeId): boolean;
  /** Into this node's log and tables. */
  write(operation: NameOperation): number;
  send(to: NodeId, message: NameMessage): void;
  answer(request: number, answer: NameAnswer): void;
  wroteAt(owner: NodeId, position: number): void;
  exit(pid: Pid, reason: ExitReason): void;
  notify(pid: Pid, notice: Notice): void;
  event(event: NameEvent): void;
  resolve(clash: string, resolver: number, details: Clash): void;
  forgetResolver(resolver: number): void;
}

export interface NameCounts {
  clashes: number;
  resolverRuns: number;
  resolverFailures: number;
  resolverTimeouts: number;
  pins: number;
  purged: number;
  refused: number;
  granted: number;
}

/** What the parts make the machine around them do. */
export interface NameHooks {
  nowMs(): number;
  holderChanged(change: HolderChange): void;
  /** To be looked at again before the step ends. */
  touched(name: string): void;
  /** A message of this node to itself, delivered before the step ends. */
  toSelf(message: ClaimMessage | ClashMessage): void;
  counted(what: keyof NameCounts): void;
  scopeResolver(): number;
}

/** One part for each rule. What they know of each other is what stands here. */
export interface NameParts {
  readonly table: NameTable;
  readonly handover: Handover;
  readonly arbiter: Arbiter;
  readonly claims: Claims<Task>;
  readonly owner: Owner;
  readonly requests: Requests;
  readonly promises: Promises;
  readonly decider: ClashDecider;
  readonly commands: Commands;
}

export function makeNameParts(port: NameMachinePort, hooks: NameHooks): NameParts {
  const table = new NameTable({
    holderChanged: hooks.holderChanged,
    nameTouched: hooks.touched,
    positionOf: (owner) => (port.isUp(owner) ? port.positionOf(owner) : Number.POSITIVE_INFINITY),
  });
  const { arbiter, claims, handover } = makeClaiming(port, hooks, table, (task, end) =>
    owner.claimEnded(task, end),
  );
  const owner: Owner = makeOwner(port, hooks, table, claims, (...asked) => requests.ask(...asked));
  const requests = makeRequests(port, owner, handover);
  const { promises, decider } = makeDeciding(port, hooks, table, owner);
  const commands = new Commands(
    {
      self: port.self,
      table,
      arbiterTimeoutMs: port.arbiterTimeoutMs,
      nowMs: hooks.nowMs,
      isUp: (node) => node === port.self || port.isUp(node),
      positionOf: (node) => port.positionOf(node),
      answer: (request, answer) => port.answer(request, answer),
      wroteAt: (node, position) => port.wroteAt(node, position),
    },
    owner,
    requests,
  );
  return { table, handover, arbiter, claims, owner, requests, promises, decider, commands };
}

function makeClaiming(port: NameMachinePort, hooks: NameHooks, table: NameTable, ended: Owner["claimEnded"]) {
  const { self, scope, arbiterTimeoutMs } = port;
  const send = (to: NodeId, message: NameMessage) => port.send(to, message);
  const isSuspect = (node: NodeId) => port.isSuspect(node);
  const positionOf = (node: NodeId) => port.positionOf(node);
  const handover: Handover = new Handover({
    self,
    scope,
    send,
    isSuspect,
    positionOf,
    isGone: (node) => port.isGone(node),
    isSynced: (node) => port.isSynced(node),
    oldestOpenView: () => claims.oldestView(),
  });
  const arbiter: Arbiter = new Arbiter({
    self,
    scope,
    table,
    arbiterTimeoutMs,
    send,
    positionOf,
    isGone: (node) => port.isGone(node),
    answerSelf: hooks.toSelf,
    isOpen: (claim) => claims.isOpen(claim),
  });
  const claims: Claims<Task> = new Claims<Task>({
    self,
    scope,
    arbiterTimeoutMs,
    handover,
    arbiter,
    isSuspect,
    send,
    busConnected: () => port.busConnected(),
    ended: (task, end) => {
      hooks.counted(end.kind);
      return ended(task, end);
    },
    seen: (name) => {
      const visible = table.visible(name);
      if (visible.length === 0) return visible;
      return visible.flatMap(({ owner, id }) => (owner === self ? [] : [{ owner, id }]));
    },
    wroteOn: (claim, name) => table.entryOf(self, name)?.claim === claim,
  });
  return { handover, arbiter, claims };
}

function makeOwner(
  port: NameMachinePort,
  hooks: NameHooks,
  table: NameTable,
  claims: Claims<Task>,
  ask: Requests["ask"],
): Owner {
  return new Owner({
    self: port.self,
    scope: port.scope,
    table,
    claims,
    namesPerNode: port.namesPerNode,
    namesHere: () => port.namesHere(),
    nowMs: hooks.nowMs,
    nextStamp: () => port.nextStamp(),
    isAlive: (pid) => port.isAlive(pid),
    isUp: (node) => port.isUp(node),
    positionOf: (node) => port.positionOf(node),
    write: (operation) => port.write(operation),
    exit: (pid, reason) => port.exit(pid, reason),
    notify: (pid, notice) => port.notify(pid, notice),
    forgetResolver: (resolver) => port.forgetResolver(resolver),
    adopt: (to, { name, meta, owner, id }, done) =>
      ask(nodeOfPid(to), { kind: "adopt", name, pid: to, meta, from: { owner, id } }, hooks.nowMs(), done),
  });
}

function makeRequests(port: NameMachinePort, owner: Owner, handover: Handover): Requests {
  const send = (to: NodeId, message: NameMessage) => port.send(to, message);
  const isLeaving = () => handover.leaving;
  return new Requests({ self: port.self, scope: port.scope, isLeaving, send }, owner);
}

function makeDeciding(port: NameMachinePort, hooks: NameHooks, table: NameTable, owner: Owner) {
  const shared = {
    self: port.self,
    scope: port.scope,
    table,
    isUp: (node: NodeId) => port.isUp(node),
    positionOf: (node: NodeId) => port.positionOf(node),
    deliver: (to: NodeId, message: ClashMessage) => {
      if (to === port.self) hooks.toSelf(message);
      else port.send(to, message);
    },
  };
  const decider = new ClashDecider(
    {
      ...shared,
      resolverMs: port.resolverMs,
      counted: hooks.counted,
      resolve: (clash, resolver, details) => port.resolve(clash, resolver, details),
      resolverOf: (name) => owner.resolverOf(name) || hooks.scopeResolver(),
    },
    owner,
  );
  return { promises: new Promises(shared, owner), decider };
}
