import { InvalidArgumentError } from "../kernel/errors.ts";
import { checkNodeId, type NodeId, nameOfNode } from "../kernel/ids.ts";
import { checkText } from "../kernel/text.ts";
import type { NodeEvent, NodeView } from "../monitor/types.ts";
import { holderOf } from "./addressing.ts";
import { checkFunction, checkSignal, toPid, waiting } from "./arguments.ts";
import { drain } from "./drain.ts";
import { waitUntilFlushed } from "./flushed.ts";
import { checkOptions } from "./known-options.ts";
import { MonitorTable } from "./monitors.ts";
import type { NodeParts } from "./parts.ts";
import type { Shell } from "./shell.ts";
import { checkSpawnOptions } from "./spawn-options.ts";
import { type NodeStats, statsOf } from "./stats.ts";
import type { StrictNames } from "./strict/types.ts";
import type {
  Address,
  CallOptions,
  ClusterNode,
  DrainOptions,
  GroupAddress,
  Groups,
  Handler,
  Monitor,
  MonitorTarget,
  MulticallResult,
  Names,
  NodeClosed,
  Process,
  Scope,
  ScopeOptions,
  SendOptions,
  SpawnOptions,
  WaitingOptions,
  WatchIterator,
  WatchOptions,
} from "./types.ts";

const A_TARGET = "a pid, a process, { node }, or { name, scope? }";

const partsOfNodes = new WeakMap<object, NodeParts>();

/** @throws InvalidArgumentError for what no `startNode` gave */
export function partsOf(node: ClusterNode): NodeParts {
  const parts = typeof node === "object" && node !== null ? partsOfNodes.get(node) : undefined;
  if (parts === undefined) throw new InvalidArgumentError("node", node, "a node, as startNode gives it");
  return parts;
}

/** A node that has started, for users. */
export class RunningNode implements ClusterNode {
  readonly id: NodeId;
  readonly name: string;
  readonly cluster: string;
  readonly names: Names;
  readonly strictNames: StrictNames;
  readonly groups: Groups;
  readonly #shell: Shell;
  readonly #parts: NodeParts;

  constructor(shell: Shell, cluster: string, defaultScope: Scope) {
    const { self } = shell.parts.core;
    this.id = self;
    this.name = nameOfNode(self);
    this.cluster = cluster;
    this.names = defaultScope.names;
    this.strictNames = defaultScope.strictNames;
    this.groups = defaultScope.groups;
    this.#shell = shell;
    this.#parts = shell.parts;
    partsOfNodes.set(this, shell.parts);
  }

  get closed(): Promise<NodeClosed> {
    return this.#shell.closed;
  }

  async scope(scope: string, options?: ScopeOptions): Promise<Scope> {
    this.#shell.checkOpen();
    checkText(scope, "scope");
    const resolve = checkOptions(options, "scope")?.resolve;
    if (resolve !== undefined) checkFunction(resolve, "resolve", "a function from a clash to a verdict");
    const { limits } = this.#parts.core;
    const wait = waiting(`scope(${JSON.stringify(scope)})`, options, limits.startMs);
    return this.#parts.scopes.open(scope, resolve, wait);
  }

  nodes(): readonly NodeView[] {
    this.#shell.checkOpen();
    return this.#parts.core.machine.nodes();
  }

  watchNodes(options?: WatchOptions): WatchIterator<NodeEvent> {
    this.#shell.checkOpen();
    return this.#parts.nodes.open(undefined, checkSignal(checkOptions(options, "watchNodes")?.signal));
  }

  spawn(handler?: Handler, options?: SpawnOptions): Process {
    this.#shell.checkOpen();
    const { limits, processes, pump } = this.#parts.core;
    const process = processes.create(checkSpawnOptions(handler, options, limits.mailbox));
    pump.feed({ kind: "spawned", pid: process.pid });
    return process;
  }

  monitor(target: MonitorTarget): Monitor {
    this.#shell.checkOpen();
    const { monitors } = this.#parts;
    if (typeof target === "object" && target !== null && !("pid" in target)) {
      if ("node" in target) return monitors.ofNode(checkNodeId(target.node, "target.node"));
      if ("name" in target) {
        const { machine, self } = this.#parts.core;
        const holder = holderOf(machine, target, "target");
        if (holder === undefined)
          return MonitorTable.fired({ node: self, reason: { kind: "noSuchProcess" } });
        return monitors.ofPid(holder);
      }
      throw new InvalidArgumentError("target", target, A_TARGET);
    }
    return monitors.ofPid(toPid(target, "target"));
  }

  send(to: Address, message: unknown, options?: SendOptions): void {
    this.#shell.checkOpen();
    this.#parts.messaging.send(to, message, checkOptions(options, "send"));
  }

  async call<T = unknown>(to: Address, message: unknown, options?: CallOptions): Promise<T> {
    this.#shell.checkOpen();
    // What an answer is, caller and callee agree between themselves.
    return (await this.#parts.messaging.call(to, message, checkOptions(options, "call"))) as T;
  }

  async multicall<T = unknown>(
    to: GroupAddress | readonly Address[],
    message: unknown,
    options?: CallOptions,
  ): Promise<MulticallResult<T>> {
    this.#shell.checkOpen();
    return (await this.#parts.messaging.multicall(
      to,
      message,
      checkOptions(options, "multicall"),
    )) as MulticallResult<T>;
  }

  async settled(options?: WaitingOptions): Promise<void> {
    this.#shell.checkOpen();
    const { limits, requests } = this.#parts.core;
    const wait = waiting("settled", checkOptions(options, "settled"), limits.registerMs);
    await requests.ask(wait, (request) => ({ kind: "settle", request }));
  }

  async flushed(options?: WaitingOptions): Promise<void> {
    this.#shell.checkOpen();
    const wait = waiting("flushed", checkOptions(options, "flushed"), this.#parts.core.limits.callMs);
    await waitUntilFlushed(this.#shell, wait);
  }

  stats(): NodeStats {
    this.#shell.checkOpen();
    return statsOf(this.#parts);
  }

  async drain(options?: DrainOptions): Promise<void> {
    this.#shell.checkOpen();
    const deadlineMs = checkOptions(options, "drain")?.deadlineMs ?? this.#parts.core.limits.drainMs;
    if (typeof deadlineMs !== "number" || !(deadlineMs >= 0 && deadlineMs <= 2_147_483_647)) {
      throw new InvalidArgumentError("deadlineMs", deadlineMs, "milliseconds from 0 to 2147483647");
    }
    await drain(this.#shell, deadlineMs);
  }

  stop(): Promise<void> {
    return this.#shell.close("stopped");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
