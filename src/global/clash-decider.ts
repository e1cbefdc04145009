import { compareText, type NodeId, type Pid } from "../kernel/ids.ts";
import type { Value } from "../kernel/value.ts";
import type { Clash } from "../resolve/types.ts";
import { PROMISE_MS, RETRY_MS } from "./limits.ts";
import type { ClashMessage } from "./messages.ts";
import { byAge, type EntryRef, type NameEntry, pidOf, sameRegistration, toContender } from "./name-entry.ts";
import type { SettledClash } from "./name-ops.ts";
import type { NameTable } from "./name-table.ts";
import type { Owner } from "./owner.ts";

/** What the user's resolver came to. The shell has checked the form; that the winner is a contender is checked here. */
export type ResolverOutcome =
  | {
      readonly kind: "keep";
      readonly winner: Pid;
      /** Absent: the winner's metadata stays. */
      readonly meta: Value | undefined;
      readonly losers: "exit" | "notify";
    }
  | { readonly kind: "none"; readonly notify: boolean }
  /** It threw, or gave junk. One that takes too long is judged here. */
  | { readonly kind: "failed" };

export interface DeciderPort {
  readonly self: NodeId;
  readonly scope: string;
  readonly table: NameTable;
  readonly resolverMs: number;
  positionOf(owner: NodeId): number;
  isUp(node: NodeId): boolean;
  deliver(to: NodeId, message: ClashMessage): void;
  resolve(clash: string, resolver: number, details: Clash): void;
  /** The resolver that a name of this node was registered with, else the scope's. */
  resolverOf(name: string): number;
  counted(what: "clashes" | "resolverRuns" | "resolverFailures" | "resolverTimeouts" | "pins"): void;
}

interface Decision {
  readonly clash: string;
  readonly name: string;
  /** In the order of their pids, which is the order of asking: deciders that compete do not wait for each other in a circle. */
  contenders: readonly NameEntry[];
  phase: "promising" | "resolving" | "pinning" | "waiting";
  /** How many have promised. */
  promised: number;
  /** What those who promised have read: the resolver runs when this has been read here too. */
  readonly known: LogPosition[];
  sinceMs: number;
  askedAtMs: number;
  verdict: Verdict | undefined;
  /** While waiting: when to begin again. */
  againAtMs: number;
}

interface LogPosition {
  readonly owner: NodeId;
  readonly sequence: number;
}

interface Announced {
  readonly clash: string;
  readonly losers: readonly EntryRef[];
  /** Whose log tells of the verdict, and from where on. */
  readonly winner: NodeId;
  readonly position: number;
}

interface Verdict {
  readonly winner: NameEntry;
  readonly meta: Value | undefined;
  readonly losers: "exit" | "notify";
}

/**
 * Settles the clashes of which this node owns the oldest contender: collects a promise from every contender's owner, runs
 * the resolver on what they promised, and pins the winner at its owner. The losers learn it from what the winner then
 * supersedes, through the log: nobody is ended before the winner stands.
 */
export class ClashDecider {
  readonly #port: DeciderPort;
  readonly #owner: Owner;
  /** By name. */
  readonly #decisions = new Map<string, Decision>();
  /** Those that wait for the resolver, by clash. */
  readonly #resolving = new Map<string, Decision>();
  /** Settled, but not every loser's owner has read of it: until then its promise counts. */
  readonly #announced = new Map<string, readonly Announced[]>();
  #last = 0;

  constructor(port: DeciderPort, owner: Owner) {
    this.#port = port;
    this.#owner = owner;
  }

  get size(): number {
    return this.#decisions.size;
  }

  /** Called when anything about the name changed. */
  nameTouched(name: string, nowMs: number): void {
    const decision = this.#decisions.get(name);
    const visible = this.#port.table.visible(name);
    const [oldest] = visible;
    const ours = visible.length > 1 && oldest?.owner === this.#port.self;
    this.#sweepName(name);
    if (decision === undefined) {
      if (ours) this.#begin(name, visible, nowMs);
      return;
    }
    if (!ours && decision.phase === "pinning" && this.#isPinned(decision)) {
      this.#announce(decision, 0, nowMs);
      return;
    }
    if (!ours && decision.phase !== "resolving") {
      this.#end(decision);
      return;
    }
    switch (decision.phase) {
      case "promising":
      case "waiting":
        if (!sameSet(decision.contenders, visible)) this.#restart(decision, visible, nowMs);
        else if (decision.promised === decision.contenders.length) this.#runResolver(decision, nowMs);
        return;
      case "pinning":
        // The winner died, or went elsewhere, before it was pinned: the rest is a clash still.
        if (
          !visible.some(
            (entry) => decision.verdict !== undefined && sameRegistration(entry, decision.verdict.winner),
          )
        ) {
          this.#restart(decision, visible, nowMs);
        }
        return;
      case "resolving":
        // What came or went meanwhile is judged when the resolver has spoken.
        return;
    }
  }

  /** Nodes went: some losers may be gone for good. What else ends them touches their names. */
  sweep(): void {
    for (const name of this.#announced.keys()) this.#sweepName(name);
  }

  message(from: NodeId, message: ClashMessage, nowMs: number): void {
    if (message.kind === "promiseCheck") {
      this.#sweepName(message.name);
      const open =
        this.#announced.get(message.name)?.some(({ clash }) => clash === message.clash) === true ||
        this.#decisions.get(message.name)?.clash === message.clash;
      if (!open) this.#letGo(from, message.clash, message.name);
      return;
    }
    const decision = this.#decisions.get(message.name);
    if (decision === undefined || decision.clash !== message.clash) {
      if (message.kind === "promised" && message.status.kind === "promised")
        this.#letGo(from, message.clash, message.name);
      return;
    }
    if (message.kind === "promised") this.#onPromised(decision, from, message, nowMs);
    else if (message.kind === "pinned") this.#onPinned(decision, message, nowMs);
  }

  resolved(clash: string, outcome: ResolverOutcome, nowMs: number): void {
    const decision = this.#resolving.get(clash);
    if (decision !== undefined) this.#judge(decision, outcome, nowMs);
  }

  tick(nowMs: number): void {
    if (this.#decisions.size === 0) return;
    for (const decision of [...this.#decisions.values()]) {
      switch (decision.phase) {
        case "waiting":
          if (nowMs >= decision.againAtMs)
            this.#restart(decision, this.#port.table.visible(decision.name), nowMs);
          break;
        case "promising":
          if (nowMs - decision.sinceMs >= PROMISE_MS) this.#wait(decision, nowMs);
          else if (nowMs - decision.askedAtMs >= RETRY_MS) this.#askNext(decision, nowMs);
          break;
        case "resolving":
          if (nowMs - decision.sinceMs < this.#port.resolverMs) break;
          this.#port.counted("resolverTimeouts");
          this.#judge(decision, { kind: "failed" }, nowMs);
          break;
        case "pinning":
          if (nowMs - decision.askedAtMs >= RETRY_MS) this.#sendPin(decision, nowMs);
          break;
      }
    }
  }

  #begin(name: string, visible: readonly NameEntry[], nowMs: number): void {
    this.#last += 1;
    const decision: Decision = {
      clash: `${this.#port.self}:${this.#last}`,
      name,
      contenders: [...visible].sort((left, right) => compareText(pidOf(left), pidOf(right))),
      phase: "promising",
      promised: 0,
      known: [],
      sinceMs: nowMs,
      askedAtMs: nowMs,
      verdict: undefined,
      againAtMs: 0,
    };
    this.#decisions.set(name, decision);
    this.#askNext(decision, nowMs);
  }

  #restart(decision: Decision, visible: readonly NameEntry[], nowMs: number): void {
    this.#end(decision);
    if (visible.length > 1 && visible[0]?.owner === this.#port.self)
      this.#begin(decision.name, visible, nowMs);
  }

  #end(decision: Decision): void {
    this.#decisions.delete(decision.name);
    for (const entry of decision.contenders) this.#letGo(entry.owner, decision.clash, decision.name);
  }

  #letGo(owner: NodeId, clash: string, name: string): void {
    this.#port.deliver(owner, { kind: "unpromise", scope: this.#port.scope, clash, name });
  }

  #wait(decision: Decision, nowMs: number): void {
    for (const entry of decision.contenders) this.#letGo(entry.owner, decision.clash, decision.name);
    decision.phase = "waiting";
    decision.promised = 0;
    decision.againAtMs = nowMs + RETRY_MS;
  }

  #askNext(decision: Decision, nowMs: number): void {
    const next = decision.contenders[decision.promised];
    if (next === undefined) {
      this.#runResolver(decision, nowMs);
      return;
    }
    decision.askedAtMs = nowMs;
    const { clash, name } = decision;
    this.#port.deliver(next.owner, { kind: "promise", scope: this.#port.scope, clash, name, id: next.id });
  }

  #onPromised(
    decision: Decision,
    from: NodeId,
    message: Extract<ClashMessage, { kind: "promised" }>,
    nowMs: number,
  ): void {
    const asked = decision.contenders[decision.promised];
    if (decision.phase !== "promising" || asked?.owner !== from || asked.id !== message.id) return;
    if (message.status.kind === "gone") {
      // Its end is on the way here; a real clash is still one without it.
      this.#wait(decision, nowMs);
      return;
    }
    if (message.status.kind === "busy") {
      this.#wait(decision, nowMs);
      return;
    }
    // What the owner knows and we do not yet must have its say. Its promise is kept meanwhile: asked again, it may always be ahead.
    decision.known.push({ owner: from, sequence: message.position }, ...message.known);
    decision.promised += 1;
    this.#askNext(decision, nowMs);
  }

  /**
   * 1. n0 holds a name, and its bus goes. 2. n2 takes it over; n3 takes it over from n2. 3. n0 comes back, and decides between
   * itself and n3. Did it not read first what n3 knows of n2, it could end n3 for a registration that is over.
   */
  #isUnheard({ owner, sequence }: LogPosition): boolean {
    return this.#port.isUp(owner) && this.#port.positionOf(owner) < sequence;
  }

  #runResolver(decision: Decision, nowMs: number): void {
    if (decision.known.some((position) => this.#isUnheard(position))) return;
    const { table, scope } = this.#port;
    const visible = table.visible(decision.name);
    if (!sameSet(decision.contenders, visible)) {
      this.#restart(decision, visible, nowMs);
      return;
    }
    decision.contenders = [...visible].sort((left, right) => compareText(pidOf(left), pidOf(right)));
    decision.phase = "resolving";
    this.#resolving.set(decision.clash, decision);
    decision.sinceMs = nowMs;
    this.#port.counted("clashes");
    this.#port.counted("resolverRuns");
    const contenders = [...visible].sort(byAge).map(toContender);
    this.#port.resolve(decision.clash, this.#port.resolverOf(decision.name), {
      name: decision.name,
      scope,
      contenders,
    });
  }

  #judge(decision: Decision, outcome: ResolverOutcome, nowMs: number): void {
    const { name } = decision;
    this.#resolving.delete(decision.clash);
    const winner =
      outcome.kind === "keep"
        ? decision.contenders.find((entry) => pidOf(entry) === outcome.winner)
        : undefined;
    if (outcome.kind === "none") {
      this.#free(decision, outcome.notify, nowMs);
      return;
    }
    if (winner === undefined) this.#port.counted("resolverFailures");
    const [oldest] = [...decision.contenders].sort(byAge);
    const kept = winner ?? oldest;
    if (kept === undefined) return;
    decision.verdict =
      outcome.kind === "keep" && winner !== undefined
        ? { winner: kept, meta: outcome.meta, losers: outcome.losers }
        : { winner: kept, meta: undefined, losers: "exit" };
    decision.phase = "pinning";
    if (this.#port.table.visible(name).some((entry) => sameRegistration(entry, kept)))
      this.#sendPin(decision, nowMs);
    else this.#restart(decision, this.#port.table.visible(name), nowMs);
  }

  #free(decision: Decision, notify: boolean, nowMs: number): void {
    const { name } = decision;
    const entry = this.#owner.entry(name);
    const own = decision.contenders.find((contender) => contender.owner === this.#port.self);
    if (entry === undefined || own?.id !== entry.id) {
      this.#restart(decision, this.#port.table.visible(name), nowMs);
      return;
    }
    this.#decisions.delete(name);
    const losers = decision.contenders.filter((contender) => contender !== own);
    this.#port.counted("pins");
    this.#owner.free(entry, losers, notify, this.#settled(decision, undefined));
  }

  #sendPin(decision: Decision, nowMs: number): void {
    const verdict = decision.verdict;
    if (verdict === undefined) return;
    decision.askedAtMs = nowMs;
    const { clash, name } = decision;
    const losers = decision.contenders.filter((entry) => entry !== verdict.winner);
    const inherited = losers.flatMap((loser) => loser.supersedes);
    this.#port.deliver(verdict.winner.owner, {
      kind: "pin",
      scope: this.#port.scope,
      clash,
      name,
      id: verdict.winner.id,
      losers: losers.map(({ owner, id }) => ({ owner, id })),
      how: { kind: verdict.losers },
      meta: verdict.meta,
      contenders: this.#settled(decision, verdict).contenders,
      inherited: inherited.length === 0 ? undefined : inherited,
    });
  }

  #onPinned(
    decision: Decision,
    { done, position }: Extract<ClashMessage, { kind: "pinned" }>,
    nowMs: number,
  ): void {
    if (decision.phase !== "pinning") return;
    if (done) this.#announce(decision, position, nowMs);
    else this.#wait(decision, nowMs);
  }

  /**
   * The losers' promises hold until their owners read of it: nobody else may decide about them meanwhile. Whoever turned up
   * while this was decided now stands against the winner.
   *
   * @param position from here on the log of the winner's owner tells of the verdict
   */
  #announce(decision: Decision, position: number, nowMs: number): void {
    this.#decisions.delete(decision.name);
    const winner = decision.verdict?.winner;
    const losers = decision.contenders.filter((entry) => entry !== winner);
    const before = this.#announced.get(decision.name) ?? [];
    if (winner !== undefined) {
      const announced = { clash: decision.clash, losers, winner: winner.owner, position };
      this.#announced.set(decision.name, [...before, announced]);
    }
    this.#port.counted("pins");
    this.nameTouched(decision.name, nowMs);
  }

  #sweepName(name: string): void {
    const announced = this.#announced.get(name);
    if (announced === undefined) return;
    const open = announced.filter(({ losers, winner, position }) => {
      const isYetToCome = this.#port.isUp(winner) && this.#port.positionOf(winner) < position;
      return losers.some((loser) => this.#awaits(loser, name, isYetToCome));
    });
    if (open.length > 0) this.#announced.set(name, open);
    else this.#announced.delete(name);
  }

  /**
   * Whether a loser's owner has yet to read of the verdict. Not when nothing here says any more that it lost:
   *
   * 1. n1 is the winner, n0 the loser, and n0 cannot hear n1. 2. n1 writes the name anew, and supersedes nothing of n0, which is
   * down for it; or is gone itself. 3. They meet. Unless n0's promise is void by now, that clash is never decided.
   */
  #awaits(loser: EntryRef, name: string, isYetToCome: boolean): boolean {
    const { table } = this.#port;
    return (
      this.#port.isUp(loser.owner) &&
      table.isOpen(loser, name) &&
      (isYetToCome || table.superseder(loser, name) !== undefined)
    );
  }

  #isPinned(decision: Decision): boolean {
    const winner = decision.verdict?.winner;
    if (winner === undefined) return false;
    const entry = this.#port.table.entryOf(winner.owner, decision.name);
    const losers = decision.contenders.filter((contender) => contender !== winner);
    return (
      entry?.id === winner.id &&
      losers.every((loser) => entry.supersedes.some((superseded) => sameRegistration(superseded, loser)))
    );
  }

  #settled(decision: Decision, verdict: Verdict | undefined): SettledClash {
    const contenders = [...decision.contenders].sort(byAge).map((entry) => ({
      pid: pidOf(entry),
      meta: entry.meta,
      stamp: entry.stamp,
      revision: entry.sequence,
    }));
    return {
      contenders,
      winner: verdict === undefined ? undefined : pidOf(verdict.winner),
      losers: verdict?.losers ?? "none",
    };
  }
}

function sameSet(left: readonly NameEntry[], right: readonly NameEntry[]): boolean {
  return (
    left.length === right.length &&
    left.every((entry) => right.some((other) => sameRegistration(entry, other)))
  );
}
