import type { Pid } from "../../src/kernel/ids.ts";
import { fraction, type Random } from "../../src/kernel/random.ts";
import { MachineCluster, type MachineNode } from "../support/machine-cluster.ts";

const RACERS = ["a", "b", "c", "d", "e"];
/** Each goes through its rounds beside the others: their frames and claims interleave. */
const NAMES = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"];
/** Nodes that come and go at any one time. */
const VISITORS = 2;
const MOST_HANDOVERS = 2;
const ANSWER_WITHIN_MS = 60_000;

/** What must not have happened, and what must have, for the rest to mean anything. */
export interface RaceReport {
  readonly rounds: number;
  readonly transfers: number;
  readonly takeovers: number;
  readonly visits: number;
  /** Rounds that were not won by exactly one, and commands that did not do what they had to. */
  readonly faults: readonly string[];
  /** Moments in which a reader found nobody under a name that somebody held. */
  readonly gaps: readonly string[];
  /** Moments in which a reader found a registration that it had seen put aside before. */
  readonly ghosts: readonly string[];
  readonly clashes: number;
  readonly exits: number;
  /** Nodes that somebody took for dead. */
  readonly downs: readonly string[];
}

interface Asked {
  readonly node: MachineNode;
  readonly request: number;
}

/** What one reader saw: the registration under each name now, and the place of the latest that it saw so far. */
interface Seen {
  readonly now: Map<string, string>;
  readonly latest: Map<string, number>;
}

/** A registration that holds a name now. */
interface Held {
  readonly pid: Pid;
  readonly revision: string;
  readonly node: MachineNode;
}

/**
 * Five nodes race for names, over and over, while others join and leave in good order. Between two races for a name it is
 * handed on by transfers and takeovers, and released; the next race begins as soon as the releaser has its answer, so most
 * nodes still see the old holder then. Readers look at every name after every step of every node.
 */
export class RaceArena {
  readonly cluster: MachineCluster;
  readonly #mostDelayMs: number;
  readonly #racers: readonly MachineNode[];
  readonly #pids: ReadonlyMap<MachineNode, readonly Pid[]>;
  readonly #random: Random;
  readonly #visitors: { node: MachineNode; leaving: number | undefined }[] = [];
  /** How each registration ended, by revision: the revision that took its place, or "released". */
  readonly #ends = new Map<string, string>();
  readonly #faults: string[] = [];
  readonly #gaps: string[] = [];
  readonly #ghosts: string[] = [];
  readonly #places = new Map<string, number>();
  readonly #watched: MachineNode[] = [];
  #rounds = 0;
  #transfers = 0;
  #takeovers = 0;
  #visits = 0;

  constructor(seed: string, mostDelayMs: number) {
    this.#mostDelayMs = mostDelayMs;
    // Time for a newcomer to hear of everybody: else it begins alone, and meets the others as sides of a partition do.
    const times = { discoveryMs: 5 * mostDelayMs };
    this.cluster = new MachineCluster({ seed, delayMs: [0.1, mostDelayMs], turnMs: [0, 3], times });
    this.#random = this.cluster.random.fork("race");
    this.#racers = this.cluster.startMany(RACERS);
    this.#pids = new Map(this.#racers.map((node) => [node, [node.spawn(), node.spawn()]]));
    for (const node of this.#racers) this.#watch(node);
    this.#comeAndGo();
  }

  run(rounds: number): RaceReport {
    const lanes = NAMES.map((name) => ({ lane: this.#lane(name), isDue: (): boolean => true, sinceMs: 0 }));
    while (this.#rounds < rounds) {
      for (const each of lanes) {
        if (!each.isDue()) continue;
        each.isDue = each.lane.next().value;
        each.sinceMs = this.#nowMs;
      }
      this.cluster.clock.runNext();
      const stuck = lanes.findIndex(({ sinceMs }) => this.#nowMs - sinceMs > ANSWER_WITHIN_MS);
      if (stuck >= 0) throw new Error(`${NAMES[stuck]} is stuck since ${lanes[stuck]?.sinceMs} ms`);
    }
    return {
      rounds: this.#rounds,
      transfers: this.#transfers,
      takeovers: this.#takeovers,
      visits: this.#visits,
      faults: this.#faults,
      gaps: this.#gaps,
      ghosts: this.#ghosts,
      clashes: this.cluster.clashes.length,
      exits: this.#watched.reduce((sum, node) => sum + node.exits.length, 0),
      downs: this.#watched.flatMap((node) => node.nodeEvents.flatMap((event) => deathIn(event))),
    };
  }

  get #nowMs(): number {
    return this.cluster.clock.now().monotonicMs;
  }

  /** One name's rounds, one after the other. Yields what it waits for; the lanes do not wait for each other. */
  *#lane(name: string): Generator<() => boolean, never> {
    for (;;) {
      let held = yield* this.#race(name);
      const handovers = Math.floor(this.#draw() * (MOST_HANDOVERS + 1));
      for (let count = 0; count < handovers && held !== undefined; count += 1)
        held = yield* this.#handOn(name, held);
      if (held !== undefined) yield* this.#release(name, held);
    }
  }

  /** Everyone registers it, at about the same time. */
  *#race(name: string): Generator<() => boolean, Held | undefined> {
    const asked: Asked[] = [];
    for (const node of this.#racers) {
      this.cluster.clock.after(this.#draw() * this.#mostDelayMs, () => {
        asked.push({ node, request: node.register(name, this.#pick(this.#pids.get(node) ?? [])) });
      });
    }
    yield () => asked.length === this.#racers.length && asked.every(isAnswered);
    this.#rounds += 1;
    const answers = asked.map(takeAnswer);
    const won = answers.filter((answer) => answer.kind === "registration");
    const lost = answers.filter((answer) => answer.kind === "error" && answer.error.code === "NAME_TAKEN");
    if (won.length !== 1 || lost.length !== this.#racers.length - 1) {
      this.#faults.push(`${name}: ${won.length} won and ${lost.length} lost, in round ${this.#rounds}`);
    }
    return won[0] === undefined ? undefined : this.#heldAs(won[0].registration);
  }

  *#handOn(name: string, from: Held): Generator<() => boolean, Held | undefined> {
    const to = this.#pick([...this.#pids.values()].flat().filter((pid) => pid !== from.pid));
    const byTransfer = this.#draw() < 0.6;
    if (byTransfer) this.#transfers += 1;
    else this.#takeovers += 1;
    const node = this.#callerWhoSees(name, from);
    const asked = {
      node,
      request: byTransfer ? node.transfer(name, to) : node.register(name, to, { takeover: true }),
    };
    yield () => isAnswered(asked);
    const answer = takeAnswer(asked);
    if (answer.kind !== "registration" || answer.registration.pid !== to) {
      this.#faults.push(`${name}: was not handed to ${to}: ${JSON.stringify(answer)}`);
      return undefined;
    }
    this.#ends.set(from.revision, answer.registration.revision);
    return this.#heldAs(answer.registration);
  }

  *#release(name: string, held: Held): Generator<() => boolean, void> {
    this.#ends.set(held.revision, "released");
    const node = this.#callerWhoSees(name, held);
    const asked = { node, request: node.unregister(name) };
    yield () => isAnswered(asked);
    const answer = takeAnswer(asked);
    if (answer.kind !== "flag" || !answer.value) this.#faults.push(`${name}: was not released`);
  }

  /** Now and then a node is started, begins to leave, or says goodbye; some stay longer than others. */
  #comeAndGo(): void {
    this.cluster.clock.after(5 + this.#draw() * 12 * this.#mostDelayMs, () => {
      const visitor = this.#visitors[Math.floor(this.#draw() * VISITORS)];
      if (visitor === undefined) {
        if (this.#visitors.length < VISITORS) this.#welcome();
      } else if (visitor.leaving === undefined) {
        if (visitor.node.ready)
          visitor.leaving = visitor.node.request((request) => ({ kind: "retire", request }));
      } else if (visitor.node.answers.has(visitor.leaving)) {
        visitor.node.leave();
        this.#visitors.splice(this.#visitors.indexOf(visitor), 1);
        this.#visits += 1;
      }
      this.#comeAndGo();
    });
  }

  #welcome(): void {
    const node = this.cluster.start(`visitor-${this.#watched.length}`);
    this.#visitors.push({ node, leaving: undefined });
    this.#watch(node);
  }

  #watch(node: MachineNode): void {
    this.#watched.push(node);
    const seen: Seen = { now: new Map(), latest: new Map() };
    node.afterStep = () => {
      if (node.ready && !node.dead) this.#look(node, seen);
    };
  }

  #look(node: MachineNode, seen: Seen): void {
    const names = node.machine.names("default");
    for (const name of NAMES) {
      const revision = names?.whereis(name)?.revision;
      const before = seen.now.get(name);
      if (revision === before) continue;
      if (revision === undefined) seen.now.delete(name);
      else seen.now.set(name, revision);
      const latest = Math.max(seen.latest.get(name) ?? 0, this.#placeOf(before));
      seen.latest.set(name, latest);
      if (revision === undefined && before !== undefined && !this.#wasReleased(before)) {
        this.#gaps.push(`${node.id} sees nobody as ${name} after ${before}, at ${this.#nowMs} ms`);
      } else if (revision !== undefined && this.#placeOf(revision, latest) < latest) {
        this.#ghosts.push(`${node.id} sees ${revision} as ${name} again, at ${this.#nowMs} ms`);
      }
    }
  }

  /** The place of a registration among all, by when it was answered; 0, or as given, when it has not been yet. */
  #placeOf(revision: string | undefined, otherwise = 0): number {
    return (revision === undefined ? undefined : this.#places.get(revision)) ?? otherwise;
  }

  /** Whether this registration, or one that it was handed on to, was released. */
  #wasReleased(revision: string): boolean {
    let end = this.#ends.get(revision);
    while (end !== undefined && end !== "released") end = this.#ends.get(end);
    return end === "released";
  }

  #callerWhoSees(name: string, held: Held): MachineNode {
    const seeing = this.#racers.filter((node) => node.holder(name) === held.pid);
    return seeing.length === 0 ? held.node : this.#pick(seeing);
  }

  #heldAs(registration: { readonly pid: Pid; readonly revision: string; readonly node: string }): Held {
    const node = this.#racers.find(({ id }) => id === registration.node);
    if (node === undefined) throw new Error(`${registration.node} does not race`);
    this.#places.set(registration.revision, this.#places.size + 1);
    return { pid: registration.pid, revision: registration.revision, node };
  }

  #draw(): number {
    return fraction(this.#random);
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#draw() * list.length)] as T;
  }
}

function isAnswered({ node, request }: Asked): boolean {
  return node.answers.has(request);
}

function takeAnswer({ node, request }: Asked) {
  const answer = node.answers.get(request);
  if (answer === undefined) throw new Error("awaited, then not there");
  node.answers.delete(request);
  return answer;
}

function deathIn(event: MachineNode["nodeEvents"][number]): string[] {
  if (event.kind !== "down" || (event.reason.kind === "nodeDown" && event.reason.cause === "left")) return [];
  return [`${event.node.id}: ${JSON.stringify(event.reason)}`];
}
