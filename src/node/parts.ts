import type { BusConnection } from "../bus/port.ts";
import type { Clock } from "../kernel/clock.ts";
import type { RollcallError } from "../kernel/errors.ts";
import { type NodeId, nameOfNode } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import type { LeaseStore } from "../lease/port.ts";
import type { NodeEvent } from "../monitor/types.ts";
import { AbortListeners } from "./abort-listeners.ts";
import { Calls } from "./calls.ts";
import type { NodeCore } from "./core.ts";
import { Deadlines } from "./deadlines.ts";
import { EarlyMessages } from "./early-messages.ts";
import { Effects } from "./effects.ts";
import { FrameWriter, Seal } from "./frame.ts";
import { DROP_CAUSES, type DropCause, FrameGate } from "./frame-gate.ts";
import { Inbox } from "./inbox.ts";
import { LogLimiter } from "./log-limiter.ts";
import { safeLogger } from "./logger.ts";
import { NodeMachine } from "./machine.ts";
import { Messaging } from "./messaging.ts";
import { MonitorTable } from "./monitors.ts";
import { Outbox } from "./outbox.ts";
import { NodeProcessHost } from "./process-host.ts";
import { ProcessTable } from "./process-table.ts";
import { clusterMessages } from "./protocol.ts";
import { Pump } from "./pump.ts";
import { Requests } from "./requests.ts";
import { ResolverTable } from "./resolver-table.ts";
import { RunQueue } from "./run-queue.ts";
import { Scopes } from "./scopes.ts";
import type { NodeSettings } from "./settings.ts";
import { Counts } from "./stats.ts";
import { Leases, type LeasesOptions } from "./strict/leases.ts";
import { ScopeStrictNames } from "./strict/scope-strict-names.ts";
import { Subjects } from "./subjects.ts";
import { Turn } from "./turn.ts";
import { Waits } from "./waits.ts";
import { WatchHub, WatchQuota } from "./watch-hub.ts";

/** Room for the frames of any sound sender: NATS servers are advised not to take more in one message. */
const MAX_FRAME_BYTES = 8 * 1024 * 1024;

/** Senders whose place in the order of frames is remembered. Those that are up always are. */
const MAX_SENDERS = 8_192;

/** The stages of a turn. */
const RUN = 0;
const FLUSH = 1;

/** What one node is made with. */
export interface NodeMakings {
  readonly id: NodeId;
  readonly settings: NodeSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly connection: BusConnection;
}

/** What the parts tell whoever owns them. */
export interface NodeHooks {
  checkOpen(): void;
  checkTakesWork(): void;
  /** Joined and synced. */
  onReady(): void;
  onFatal(error: RollcallError): void;
  onDown(node: NodeId): void;
}

/** The parts of one node, connected to each other. */
export interface NodeParts {
  readonly core: NodeCore;
  readonly deadlines: Deadlines;
  readonly turn: Turn;
  readonly runQueue: RunQueue;
  readonly log: LogLimiter;
  readonly messaging: Messaging;
  readonly monitors: MonitorTable;
  readonly scopes: Scopes;
  /** Undefined: there are no lease servers. */
  readonly leases: Leases | undefined;
  readonly nodes: WatchHub<NodeEvent>;
  readonly inbox: Inbox;
  readonly gate: FrameGate;
}

export function assembleNode(makings: NodeMakings, hooks: NodeHooks): NodeParts {
  const { connection, settings } = makings;
  const { secrets } = settings;
  const deadlines = new Deadlines(makings.clock);
  const seal = secrets.length === 0 ? undefined : new Seal(secrets);
  const { core, log, runQueue, turn, use } = makeCore(makings, hooks, deadlines, seal);
  const leases = makeLeases(core, settings.leases, deadlines, log, (scope, change) => {
    scopes.get(scope)?.strictNames.hub.emit(change.name, change);
  });
  const messaging = new Messaging(core, leases);
  const monitors = new MonitorTable(core.pump, core.limits.monitors);
  const scopes: Scopes = new Scopes(
    ...([core, connection, settings.resolve] as const),
    (scope) => new ScopeStrictNames(core, scope, leases, deadlines),
  );
  const nodes = new WatchHub<NodeEvent>({
    quota: core.watchQuota,
    watchQueue: core.limits.watchQueue,
    snapshot: (kind) => ({ kind, nodes: core.machine.nodes() }),
    onInterest: () => {},
  });
  const inbox = makeInbox(core, scopes, deadlines, log);
  const { onDown, onFatal, onReady } = hooks;
  const effects = new Effects({
    core,
    connection,
    clusterMessages,
    inbox,
    monitors,
    scopes,
    leases,
    nodes,
    onReady,
    onFatal,
    onDown,
  });
  use({ effects, leases });
  const gate = makeGate(core, scopes, seal, log);
  return { core, deadlines, turn, runQueue, log, messaging, monitors, scopes, leases, nodes, inbox, gate };
}

/** The pump and what carries out its effects need each other, and so do processes and leases: these come last. */
interface Late {
  readonly effects: Effects;
  readonly leases: Leases | undefined;
}

interface CoreParts {
  readonly core: NodeCore;
  readonly log: LogLimiter;
  readonly turn: Turn;
  readonly runQueue: RunQueue;
  readonly use: (late: Late) => void;
}

function makeCore(
  makings: NodeMakings,
  hooks: NodeHooks,
  deadlines: Deadlines,
  seal: Seal | undefined,
): CoreParts {
  const { clock, connection, id, random, settings } = makings;
  const { failureDetection, limits } = settings;
  const logger = safeLogger(settings.logger);
  const log = new LogLimiter(logger, clock);
  const counts = new Counts();
  const subjects = new Subjects(settings.cluster, id);
  const machine = new NodeMachine({ id, failureDetection, limits });
  let effects: Effects | undefined;
  let leases: Leases | undefined;
  const pump = new Pump(
    machine,
    clock,
    (effect) => effects?.carryOut(effect),
    (error, input) => {
      counts.bugs += 1;
      log.error({ error, input: input.kind }, "a rule of this library was broken; please report it");
    },
  );
  const outbox = new Outbox({
    connection,
    subjects,
    clock,
    writer: new FrameWriter(subjects.clusterHash, id, seal),
    outboundBytes: limits.outboundBytes,
    stamp: () => machine.stamp(clock.now()),
    onPending: () => turn.schedule(FLUSH),
    fetchState: () => pump.feed({ kind: "flush" }),
    onStateDropped: (messages) => {
      counts.messages.stateDropped += messages;
    },
    onUserDropped: (messages) => {
      counts.messages.undelivered += messages;
    },
  });
  const runQueue = new RunQueue(clock, () => turn.schedule(RUN));
  const turn: Turn = new Turn(clock, [() => runQueue.endTurn(), () => outbox.flush()]);
  const host = new NodeProcessHost({
    ...{ clock, counts, log, pump, runQueue },
    processes: () => processes,
    leases: () => leases,
  });
  const processes: ProcessTable = new ProcessTable(id, host, counts, limits.processes);
  const metadata = { name: "metadataBytes", bytes: limits.metadataBytes };
  const message = { name: "messageBytes", bytes: limits.messageBytes };
  const aborts = new AbortListeners();
  const waits = new Waits(deadlines, aborts, "pendingRequests", limits.pendingRequests);
  const core: NodeCore = {
    ...{ self: id, clock, random, limits, metadata, message, logger, counts },
    ...{ machine, pump, outbox, subjects, processes },
    calls: new Calls(deadlines, aborts, limits.pendingCalls),
    ...{ waits, requests: new Requests(waits, machine, pump) },
    resolvers: new ResolverTable({ metadata, counts, logger }),
    watchQuota: new WatchQuota(aborts, limits.watches),
    checkOpen: hooks.checkOpen,
    checkTakesWork: hooks.checkTakesWork,
  };
  const use = (made: Late): void => {
    effects = made.effects;
    leases = made.leases;
  };
  return { core, log, turn, runQueue, use };
}

function makeLeases(
  core: NodeCore,
  store: LeaseStore | undefined,
  deadlines: Deadlines,
  log: LogLimiter,
  onChange: LeasesOptions["onChange"],
): Leases | undefined {
  return store === undefined ? undefined : new Leases({ core, store, deadlines, log, onChange });
}

function makeInbox(core: NodeCore, scopes: Scopes, deadlines: Deadlines, log: LogLimiter): Inbox {
  const { counts, message, outbox } = core;
  const early = new EarlyMessages({
    deadlines,
    onDropped: (segments) => {
      counts.messages.tooEarly += segments;
    },
  });
  const onReplyDropped = (error: unknown): void => {
    counts.messages.repliesDropped += 1;
    log.warn({ error }, "answers to calls are dropped");
  };
  return new Inbox({ core, scopes, clusterMessages, early, replies: { outbox, message, onReplyDropped } });
}

const OTHER_SECRET =
  ": another node of this cluster name signs with another secret, or only one of the two signs";
const DROPPED = Object.fromEntries(
  DROP_CAUSES.map((cause) => [cause, `frames are dropped (${cause})${cause === "mac" ? OTHER_SECRET : ""}`]),
) as Readonly<Record<DropCause, string>>;

function makeGate(core: NodeCore, scopes: Scopes, seal: Seal | undefined, log: LogLimiter): FrameGate {
  const { counts, logger, machine, self, subjects } = core;
  const name = nameOfNode(self);
  return new FrameGate({
    ...{ self, subjects, seal },
    maxFrameBytes: MAX_FRAME_BYTES,
    maxSenders: MAX_SENDERS,
    accepts: (destination) => {
      switch (destination.kind) {
        case "all":
          return true;
        case "scope":
          return scopes.hasHash(destination.scopeHash);
        case "node":
          return destination.node === self;
        case "name":
          return destination.name === name;
      }
    },
    isUp: (node) => machine.isUp(node),
    onDrop: (cause, subject) => {
      counts.dropped[cause] += 1;
      // Copies of what was sent around a reconnect come again by design.
      if (cause === "replayed" || cause === "stale") logger.debug({ cause, subject }, "a frame is dropped");
      else log.warn({ cause, subject, sender: subject.split(".").at(-1) }, DROPPED[cause]);
    },
  });
}
