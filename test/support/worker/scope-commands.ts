import {
  type Member,
  type NameEvent,
  NameTakenError,
  type NodeId,
  type Pid,
  type PublishOptions,
  type RegisterOptions,
  type Registration,
  type Scope,
  type UnregisterOptions,
  type WaitingOptions,
  type WatchIterator,
} from "../../../src/index.ts";
import { type Sighting, type ToldError, tell } from "./protocol.ts";
import { type Handover, handOn, type Race, race } from "./races.ts";
import { type ResolverName, resolverOf } from "./resolvers.ts";

export interface RegisterCommand extends RegisterOptions {
  readonly resolve?: ResolverName;
}

/** What `update` does with metadata: a function cannot travel. */
export type Change = { readonly add: number } | { readonly set: unknown } | { readonly throws: string };

export interface RaceOutcome {
  readonly won: readonly number[];
  readonly lost: ReadonlyMap<number, Pid>;
  /** Anything but `NameTakenError`. */
  readonly failed: readonly ToldError[];
}

export interface WriteAndLook {
  readonly registration: Registration;
  /** What this node said of the name in the turn in which the write resolved. */
  readonly seen: Registration | undefined;
}

/** What a test can have a worker do with the names and groups of one scope. */
export class ScopeCommands {
  readonly #scope: Scope;
  readonly #see: (sighting: Sighting) => void;
  readonly #watches: Map<number, AbortController>;
  #lazy: WatchIterator<NameEvent> | undefined;

  constructor(scope: Scope, see: (sighting: Sighting) => void, watches: Map<number, AbortController>) {
    this.#scope = scope;
    this.#see = see;
    this.#watches = watches;
  }

  register(name: string, pid: Pid, options: RegisterCommand = {}): Promise<Registration> {
    return this.#scope.names.register(name, pid, this.#resolved(options));
  }

  async registerAndLook(name: string, pid: Pid, options: RegisterCommand = {}): Promise<WriteAndLook> {
    return this.#look(await this.register(name, pid, options));
  }

  /** Registers names of a prefix with numbers, all at once. */
  async registerMany(prefix: string, count: number, pid: Pid, meta?: unknown): Promise<number> {
    const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    await Promise.all(names.map((name) => this.#scope.names.register(name, pid, { meta })));
    return names.length;
  }

  /** Registers names of a prefix with numbers, one for each process, all at once. */
  async registerEach(prefix: string, pids: readonly Pid[]): Promise<void> {
    await Promise.all(pids.map((pid, index) => this.#scope.names.register(`${prefix}${index}`, pid)));
  }

  /** Tries for names of a prefix with numbers, all at once: the numbers that it got, and who holds the others. */
  async raceMany(prefix: string, count: number, pid: Pid): Promise<RaceOutcome> {
    const won: number[] = [];
    const lost = new Map<number, Pid>();
    const failed: ToldError[] = [];
    const attempt = async (index: number): Promise<void> => {
      try {
        await this.#scope.names.register(`${prefix}${index}`, pid);
        won.push(index);
      } catch (error) {
        if (error instanceof NameTakenError) lost.set(index, error.holder);
        else failed.push(tell(error));
      }
    };
    await Promise.all(Array.from({ length: count }, (_, index) => attempt(index)));
    return { won, lost, failed };
  }

  /** Tries for all of these at once. */
  race(names: readonly string[], pid: Pid): Promise<Race> {
    return race(this.#scope.names, names, pid);
  }

  handOn(handovers: readonly Handover[]): Promise<Readonly<Record<string, string>>> {
    return handOn(this.#scope.names, handovers);
  }

  /** How many of them were there to be freed. */
  async release(names: readonly string[]): Promise<number> {
    const freed = await Promise.all(names.map((name) => this.#scope.names.unregister(name)));
    return freed.filter((was) => was).length;
  }

  async unregisterMany(prefix: string, indexes: readonly number[]): Promise<number> {
    const freed = await Promise.all(
      indexes.map((index) => this.#scope.names.unregister(`${prefix}${index}`)),
    );
    return freed.filter((was) => was).length;
  }

  /** Registers one name after the other, and says how long each took, in milliseconds. */
  async timeRegisters(prefix: string, count: number, pid: Pid): Promise<readonly number[]> {
    const times: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const beganAtMs = performance.now();
      await this.#scope.names.register(`${prefix}${index}`, pid);
      times.push(performance.now() - beganAtMs);
    }
    return times;
  }

  reregister(name: string, pid: Pid, options: RegisterCommand = {}): Promise<Registration> {
    return this.#scope.names.reregister(name, pid, this.#resolved(options));
  }

  async reregisterAndLook(name: string, pid: Pid, options: RegisterCommand = {}): Promise<WriteAndLook> {
    return this.#look(await this.reregister(name, pid, options));
  }

  update(name: string, change: Change, options?: WaitingOptions): Promise<Registration> {
    return this.#scope.names.update(name, (meta) => applied(change, meta), options);
  }

  async updateAndLook(name: string, change: Change): Promise<WriteAndLook> {
    return this.#look(await this.update(name, change));
  }

  transfer(name: string, to: Pid, options?: WaitingOptions): Promise<Registration> {
    return this.#scope.names.transfer(name, to, options);
  }

  async transferAndLook(name: string, to: Pid): Promise<WriteAndLook> {
    return this.#look(await this.transfer(name, to));
  }

  unregister(name: string, options?: UnregisterOptions): Promise<boolean> {
    return this.#scope.names.unregister(name, options);
  }

  async unregisterAndLook(name: string): Promise<Registration | undefined> {
    await this.#scope.names.unregister(name);
    return this.#scope.names.whereis(name);
  }

  whereis(name: string): Registration | undefined {
    return this.#scope.names.whereis(name);
  }

  waitFor(name: string, options?: WaitingOptions): Promise<Registration> {
    return this.#scope.names.waitFor(name, options);
  }

  /** Name → holder, sorted by name. */
  names(): Readonly<Record<string, Pid>> {
    const entries = [...this.#scope.names.list()].map(({ name, pid }) => [name, pid] as const);
    return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
  }

  list(): readonly Registration[] {
    return [...this.#scope.names.list()];
  }

  count(node?: NodeId): number {
    return this.#scope.names.count({ node });
  }

  namesOf(pid: Pid): readonly string[] {
    return this.#scope.names.namesOf(pid);
  }

  watchNames(name?: string): number {
    return this.#follow(
      (signal) => this.#scope.names.watch(name, { signal }),
      (watch, event) => ({ kind: "name", watch, event }),
    );
  }

  /** Watches all names, and reads nothing but what `readNames` asks for. */
  watchNamesLazily(): void {
    this.#lazy = this.#scope.names.watch();
  }

  async readNames(count: number): Promise<readonly NameEvent[]> {
    const events: NameEvent[] = [];
    while (events.length < count) {
      const next = await this.#lazy?.next();
      if (next?.value === undefined) break;
      events.push(next.value);
    }
    return events;
  }

  join(group: string, pids: Pid | readonly Pid[], options?: { readonly meta?: unknown }): void {
    this.#scope.groups.join(group, pids, options);
  }

  joinAndLook(group: string, pid: Pid): readonly Member[] {
    this.#scope.groups.join(group, pid);
    return this.#scope.groups.members(group);
  }

  leave(group: string, pids: Pid | readonly Pid[]): boolean {
    return this.#scope.groups.leave(group, pids);
  }

  updateMember(group: string, pid: Pid, change: Change): void {
    this.#scope.groups.update(group, pid, (meta) => applied(change, meta));
  }

  /** Sorted by pid. */
  members(group: string): readonly Member[] {
    return [...this.#scope.groups.members(group)].sort((left, right) => (left.pid < right.pid ? -1 : 1));
  }

  localMembers(group: string): readonly Member[] {
    return this.#scope.groups.localMembers(group);
  }

  groups(): readonly string[] {
    return [...this.#scope.groups.list()].sort();
  }

  groupsOf(pid: Pid): readonly string[] {
    return [...this.#scope.groups.groupsOf(pid)].sort();
  }

  countMembers(group: string, node?: NodeId): number {
    return this.#scope.groups.count(group, { node });
  }

  publish(group: string, message: unknown, options?: PublishOptions): number {
    return this.#scope.groups.publish(group, message, options);
  }

  /** Group events, from the state on. */
  watchGroups(group?: string): number {
    return this.#follow(
      (signal) => this.#scope.groups.watch(group, { signal }),
      (watch, event) => ({ kind: "group", watch, event }),
    );
  }

  #look(registration: Registration): WriteAndLook {
    return { registration, seen: this.#scope.names.whereis(registration.name) };
  }

  #resolved({ resolve, ...options }: RegisterCommand): Parameters<Scope["names"]["register"]>[2] {
    if (resolve === undefined) return options;
    const onCall = (clash: Parameters<Parameters<typeof resolverOf>[1]>[0]): void =>
      this.#see({ kind: "resolving", resolver: resolve, clash });
    return { ...options, resolve: resolverOf(resolve, onCall) };
  }

  #follow<T>(
    open: (signal: AbortSignal) => AsyncIterable<T>,
    toSighting: (watch: number, event: T) => Sighting,
  ): number {
    return follow(this.#watches, open, (watch, event) => this.#see(toSighting(watch, event)));
  }
}

/** Reads a watch to its end, in the background. */
export function follow<T>(
  watches: Map<number, AbortController>,
  open: (signal: AbortSignal) => AsyncIterable<T>,
  onEvent: (watch: number, event: T) => void,
): number {
  const watch = watches.size + 1;
  const controller = new AbortController();
  watches.set(watch, controller);
  const events = open(controller.signal);
  void (async () => {
    for await (const event of events) onEvent(watch, event);
  })().catch(() => {
    // The node was closed by force, which its own test looks at.
  });
  return watch;
}

function applied(change: Change, meta: unknown): unknown {
  if ("add" in change) return Number(meta) + change.add;
  if ("set" in change) return change.set;
  throw new RangeError(change.throws);
}
