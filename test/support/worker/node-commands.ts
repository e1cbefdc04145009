import {
  type Address,
  type CallOptions,
  type ClusterNode,
  type DrainOptions,
  type ExitReason,
  type GroupAddress,
  type Logger,
  type Monitor,
  type MonitorTarget,
  type NodeStats,
  type NodeView,
  natsBus,
  type Pid,
  type ScopeOptions,
  type SendOptions,
  startNode,
  type WaitingOptions,
} from "../../../src/index.ts";
import { leasesOf } from "./leases.ts";
import { Load, type LoadReport } from "./load.ts";
import { CannedProcesses, type ProcessKind, type ProcessOptions } from "./processes.ts";
import {
  type Received,
  type Remains,
  type Sighting,
  type Started,
  type StartOptions,
  type ToldError,
  tell,
} from "./protocol.ts";
import { Reader, type Readings } from "./reader.ts";
import { type ResolverName, resolverOf } from "./resolvers.ts";
import { ResourceTracker } from "./resources.ts";
import { follow, ScopeCommands } from "./scope-commands.ts";
import { StrictCommands } from "./strict-commands.ts";
import { sendMixed, type TrafficTarget } from "./traffic.ts";
import { Visits, type VisitsOptions, type VisitsReport } from "./visits.ts";

const LINES_OF_STACK = 6;

/** What a test can have a worker do with its node. */
export class NodeCommands {
  readonly #see: (sighting: Sighting) => void;
  readonly #monitors = new Map<number, Monitor>();
  readonly #watches = new Map<number, AbortController>();
  readonly #scopes = new Map<string, ScopeCommands>();
  readonly #processes: CannedProcesses;
  readonly #tracker = new ResourceTracker();
  readonly #resourcesBefore: readonly string[];
  #load: Load | undefined;
  #reader: Reader | undefined;
  #visits: Visits | undefined;
  #node: ClusterNode | undefined;
  #strict: StrictCommands | undefined;
  #lastMonitor = 0;

  constructor(see: (sighting: Sighting) => void) {
    this.#see = see;
    this.#processes = new CannedProcesses(see);
    this.#resourcesBefore = process.getActiveResourcesInfo();
  }

  /** Without a name: the default scope. */
  scopeCommands(scope = "default"): ScopeCommands {
    const commands = this.#scopes.get(scope);
    if (commands === undefined) throw new Error(`this worker has not opened scope ${JSON.stringify(scope)}`);
    return commands;
  }

  get strictCommands(): StrictCommands {
    if (this.#strict === undefined) throw new Error("this worker has not started its node");
    return this.#strict;
  }

  async start(options: StartOptions): Promise<Started> {
    const { servers, leases, resolve, ...others } = options;
    const beganAtMs = performance.now();
    const node = await startNode({
      ...others,
      bus: natsBus({ servers }),
      logger: this.#logger(),
      ...(resolve === undefined ? {} : { resolve: this.#resolver(resolve) }),
      ...(leases === undefined ? {} : { leases: leasesOf(leases) }),
    });
    this.#node = node;
    this.#strict = new StrictCommands(node, this.#see);
    this.#scopes.clear();
    this.#addScope("default", node);
    void node.closed.then(({ kind }) => this.#see({ kind: "closed", closed: kind }));
    return { id: node.id, tookMs: performance.now() - beganAtMs };
  }

  async openScope(scope: string, resolve?: ResolverName, options: ScopeOptions = {}): Promise<void> {
    const node = this.#running;
    const resolver = resolve === undefined ? {} : { resolve: this.#resolver(resolve) };
    this.#addScope(scope, await node.scope(scope, { ...options, ...resolver }));
  }

  spawn(kind: ProcessKind = "idle", options: ProcessOptions = {}): Pid {
    return this.#processes.spawn(this.#running, kind, options);
  }

  spawnMany(count: number, kind: ProcessKind = "idle"): readonly Pid[] {
    return Array.from({ length: count }, () => this.spawn(kind));
  }

  exit(pid: Pid, reason?: ExitReason): void {
    this.#processes.exit(pid, reason);
  }

  /** What this node says, in the turn of the exit, of the names and groups that the process had. */
  exitAndLook(pid: Pid, names: readonly string[], groups: readonly string[]) {
    const node = this.#running;
    this.#processes.exit(pid, undefined);
    return {
      held: names.filter((name) => node.names.whereis(name) !== undefined),
      joined: groups.filter((group) => node.groups.members(group).length > 0),
      namesOf: node.names.namesOf(pid),
      groupsOf: node.groups.groupsOf(pid),
    };
  }

  isAlive(pid: Pid): boolean {
    return this.#processes.isAlive(pid);
  }

  /** What a `record` process got, in order. */
  received(pid: Pid): readonly Received[] {
    return this.#processes.received(pid);
  }

  send(to: Address, message: unknown, options?: SendOptions): void {
    this.#running.send(to, message, options);
  }

  call(to: Address, message: unknown, options?: CallOptions): Promise<unknown> {
    return this.#running.call(to, message, options);
  }

  async multicall(to: GroupAddress | readonly Address[], message: unknown, options?: CallOptions) {
    const { replies, failures } = await this.#running.multicall(to, message, options);
    return {
      replies,
      failures: failures.map((failure) => ({ to: failure.to, error: tell(failure.error) })),
    };
  }

  sendMixed(to: TrafficTarget, first: number, count: number): Promise<number> {
    return sendMixed(this.#running, to, first, count);
  }

  /** Sends the numbers from 0 on, in one turn. Returns how many were taken, and why the next was not. */
  sendMany(to: Address, count: number, padding = ""): { readonly taken: number; readonly error?: ToldError } {
    for (let taken = 0; taken < count; taken += 1) {
      try {
        this.#running.send(to, padding === "" ? taken : { taken, padding });
      } catch (error) {
        return { taken, error: tell(error) };
      }
    }
    return { taken: count };
  }

  /** Returns the number under which the end is told. */
  monitor(target: MonitorTarget): number {
    const monitor = this.#running.monitor(target);
    this.#lastMonitor += 1;
    const number = this.#lastMonitor;
    this.#monitors.set(number, monitor);
    void monitor.down.then((down) => this.#see({ kind: "down", monitor: number, down }));
    return number;
  }

  cancelMonitor(monitor: number): boolean {
    return this.#monitors.get(monitor)?.cancel() ?? false;
  }

  watchNodes(): number {
    return follow(
      this.#watches,
      (signal) => this.#running.watchNodes({ signal }),
      (watch, event) => this.#see({ kind: "node", watch, event }),
    );
  }

  unwatch(watch: number): void {
    this.#watches.get(watch)?.abort();
  }

  nodes(): readonly NodeView[] {
    return this.#running.nodes();
  }

  settled(options?: WaitingOptions): Promise<void> {
    return this.#running.settled(options);
  }

  flushed(options?: WaitingOptions): Promise<void> {
    return this.#running.flushed(options);
  }

  stats(): NodeStats {
    return this.#running.stats();
  }

  /** Errors of each call after the stop: there must be one for each. */
  async afterStop(): Promise<Readonly<Record<string, ToldError | "accepted">>> {
    const node = this.#running;
    const { names, groups } = node;
    const attempts: Record<string, () => unknown> = {
      spawn: () => node.spawn(),
      nodes: () => node.nodes(),
      settled: () => node.settled(),
      stats: () => node.stats(),
      whereis: () => names.whereis("x"),
      unregister: () => names.unregister("x"),
      members: () => groups.members("x"),
      publish: () => groups.publish("x", 1),
      watch: () => names.watch(),
    };
    const told: Record<string, ToldError | "accepted"> = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      try {
        await attempt();
        told[name] = "accepted";
      } catch (error) {
        told[name] = tell(error);
      }
    }
    return told;
  }

  /** Registers names that begin with this, and joins groups, until `endLoad`. */
  beginLoad(prefix: string): void {
    this.#load = new Load(this.#running, prefix);
  }

  loadProgress(): number {
    return this.#load?.progress ?? 0;
  }

  endLoad(): Promise<LoadReport> | undefined {
    return this.#load?.end();
  }

  /** Reads these names until `endReading`. */
  beginReading(names: readonly string[]): void {
    this.#reader = new Reader(this.#running, names);
  }

  endReading(): Promise<Readings> | undefined {
    return this.#reader?.end();
  }

  /** Has nodes besides its own come and go until `endVisits`. */
  beginVisits(options: VisitsOptions): void {
    this.#visits = new Visits(options);
  }

  visits(): number {
    return this.#visits?.visits ?? 0;
  }

  endVisits(): Promise<VisitsReport> | undefined {
    return this.#visits?.end();
  }

  /** Keeps the event loop from turning, as soon as it has said so. */
  async block(ms: number): Promise<void> {
    this.#see({ kind: "blocking" });
    await new Promise(setImmediate);
    const endsAtMs = performance.now() + ms;
    while (performance.now() < endsAtMs);
  }

  drain(options?: DrainOptions): Promise<void> {
    return this.#running.drain(options);
  }

  stop(): Promise<void> {
    return this.#running.stop();
  }

  trackResources(): void {
    this.#tracker.begin();
  }

  remains(): Remains {
    return {
      before: this.#resourcesBefore,
      after: process.getActiveResourcesInfo(),
      tracked: this.#tracker.live,
    };
  }

  get #running(): ClusterNode {
    if (this.#node === undefined) throw new Error("this worker has not started its node");
    return this.#node;
  }

  #addScope(name: string, scope: Pick<ClusterNode, "names" | "strictNames" | "groups">): void {
    const { names, strictNames, groups } = scope;
    this.#scopes.set(
      name,
      new ScopeCommands({ scope: name, names, strictNames, groups }, this.#see, this.#watches),
    );
  }

  #resolver(name: ResolverName) {
    return resolverOf(name, (clash) => this.#see({ kind: "resolving", resolver: name, clash }));
  }

  #logger(): Logger {
    const at =
      (level: "warn" | "error") =>
      (details: unknown, message?: unknown): void => {
        this.#see({ kind: "log", level, text: `${String(message)} ${toText(details)}` });
      };
    return { debug: () => {}, info: () => {}, warn: at("warn"), error: at("error") };
  }
}

function toText(details: unknown): string {
  return JSON.stringify(details, (_key, value: unknown) =>
    value instanceof Error ? { ...tell(value), stack: value.stack?.split("\n", LINES_OF_STACK) } : value,
  );
}
