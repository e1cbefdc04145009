import {
  LimitExceededError,
  NameTakenError,
  NodeDownError,
  NoSuchNameError,
  NoSuchProcessError,
  type RollcallError,
} from "../kernel/errors.ts";
import { type NodeId, nodeOfPid, type Pid } from "../kernel/ids.ts";
import type { Value } from "../kernel/value.ts";
import type { Registration } from "../resolve/types.ts";
import type { Command, Outcome } from "./messages.ts";
import { type NameEntry, pidOf, toRegistration } from "./name-entry.ts";
import type { NameTable } from "./name-table.ts";
import type { Owner } from "./owner.ts";
import type { Requests } from "./requests.ts";

/** What a public method of names comes to. */
export type NameAnswer =
  | { readonly kind: "registration"; readonly registration: Registration }
  | { readonly kind: "flag"; readonly value: boolean }
  | { readonly kind: "conflict"; readonly registration: Registration }
  | { readonly kind: "error"; readonly error: RollcallError };

export interface CommandsPort {
  readonly self: NodeId;
  readonly table: NameTable;
  readonly arbiterTimeoutMs: number;
  nowMs(): number;
  isUp(node: NodeId): boolean;
  positionOf(owner: NodeId): number;
  answer(request: number, answer: NameAnswer): void;
  /** This node asked `owner` to write up to here: `settled` must wait for it. */
  wroteAt(owner: NodeId, position: number): void;
}

/** Asked of an owner, or waiting until this node has applied what the owner wrote: its caller reads its own writes. */
interface Pending {
  readonly command: Command;
  readonly owner: NodeId;
  cancel: () => void;
  outcome: Outcome | undefined;
  outcomeAtMs: number;
  tries: number;
}

/** A name may be handed from owner to owner under a command that follows it: so often it is followed. */
const MAX_TRIES = 16;

/** The commands that callers on this node gave: each goes to the node that owns the process, and is answered once. */
export class Commands {
  readonly #port: CommandsPort;
  readonly #owner: Owner;
  readonly #requests: Requests;
  readonly #pending = new Map<number, Pending>();
  /** Those that have their outcome, and wait for it to show here. */
  readonly #waiting = new Map<number, Pending>();

  constructor(port: CommandsPort, owner: Owner, requests: Requests) {
    this.#port = port;
    this.#owner = owner;
    this.#requests = requests;
  }

  get size(): number {
    return this.#pending.size;
  }

  isBusyBefore(request: number): boolean {
    for (const pending of this.#pending.keys()) {
      if (pending < request) return true;
    }
    return false;
  }

  register(request: number, name: string, pid: Pid, meta: Value, takeover: boolean, resolver: number): void {
    const node = nodeOfPid(pid);
    this.#start(request, node, { kind: "register", name, pid, meta, takeover }, resolver);
  }

  update(request: number, name: string, revision: string, meta: Value): void {
    const holder = this.#port.table.holder(name);
    if (holder === undefined) {
      this.#port.answer(request, { kind: "error", error: new NoSuchNameError(name) });
    } else if (`${holder.owner}:${holder.sequence}` !== revision) {
      this.#port.answer(request, { kind: "conflict", registration: toRegistration(holder) });
    } else {
      this.#start(
        request,
        holder.owner,
        { kind: "update", name, id: holder.id, sequence: holder.sequence, meta },
        0,
      );
    }
  }

  transfer(request: number, name: string, to: Pid): void {
    const holder = this.#port.table.holder(name);
    if (holder === undefined) this.#port.answer(request, { kind: "error", error: new NoSuchNameError(name) });
    else this.#start(request, holder.owner, { kind: "transfer", name, to }, 0);
  }

  unregister(request: number, name: string, pid: Pid | undefined): void {
    const holder = this.#port.table.holder(name);
    if (holder === undefined || (pid !== undefined && pidOf(holder) !== pid)) {
      this.#port.answer(request, { kind: "flag", value: false });
    } else {
      this.#start(request, holder.owner, { kind: "unregister", name, pid }, 0);
    }
  }

  abandon(request: number): void {
    const pending = this.#pending.get(request);
    if (pending === undefined) return;
    this.#pending.delete(request);
    this.#waiting.delete(request);
    pending.cancel();
    const { command, outcome, owner } = pending;
    // It is written, and its caller has waited in vain for an older contender to go: it must not stand for nobody.
    if (owner === this.#port.self && command.kind === "register" && outcome?.kind === "registered")
      this.#owner.giveBack(command.name, outcome.id);
  }

  /** A log went further, a name changed, or a node went: some answers may be due. */
  review(): void {
    if (this.#waiting.size === 0) return;
    for (const [request, pending] of [...this.#waiting]) {
      if (pending.outcome !== undefined) this.#conclude(request, pending, pending.outcome);
    }
  }

  #start(request: number, owner: NodeId, command: Command, resolver: number, tries = 0): void {
    const pending: Pending = { command, owner, cancel: () => {}, outcome: undefined, outcomeAtMs: 0, tries };
    this.#pending.set(request, pending);
    const done = (outcome: Outcome) => {
      if (this.#pending.get(request) !== pending) return;
      pending.outcome = outcome;
      pending.outcomeAtMs = this.#port.nowMs();
      this.#noteWrite(pending, outcome);
      this.#conclude(request, pending, outcome);
    };
    if (owner === this.#port.self) {
      const task = this.#owner.execute(command, resolver, done);
      pending.cancel = () => this.#owner.cancel(task);
    } else if (this.#port.isUp(owner)) {
      pending.cancel = this.#requests.ask(owner, command, this.#port.nowMs(), done);
    } else {
      done({ kind: "nodeDown", node: owner, leaving: undefined });
    }
  }

  #noteWrite(pending: Pending, outcome: Outcome): void {
    if (outcome.kind === "registered") this.#port.wroteAt(pending.owner, outcome.position);
    else if (outcome.kind === "elsewhere") this.#port.wroteAt(outcome.owner, outcome.position);
    else if (outcome.kind === "flag" && outcome.value) this.#port.wroteAt(pending.owner, outcome.position);
  }

  #conclude(request: number, pending: Pending, outcome: Outcome): void {
    this.#waiting.set(request, pending);
    const { command } = pending;
    switch (outcome.kind) {
      case "registered":
        this.#registered(request, pending, pending.owner, outcome.id, outcome.position);
        return;
      case "elsewhere":
        this.#registered(request, pending, outcome.owner, outcome.id, outcome.position);
        return;
      case "flag":
        if (!this.#applied(pending.owner, outcome.position)) return;
        if (!outcome.value && this.#follow(request, pending)) return;
        this.#answer(request, { kind: "flag", value: outcome.value });
        return;
      case "conflict": {
        if (!this.#applied(pending.owner, outcome.position)) return;
        const now = this.#port.table.whereis(command.name);
        this.#answer(
          request,
          now === undefined ? missing(command.name) : { kind: "conflict", registration: now },
        );
        return;
      }
      case "taken": {
        const holder = outcome.holder ?? this.#port.table.whereis(command.name)?.pid;
        this.#answer(
          request,
          holder === undefined
            ? missing(command.name)
            : { kind: "error", error: new NameTakenError(command.name, holder) },
        );
        return;
      }
      case "noSuchName":
        if (!this.#follow(request, pending)) this.#answer(request, missing(command.name));
        return;
      case "noSuchProcess": {
        const pid = command.kind === "transfer" ? command.to : "pid" in command ? command.pid : undefined;
        this.#answer(
          request,
          pid === undefined ? missing(command.name) : { kind: "error", error: new NoSuchProcessError(pid) },
        );
        return;
      }
      case "nodeDown":
        // What a dead node held is free already.
        if (command.kind === "unregister") this.#answer(request, { kind: "flag", value: false });
        else {
          const error = new NodeDownError(outcome.node, outcome.leaving === true ? "leaving" : "down");
          this.#answer(request, { kind: "error", error });
        }
        return;
      case "limit": {
        const what = `${this.#port.self} cannot take the name`;
        this.#answer(request, {
          kind: "error",
          error: new LimitExceededError(outcome.limit, outcome.allowed, what),
        });
        return;
      }
    }
  }

  /** The name has moved to another owner since the command was sent there. */
  #follow(request: number, pending: Pending): boolean {
    const holder = this.#port.table.holder(pending.command.name);
    if (holder === undefined || holder.owner === pending.owner || pending.tries >= MAX_TRIES) return false;
    if (
      pending.command.kind === "register" ||
      pending.command.kind === "adopt" ||
      pending.command.kind === "update"
    )
      return false;
    if (pending.command.kind === "unregister" && pending.command.pid !== undefined) return false;
    this.#waiting.delete(request);
    this.#start(request, holder.owner, pending.command, 0, pending.tries + 1);
    return true;
  }

  /** Answers once the registration shows here, or has been and gone: never before, so that the caller finds what it wrote. */
  #registered(request: number, pending: Pending, owner: NodeId, id: number, position: number): void {
    if (!this.#applied(owner, position)) return;
    const { name } = pending.command;
    const entry = this.#port.table.entryOf(owner, name);
    const stands = entry !== undefined && entry.id === id && entry.serial !== 0;
    const holder = this.#port.table.holder(name);
    if (
      stands &&
      holder !== entry &&
      this.#port.table.superseder(entry, name) === undefined &&
      this.#port.table.visible(name).length > 1
    ) {
      // An older holder shows still: the news of its end is on the way, or this is a clash, which is decided soon.
      return;
    }
    if (stands && this.#isNewsToFormer(pending, entry)) return;
    const command = pending.command;
    const pid =
      command.kind === "transfer"
        ? command.to
        : "pid" in command && command.pid !== undefined
          ? command.pid
          : undefined;
    if (stands) this.#answer(request, { kind: "registration", registration: toRegistration(entry) });
    else if (pid === undefined) this.#answer(request, missing(name));
    else {
      const meta = "meta" in command ? command.meta.get() : undefined;
      this.#answer(request, {
        kind: "registration",
        registration: { name, pid, meta, node: owner, revision: `${owner}:${position}` },
      });
    }
  }

  /**
   * 1. n2 takes the name over from n1, and releases it; n1 has heard of neither. 2. A process of n1 that held it registers it
   * again: n1 believes that it holds it, and agrees. 3. So does whoever is asked by n3, which registers it too.
   * Hence a takeover is answered when the former holder has given way; but nobody is kept waiting by a node that hangs.
   */
  #isNewsToFormer(pending: Pending, entry: NameEntry): boolean {
    const { command, outcomeAtMs } = pending;
    if (command.kind !== "register" || !command.takeover) return false;
    if (this.#port.nowMs() - outcomeAtMs >= this.#port.arbiterTimeoutMs) return false;
    return entry.supersedes.some(
      ({ owner, id }) =>
        owner !== entry.owner &&
        this.#port.isUp(owner) &&
        (this.#port.positionOf(owner) < id || this.#port.table.entryOf(owner, entry.name)?.id === id),
    );
  }

  #applied(owner: NodeId, position: number): boolean {
    return this.#port.positionOf(owner) >= position || !this.#port.isUp(owner);
  }

  #answer(request: number, answer: NameAnswer): void {
    this.#pending.delete(request);
    this.#waiting.delete(request);
    this.#port.answer(request, answer);
  }
}

function missing(name: string): NameAnswer {
  return { kind: "error", error: new NoSuchNameError(name) };
}
