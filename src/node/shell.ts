import type { BusConnection, BusStatus } from "../bus/port.ts";
import {
  BusClosedError,
  DuplicateNodeError,
  type RollcallError,
  UnauthorizedError,
} from "../kernel/errors.ts";
import type { ExitReason } from "../kernel/exit-reason.ts";
import { isNodeId, nameOfNode } from "../kernel/ids.ts";
import { ClaimRunner } from "./claim-runner.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { STATE } from "./frame.ts";
import type { AdmittedFrame } from "./frame-gate.ts";
import { assembleNode, type NodeMakings, type NodeParts } from "./parts.ts";
import type { LocalProcess } from "./process.ts";
import { clusterMessages } from "./protocol.ts";
import { Reunion } from "./reunion.ts";
import { DEFAULT_SCOPE } from "./scope-set.ts";
import { Subjects } from "./subjects.ts";
import type { NodeClosed } from "./types.ts";
import { Wait, type WaitOptions } from "./waits.ts";

type Phase = "claiming" | "joining" | "running" | "draining" | "stopping" | "stopped";

const SHUTDOWN: ExitReason = { kind: "shutdown" };

/**
 * How long `stop()` waits until the others can do without this node as an arbiter, in milliseconds. A few round trips do; who
 * has not answered by then hangs, and finds the node gone.
 */
const HAND_OVER_MS = 1_000;

/** Processes whose end is told in one turn: some 30 ms of work. More would let heartbeats wait where a million are ended. */
const EXITS_AT_ONCE = 4_096;

/** The life of one node, between its bus and its parts: how it starts, what reaches it, and how it ends. */
export class Shell {
  readonly parts: NodeParts;
  readonly #makings: NodeMakings;
  readonly connection: BusConnection;
  readonly #ready: Deferred<void> = deferred();
  readonly #closed: Deferred<NodeClosed> = deferred();
  /** Those who wait until messages flow again. */
  readonly #onFlowing = new Set<() => void>();
  readonly #reunion: Reunion;
  #claim: ClaimRunner | undefined;
  #phase: Phase = "claiming";
  #closing: Promise<void> | undefined;
  #closedError = new BusClosedError();

  constructor(makings: NodeMakings) {
    this.#makings = makings;
    this.connection = makings.connection;
    this.parts = assembleNode(makings, {
      checkOpen: () => this.checkOpen(),
      checkTakesWork: () => this.#checkTakesWork(),
      onReady: () => this.#ready.resolve(),
      onFatal: (error) => this.#fail(error),
      onDown: (node) => this.#reunion.found(node),
    });
    this.#reunion = new Reunion(this.parts.deadlines, () => this.#flow());
    // Nobody waits for it when the start fails before it comes to that.
    this.#ready.promise.catch(() => {});
  }

  get closed(): Promise<NodeClosed> {
    return this.#closed.promise;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** @throws BusClosedError after the stop */
  checkOpen(): void {
    if (this.#phase === "stopping" || this.#phase === "stopped") throw this.#closedError;
  }

  /**
   * Claims the name, joins the cluster, and opens the default scope. When it rejects, the node is closed.
   *
   * @throws DuplicateNodeError, IncompatibleVersionError, UnauthorizedError, BusClosedError, TimeoutError, the signal's reason
   */
  async start(wait: WaitOptions): Promise<void> {
    try {
      const started = new Wait<void>(this.parts.core.waits, wait);
      this.#join(wait).then(
        () => started.resolve(),
        (error: unknown) => started.reject(error),
      );
      await started.promise;
    } catch (error) {
      await this.close("stopped");
      throw error;
    }
    this.#phase = "running";
  }

  /** From now on the node takes no registrations and joins. */
  beginDrain(): void {
    this.#phase = "draining";
    this.parts.leases?.refuseAll(new BusClosedError("this node is draining: it takes no new work"));
  }

  /** Calls back once, when the connection is back and messages flow again. Returns what withdraws it. */
  onceFlowing(run: () => void): () => void {
    this.#onFlowing.add(run);
    return () => this.#onFlowing.delete(run);
  }

  /**
   * Ends the processes, hands over what this node decides for others, says goodbye, if anybody knows of this node, and ends
   * everything. Idempotent. Never rejects.
   */
  close(kind: NodeClosed["kind"], error?: RollcallError): Promise<void> {
    this.#closing ??= this.#close(kind, error);
    return this.#closing;
  }

  /** A message came from the bus. Never throws. */
  onMessage(subject: string, data: Uint8Array): void {
    // An empty message is a probe, which the bus itself answers when nobody gets it.
    if (data.length === 0 || this.#phase === "stopped") return;
    const { core, gate, inbox, runQueue } = this.parts;
    core.counts.framesReceived += 1;
    core.counts.bytesReceived += data.length;
    const frame = gate.admit(subject, data);
    if (frame === undefined) return;
    if (this.#phase === "claiming") {
      this.#takeClaimAnswer(frame);
      return;
    }
    inbox.take(frame);
    this.#reunion.found(frame.from);
    // At once, and not at the end of the turn: before that a socket is read 32 times, which can fill any mailbox.
    runQueue.runAtOnce();
  }

  onNoResponders(subject: string): void {
    const { core } = this.parts;
    const destination = core.subjects.parse(subject);
    if (destination?.kind === "name") this.#claim?.noResponders();
    if (destination?.kind === "node" && this.#isJoined) {
      core.pump.feed({ kind: "noResponders", node: destination.node });
    }
  }

  onStatus(status: BusStatus): void {
    if (this.#phase === "stopped") return;
    const { core } = this.parts;
    switch (status.kind) {
      case "connected":
        this.#connected(status.epoch, status.serverId);
        return;
      case "disconnected":
        core.outbox.suspend();
        this.#reunion.interrupt();
        if (this.#isJoined) core.pump.feed({ kind: "busDisconnected" });
        else this.#claim?.busDisconnected();
        return;
      case "closed":
        this.#fail(closedBy(status));
        return;
      case "advisory":
        if (this.#isJoined && isNodeId(status.clientName) && status.clientName !== core.self) {
          core.pump.feed({ kind: "advisory", node: status.clientName });
        }
        return;
      case "warning":
        core.logger.warn({ bus: status.message }, "the bus warns");
        return;
    }
  }

  get #isJoined(): boolean {
    return this.#phase !== "claiming" && this.#phase !== "stopped";
  }

  #checkTakesWork(): void {
    this.checkOpen();
    if (this.#phase === "draining") throw new BusClosedError("this node is draining: it takes no new work");
  }

  async #join(wait: WaitOptions): Promise<void> {
    const { core, scopes } = this.parts;
    const { subjects } = core;
    this.connection.subscribe(Subjects.fromAnyone(subjects.node(core.self)));
    await this.#claimName();
    this.checkOpen();
    this.parts.leases?.open();
    this.#phase = "joining";
    this.connection.subscribe(Subjects.fromAnyone(subjects.name(nameOfNode(core.self))));
    this.connection.subscribe(Subjects.fromAnyone(subjects.all));
    await scopes.open(DEFAULT_SCOPE, undefined, wait);
    core.pump.feed({ kind: "start", serverId: this.connection.serverId, replaces: true });
    if (!this.connection.connected) core.pump.feed({ kind: "busDisconnected" });
    await this.#ready.promise;
  }

  async #claimName(): Promise<void> {
    const { core } = this.parts;
    const { clock, settings } = this.#makings;
    const subject = core.subjects.name(nameOfNode(core.self));
    this.#claim = new ClaimRunner({
      clock,
      times: settings.failureDetection,
      probeName: () => this.connection.probe(subject),
      ask: () => core.outbox.sendWide(subject, STATE, clusterMessages.encode({ kind: "nodeNameAsk" })),
    });
    if (!this.connection.connected) this.#claim.busDisconnected();
    await this.#claim.run();
    this.#claim = undefined;
  }

  #takeClaimAnswer(frame: AdmittedFrame): void {
    const messages = this.parts.inbox.stateOf(frame);
    if (messages.some((message) => message.kind === "nodeNameHeld")) this.#claim?.answered(frame.from);
  }

  #connected(epoch: number, serverId: string): void {
    const { core } = this.parts;
    core.counts.reconnects += 1;
    // Even if the drop was not reported: what was not confirmed before it may be lost.
    core.outbox.suspend();
    if (this.#isJoined) core.pump.feed({ kind: "busConnected", epoch, serverId });
    else this.#claim?.busConnected();
    this.#reunion.begin(core.machine.nodes().flatMap(({ id }) => (id === core.self ? [] : [id])));
  }

  #flow(): void {
    this.parts.core.outbox.release();
    const waiting = [...this.#onFlowing];
    this.#onFlowing.clear();
    for (const run of waiting) run();
  }

  /** The node cannot go on. */
  #fail(error: RollcallError): void {
    if (this.#phase === "claiming" || this.#phase === "joining") {
      this.#claim?.abandon(error);
      this.#ready.reject(error);
      return;
    }
    const kind =
      error instanceof DuplicateNodeError
        ? "duplicateNode"
        : error instanceof UnauthorizedError
          ? "unauthorized"
          : "busClosed";
    this.parts.core.logger.error({ error }, "this node closes");
    void this.close(kind, error);
  }

  /** A name that this node has just granted must be known to whoever decides about it next. */
  async #handOver(): Promise<void> {
    const wait = { operation: "stop", timeoutMs: HAND_OVER_MS };
    await this.parts.core.requests.ask(wait, (request) => ({ kind: "retire", request })).catch(() => {});
  }

  #endProcesses(): readonly LocalProcess[] {
    const { processes } = this.parts.core;
    const ended = processes.all();
    for (const process of ended) {
      processes.remove(process);
      process.end(SHUTDOWN);
    }
    return ended;
  }

  /** As of any exit, and ahead of the hand-over: what a process held must not outlive it until the goodbye. */
  async #tellExits(processes: readonly LocalProcess[]): Promise<void> {
    const { clock, pump } = this.parts.core;
    for (const [index, { pid }] of processes.entries()) {
      pump.feed({ kind: "exited", pid, reason: SHUTDOWN });
      if ((index + 1) % EXITS_AT_ONCE === 0) await new Promise<void>((resolve) => clock.endOfTurn(resolve));
    }
  }

  async #close(kind: NodeClosed["kind"], error: RollcallError | undefined): Promise<void> {
    const { core, deadlines, leases, monitors, nodes, scopes, turn } = this.parts;
    const isKnown = this.#isJoined;
    if (error !== undefined) {
      this.#closedError = new BusClosedError(`this node was closed: ${error.message}`, { cause: error });
    }
    const handsOver = this.#phase === "running" && error === undefined && this.connection.connected;
    this.#phase = "stopping";
    // First: that its own processes end is no news to this node.
    const abrupt = error === undefined ? undefined : this.#closedError;
    scopes.close(abrupt);
    nodes.close(abrupt);
    monitors.close();
    const processes = this.#endProcesses();
    const released = leases?.releaseAll(this.#closedError);
    core.calls.close(this.#closedError);
    await this.#tellExits(processes);
    if (handsOver) await this.#handOver();
    // Whoever waits for one of them is told over the bus.
    await released;
    this.#phase = "stopped";
    if (isKnown) core.pump.feed({ kind: "goodbye" });
    core.pump.close();
    core.outbox.flush();
    this.#claim?.abandon(this.#closedError);
    core.waits.close(this.#closedError);
    turn.close();
    core.outbox.close();
    deadlines.close();
    for (const process of processes) process.announceEnd();
    await leases?.close();
    try {
      await this.connection.close();
    } catch (failure) {
      core.logger.warn({ error: failure }, "closing the connection to the bus failed");
    }
    this.#closed.resolve(error === undefined ? { kind } : { kind, error });
  }
}

function closedBy(status: Extract<BusStatus, { kind: "closed" }>): RollcallError {
  const cause = status.error === undefined ? {} : { cause: status.error };
  return status.unauthorized
    ? new UnauthorizedError("the bus does not accept this node's credentials any more", cause)
    : new BusClosedError("the connection to the bus was closed", cause);
}
