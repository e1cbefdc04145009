import type { ExitReason } from "../kernel/exit-reason.ts";
import { makePid, nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import { Value } from "../kernel/value.ts";
import type { ClaimEnd } from "./claims.ts";
import { QUEUED_PER_NAME } from "./limits.ts";
import type { Command, Outcome } from "./messages.ts";
import { type EntryRef, type NameEntry, pidOf, putOf, toSuccessor } from "./name-entry.ts";
import type { NameEnd, NamePut, SettledClash, Successor, Superseded, SupersededHow } from "./name-ops.ts";
import type { OwnerPort, Task, TaskQueue } from "./owner-port.ts";
import { allOver, inheriting, superseding, unitedWith } from "./superseding.ts";

/** Writes this node's own entries: the only place that does. */
export class Owner {
  readonly #port: OwnerPort;
  readonly #queues = new Map<string, TaskQueue>();
  /** The resolver that each name was registered with, where one was. */
  readonly #resolvers = new Map<string, number>();
  /** How often names were registered once more for the process that has them: whoever asked for that counts on them too. */
  readonly #reasked = new Map<string, number>();
  /** Names whose entry is over and stays only for what it supersedes. */
  readonly #tombstones = new Set<string>();

  constructor(port: OwnerPort) {
    this.#port = port;
  }

  entry(name: string): NameEntry | undefined {
    const entry = this.#port.table.entryOf(this.#port.self, name);
    return entry === undefined || entry.serial === 0 ? undefined : entry;
  }

  /** One who asked for this registration gave it up: it goes, if nobody else has asked for it. */
  giveBack(name: string, id: number): void {
    const entry = this.entry(name);
    if (entry?.id !== id) return;
    const others = this.#reasked.get(name) ?? 0;
    if (others > 0) this.#reasked.set(name, others - 1);
    else this.execute({ kind: "unregister", name, pid: pidOf(entry) }, 0, () => {});
  }

  resolverOf(name: string): number {
    return this.#resolvers.get(name) ?? 0;
  }

  execute(command: Command, resolver: number, done: (outcome: Outcome) => void): Task {
    const task: Task = { command, resolver, done, begun: false, claim: undefined, cancel: undefined };
    const queue = this.#queues.get(command.name);
    if (command.kind === "adopt") {
      // Not behind the others: two nodes that hand one name to each other would wait for each other.
      task.begun = true;
      this.#run(task);
    } else if (queue === undefined) {
      const begun = { tasks: [task], pumped: false };
      this.#queues.set(command.name, begun);
      this.#pump(command.name, begun);
    } else if (queue.tasks.length >= QUEUED_PER_NAME) {
      this.#forget(resolver);
      done({ kind: "limit", limit: "queuedPerName", allowed: QUEUED_PER_NAME });
    } else {
      queue.tasks.push(task);
    }
    return task;
  }

  /** Gives a task up. It does not answer any more. */
  cancel(task: Task): void {
    const queue = this.#queues.get(task.command.name);
    const index = queue?.tasks.indexOf(task) ?? -1;
    if (queue === undefined || index < 0) {
      this.#giveUp(task);
      return;
    }
    this.#forget(task.resolver);
    if (index > 0) {
      queue.tasks.splice(index, 1);
      return;
    }
    this.#giveUp(task);
    this.#next(task);
  }

  /** False when nothing was written on it. */
  claimEnded(task: Task, end: ClaimEnd): boolean {
    const { command } = task;
    if (end.kind === "refused") {
      // Whoever it was refused for is gone by now: it may have the name after all.
      if (end.holder === undefined && command.kind === "register") this.#register(task, command);
      else this.#finish(task, { kind: "taken", holder: end.holder });
      return false;
    }
    const pid =
      command.kind === "transfer"
        ? command.to
        : command.kind === "register" || command.kind === "adopt"
          ? command.pid
          : undefined;
    if (pid === undefined || !this.#port.isAlive(pid)) {
      this.#finish(task, { kind: "noSuchProcess" });
      return false;
    }
    // Those that were begun with it may have been written since.
    if (this.#isFullFor(command.name)) {
      this.#finish(task, { kind: "limit", limit: "namesPerNode", allowed: this.#port.namesPerNode });
      return false;
    }
    const former = this.entry(command.name);
    if (command.kind === "transfer" && former === undefined) {
      // 1. The claim is under way. 2. The holder ends. 3. The claim is granted before word of that has come to the arbiter.
      this.#finish(task, { kind: "noSuchName" });
      return false;
    }
    const meta =
      command.kind === "transfer"
        ? (former?.meta ?? Value.undefined)
        : command.kind === "unregister"
          ? Value.undefined
          : command.meta;
    const takes = command.kind !== "register" || command.takeover;
    const { table } = this.#port;
    const taken: readonly EntryRef[] = takes ? table.visible(command.name) : [];
    const over = allOver(end.current, table.supersededUnder(command.name), taken);
    const id = this.#begin(command.name, pid, meta, end.claim, over, former);
    this.#keepResolver(command.name, command.kind === "register" ? task.resolver : 0);
    this.#finish(task, { kind: "registered", id, position: id }, true);
    return true;
  }

  /** A process of this node has ended: what its entries supersede must stay superseded. The entries go with its `exit`. */
  prepareExit(pid: Pid, reason: ExitReason): boolean {
    const entries = this.#port.table.entriesOfSerial(this.#port.self, serialOfPid(pid));
    let left = 0;
    for (const entry of entries) {
      this.#keepResolver(entry.name, 0);
      if (entry.supersedes.length > 0) this.#end(entry, { kind: "ended", reason });
      else left += 1;
    }
    return left > 0;
  }

  /** Called when anything about the name changed: it may have been taken over, or a tombstone have served its time. */
  nameTouched(name: string): void {
    const entry = this.entry(name);
    if (entry !== undefined) {
      const by = this.#port.table.superseder(entry, name);
      if (by !== undefined) this.#yieldTo(entry, by.entry, by.how);
    } else if (this.#tombstones.has(name)) {
      this.#sweep(name);
    }
  }

  /** Logs may have gone further, or nodes went: nothing may be left for some tombstones to supersede. */
  sweep(): void {
    for (const name of this.#tombstones) this.#sweep(name);
  }

  /** The verdict of a clash keeps this registration, and it supersedes the others, with what those superseded. */
  pin(
    entry: NameEntry,
    losers: readonly EntryRef[],
    how: SupersededHow,
    meta: Value | undefined,
    settled: SettledClash,
    inherited: readonly Superseded[],
  ): void {
    const added = losers.map(({ owner, id }) => ({ owner, id, how }));
    const { supersedes, ended } = superseding(this.#port, entry.name, inheriting(entry, inherited));
    this.#port.write({
      ...putOf(entry),
      meta: meta ?? entry.meta,
      supersedes: [...supersedes, ...added],
      settled,
      ended,
    });
  }

  /** The verdict keeps none: the entry becomes what supersedes all of them. */
  free(entry: NameEntry, losers: readonly NameEntry[], notify: boolean, settled: SettledClash): void {
    const how: SupersededHow = notify ? "clashFreed" : "clashDropped";
    const added = losers.map(({ owner, id }) => ({ owner, id, how }));
    const inherited = losers.flatMap((loser) => loser.supersedes);
    const { supersedes, ended } = superseding(this.#port, entry.name, inheriting(entry, inherited));
    this.#keepResolver(entry.name, 0);
    const reason: NameEnd = {
      kind: "ended",
      reason: { kind: "nameClash", name: entry.name, winner: undefined },
    };
    this.#bury(entry, { supersedes: [...supersedes, ...added], ended, reason, settled });
    if (notify)
      this.#port.notify(pidOf(entry), { kind: "nameClash", name: entry.name, scope: this.#port.scope });
  }

  #run(task: Task): void {
    const { command } = task;
    switch (command.kind) {
      case "register":
        this.#register(task, command);
        return;
      case "update":
        this.#update(task, command);
        return;
      case "transfer":
        this.#transfer(task, command);
        return;
      case "adopt":
        this.#claim(task, command.name, command.pid, true, command.from);
        return;
      case "unregister": {
        const entry = this.entry(command.name);
        const mine = entry !== undefined && (command.pid === undefined || pidOf(entry) === command.pid);
        if (mine) this.#release(entry, { kind: "released" });
        this.#finish(task, { kind: "flag", value: mine, position: this.#port.positionOf(this.#port.self) });
      }
    }
  }

  #register(task: Task, command: Extract<Command, { kind: "register" }>): void {
    const entry = this.entry(command.name);
    if (!this.#port.isAlive(command.pid)) {
      this.#finish(task, { kind: "noSuchProcess" });
    } else if (entry !== undefined && entry.serial === serialOfPid(command.pid)) {
      if (task.resolver !== 0) this.#keepResolver(command.name, task.resolver);
      this.#reasked.set(command.name, (this.#reasked.get(command.name) ?? 0) + 1);
      this.#finish(
        task,
        { kind: "registered", id: entry.id, position: this.#rewrite(entry, command.meta) },
        true,
      );
    } else if (entry !== undefined && !command.takeover) {
      this.#finish(task, { kind: "taken", holder: pidOf(entry) });
    } else if (this.#isFullFor(command.name)) {
      this.#finish(task, { kind: "limit", limit: "namesPerNode", allowed: this.#port.namesPerNode });
    } else {
      this.#claim(task, command.name, command.pid, command.takeover, undefined);
    }
  }

  #update(task: Task, command: Extract<Command, { kind: "update" }>): void {
    const entry = this.entry(command.name);
    if (entry === undefined) {
      this.#finish(task, { kind: "noSuchName" });
    } else if (entry.id !== command.id || entry.sequence !== command.sequence) {
      this.#finish(task, { kind: "conflict", position: this.#port.positionOf(this.#port.self) });
    } else {
      this.#finish(task, { kind: "registered", id: entry.id, position: this.#rewrite(entry, command.meta) });
    }
  }

  #transfer(task: Task, command: Extract<Command, { kind: "transfer" }>): void {
    const entry = this.entry(command.name);
    const node = nodeOfPid(command.to);
    if (entry === undefined) {
      this.#finish(task, { kind: "noSuchName" });
    } else if (pidOf(entry) === command.to) {
      this.#finish(task, { kind: "registered", id: entry.id, position: entry.sequence });
    } else if (node === this.#port.self) {
      this.#claim(task, command.name, command.to, true, entry);
    } else if (!this.#port.isUp(node)) {
      this.#finish(task, { kind: "nodeDown", node, leaving: undefined });
    } else {
      task.cancel = this.#port.adopt(command.to, entry, (outcome) => {
        const moved = outcome.kind === "registered";
        this.#finish(
          task,
          moved ? { kind: "elsewhere", owner: node, id: outcome.id, position: outcome.position } : outcome,
        );
      });
    }
  }

  #claim(task: Task, name: string, pid: Pid, takeover: boolean, expect: EntryRef | undefined): void {
    if (!this.#port.isAlive(pid)) {
      this.#finish(task, { kind: "noSuchProcess" });
      return;
    }
    const expected = expect === undefined ? undefined : { owner: expect.owner, id: expect.id };
    task.claim = this.#port.claims.begin(task, name, takeover, expected, this.#port.nowMs());
  }

  /**
   * Writes a new registration, which supersedes what was to be taken over, as the arbiters see it and as this node does, and
   * what that superseded. Without a takeover nothing that still shows here is: it is on its way out, or else it is a clash for
   * a resolver.
   */
  #begin(
    name: string,
    pid: Pid,
    meta: Value,
    claim: number,
    superseded: readonly Superseded[],
    former: NameEntry | undefined,
  ): number {
    const { self } = this.#port;
    const kept = former === undefined ? this.#tombstoneOf(name) : former.supersedes;
    const over = superseded.length === 0 ? kept : unitedWith(kept, superseded, self);
    this.#tombstones.delete(name);
    const { supersedes, ended } = superseding(this.#port, name, over);
    const id = this.#port.write({
      kind: "namePut",
      name,
      id: 0,
      serial: serialOfPid(pid),
      meta,
      stamp: this.#port.nextStamp(),
      claim,
      supersedes,
      reason: undefined,
      settled: undefined,
      successor: undefined,
      ended,
      was: 0,
    });
    if (former !== undefined) {
      this.#port.notify(pidOf(former), { kind: "nameTakenOver", name, scope: this.#port.scope, by: pid });
    }
    return id;
  }

  /** Whether one more entry would be one too many. A name that has an entry here, live or over, takes no further one. */
  #isFullFor(name: string): boolean {
    const { self, table, namesPerNode } = this.#port;
    return table.entryOf(self, name) === undefined && this.#port.namesHere() >= namesPerNode;
  }

  #tombstoneOf(name: string): readonly Superseded[] {
    return this.#tombstones.has(name)
      ? (this.#port.table.entryOf(this.#port.self, name)?.supersedes ?? [])
      : [];
  }

  /** Other metadata, same registration. Equal metadata is no write at all. */
  #rewrite(entry: NameEntry, meta: Value): number {
    if (entry.meta.equals(meta)) return entry.sequence;
    return this.#port.write({
      ...putOf(entry),
      meta,
      ...superseding(this.#port, entry.name, entry.supersedes),
    });
  }

  #release(entry: NameEntry, reason: NameEnd): void {
    this.#keepResolver(entry.name, 0);
    this.#end(entry, reason);
  }

  /** Takes the entry away, but for what it still supersedes. */
  #end(entry: NameEntry, reason: NameEnd, successor?: Successor): void {
    const { name } = entry;
    const { supersedes, ended } = superseding(this.#port, name, entry.supersedes);
    if (supersedes.length > 0) this.#bury(entry, { supersedes, ended, reason, successor });
    else this.#port.write({ kind: "nameDrop", name, reason, successor, ended });
  }

  /**
   * 1. n1 holds a name as r; n2 takes it over as x, which supersedes r. 2. n2 releases x. 3. n3 reads of x and its end,
   * and only then of r. Without a trace of x that still supersedes r, n3 would bring r back to life.
   */
  #bury(
    entry: NameEntry,
    left: Pick<NamePut, "supersedes" | "ended" | "reason"> & Partial<Pick<NamePut, "settled" | "successor">>,
  ): void {
    this.#tombstones.add(entry.name);
    this.#port.write({
      ...putOf(entry),
      serial: 0,
      was: entry.serial || entry.was,
      meta: Value.undefined,
      ...left,
    });
  }

  #sweep(name: string): void {
    const entry = this.#port.table.entryOf(this.#port.self, name);
    if (entry === undefined || entry.serial !== 0) {
      this.#tombstones.delete(name);
    } else if (superseding(this.#port, name, entry.supersedes).supersedes.length === 0) {
      this.#tombstones.delete(name);
      this.#end(entry, { kind: "released" });
    }
  }

  #yieldTo(entry: NameEntry, by: NameEntry, how: SupersededHow): void {
    const { name } = entry;
    const { scope } = this.#port;
    const pid = pidOf(entry);
    const winner = by.serial === 0 ? undefined : pidOf(by);
    const clash: ExitReason = { kind: "nameClash", name, winner };
    const reason: NameEnd =
      how === "takenOver"
        ? winner === undefined
          ? { kind: "released" }
          : { kind: "takenOver", by: winner }
        : { kind: "ended", reason: clash };
    this.#keepResolver(name, 0);
    this.#end(entry, reason, by.serial === 0 ? undefined : toSuccessor(by));
    if (how === "clashExit") this.#port.exit(pid, clash);
    else if (how === "clashNotify" || how === "clashFreed") {
      this.#port.notify(
        pid,
        winner === undefined
          ? { kind: "nameClash", name, scope }
          : { kind: "nameClash", name, scope, winner },
      );
    } else if (how === "takenOver") {
      // Whoever took it may have released it before word of that came here.
      const taker = winner ?? (by.was === 0 ? undefined : makePid(by.owner, by.was));
      if (taker !== undefined && taker !== pid)
        this.#port.notify(pid, { kind: "nameTakenOver", name, scope, by: taker });
    }
  }

  #finish(task: Task, outcome: Outcome, resolverKept = false): void {
    if (!resolverKept) this.#forget(task.resolver);
    task.claim = undefined;
    task.cancel = undefined;
    task.done(outcome);
    this.#next(task);
  }

  #giveUp(task: Task): void {
    if (task.claim !== undefined) this.#port.claims.withdraw(task.claim, this.#port.nowMs());
    task.cancel?.();
  }

  #next(task: Task): void {
    const { name } = task.command;
    const queue = this.#queues.get(name);
    if (queue?.tasks[0] !== task) return;
    queue.tasks.shift();
    // Behind a task that ended at once, the loop that began it goes on: a long queue must not become a deep stack.
    if (!queue.pumped) this.#pump(name, queue);
  }

  #pump(name: string, queue: TaskQueue): void {
    queue.pumped = true;
    for (let task = queue.tasks[0]; task?.begun === false; task = queue.tasks[0]) {
      task.begun = true;
      this.#run(task);
    }
    queue.pumped = false;
    if (queue.tasks.length === 0) this.#queues.delete(name);
  }

  #keepResolver(name: string, resolver: number): void {
    if (resolver === 0 && this.#reasked.size > 0) this.#reasked.delete(name);
    const former = this.#resolvers.get(name) ?? 0;
    if (former === resolver) return;
    this.#forget(former);
    if (resolver === 0) this.#resolvers.delete(name);
    else this.#resolvers.set(name, resolver);
  }

  #forget(resolver: number): void {
    if (resolver !== 0) this.#port.forgetResolver(resolver);
  }
}
