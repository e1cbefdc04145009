import type { Pid } from "../../src/kernel/ids.ts";
import { fraction, type Random } from "../../src/kernel/random.ts";
import { MachineCluster, type MachineNode } from "../support/machine-cluster.ts";

const RACERS = ["a", "b", "c", "d", "e"];
/** Raced for at once: their frames and claims interleave. */
const NAMES = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"];
/** Nodes that come and go at any one time. */
const VISITORS = 2;
const MOST_HANDOVERS = 2;
const START_SPREAD_MS = 3;
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
  readonly clashes: number;
  readonly exits: number;
  /** Nodes that somebody took for dead. */
  readonly downs: readonly string[];
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
  readonly #racers: readonly MachineNode[];
  readonly #pids: ReadonlyMap<MachineNode, readonly Pid[]>;
  readonly #random: Random;
  readonly #visitors: { node: MachineNode; leaving: number | undefined }[] = [];
  /** How each registration ended, by revision: the revision that took its place, or "released". */
  readonly #ends = new Map<string, string>();
  readonly #faults: string[] = [];
  readonly #gaps: string[] = [];
  readonly #watched: MachineNode[] = [];
  #rounds = 0;
  #transfers = 0;
  #takeovers = 0;
  #visits = 0;

  constructor(seed: string) {
    this.cluster = new MachineCluster({ seed, delayMs: [0.1, 4], times: { discoveryMs: 20 } });
    this.#random = this.cluster.random.fork("race");
    this.#racers = this.cluster.startMany(RACERS);
    this.#pids = new Map(this.#racers.map((node) => [node, [node.spawn(), node.spawn()]]));
    for (const node of this.#racers) this.#watch(node);
    this.#comeAndGo();
  }

  run(rounds: number): RaceReport {
    while (this.#rounds < rounds) this.#raceForAll();
    return {
      rounds: this.#rounds,
      transfers: this.#transfers,
      takeovers: this.#takeovers,
      visits: this.#visits,
      faults: this.#faults,
      gaps: this.#gaps,
      clashes: this.cluster.clashes.length,
      exits: this.#watched.reduce((sum, node) => sum + node.exits.length, 0),
      downs: this.#watched.flatMap((node) => node.nodeEvents.flatMap((event) => deathIn(event))),
    };
  }

  #raceForAll(): void {
    const held = this.#race();
    const handovers = new Map(NAMES.map((name) => [name, Math.floor(this.#draw() * (MOST_HANDOVERS + 1))]));
    for (let turn = 0; turn < MOST_HANDOVERS; turn += 1) {
      this.#handOn(
        held,
        NAMES.filter((name) => (handovers.get(name) ?? 0) > turn),
      );
    }
    this.#release(held);
  }

  /** Everyone registers every name, at about the same time. */
  #race(): Map<string, Held> {
    const asked: { name: string; node: MachineNode; request: number }[] = [];
    for (const name of NAMES) {
      for (const node of this.#racers) {
        this.cluster.clock.after(this.#draw() * START_SPREAD_MS, () => {
          asked.push({ name, node, request: node.register(name, this.#pick(this.#pids.get(node) ?? [])) });
        });
      }
    }
    const all = NAMES.length * this.#racers.length;
    this.#await(() => asked.length === all && asked.every(({ node, request }) => node.answers.has(request)));
    const held = new Map<string, Held>();
    for (const name of NAMES) {
      const answers = asked.filter((one) => one.name === name).map(({ node, request }) => answerOf(node, request));
      const won = answers.filter((answer) => answer.kind === "registration");
      const lost = answers.filter((answer) => answer.kind === "error" && answer.error.code === "NAME_TAKEN");
      this.#rounds += 1;
      if (won.length !== 1 || lost.length !== this.#racers.length - 1) {
        this.#faults.push(`${name}: ${won.length} won and ${lost.length} lost, in round ${this.#rounds}`);
      }
      for (const { registration } of won) held.set(name, this.#heldAs(registration));
    }
    this.#forgetAnswers();
    return held;
  }

  #handOn(held: Map<string, Held>, names: readonly string[]): void {
    const asked = names.flatMap((name) => {
      const from = held.get(name);
      if (from === undefined) return [];
      const others = [...this.#pids.values()].flat().filter((pid) => pid !== from.pid);
      const to = this.#pick(others);
      const byTransfer = this.#draw() < 0.6;
      if (byTransfer) this.#transfers += 1;
      else this.#takeovers += 1;
      const caller = this.#callerWhoSees(name, from);
      const request = byTransfer ? caller.transfer(name, to) : caller.register(name, to, { takeover: true });
      return [{ name, caller, request, from, to }];
    });
    this.#await(() => asked.every(({ caller, request }) => caller.answers.has(request)));
    for (const { name, caller, request, from, to } of asked) {
      const answer = answerOf(caller, request);
      if (answer.kind !== "registration" || answer.registration.pid !== to) {
        this.#faults.push(`${name}: was not handed to ${to}: ${JSON.stringify(answer)}`);
        held.delete(name);
        continue;
      }
      this.#ends.set(from.revision, answer.registration.revision);
      held.set(name, this.#heldAs(answer.registration));
    }
    this.#forgetAnswers();
  }

  #release(held: ReadonlyMap<string, Held>): void {
    const asked = [...held].map(([name, from]) => {
      this.#ends.set(from.revision, "released");
      const caller = this.#callerWhoSees(name, from);
      return { name, caller, request: caller.unregister(name) };
    });
    this.#await(() => asked.every(({ caller, request }) => caller.answers.has(request)));
    for (const { name, caller, request } of asked) {
      const answer = answerOf(caller, request);
      if (answer.kind !== "flag" || !answer.value) this.#faults.push(`${name}: was not released`);
    }
    this.#forgetAnswers();
  }

  /** Now and then a node is started, begins to leave, or says goodbye; some stay longer than others. */
  #comeAndGo(): void {
    this.cluster.clock.after(5 + this.#draw() * 55, () => {
      const visitor = this.#visitors[Math.floor(this.#draw() * VISITORS)];
      if (visitor === undefined) {
        if (this.#visitors.length < VISITORS) this.#welcome();
      } else if (visitor.leaving === undefined) {
        if (visitor.node.ready) visitor.leaving = visitor.node.request((request) => ({ kind: "retire", request }));
      } else if (visitor.node.answers.has(visitor.leaving)) {
        visitor.node.feed({ kind: "goodbye" });
        visitor.node.kill();
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
    const seen = new Map<string, string>();
    node.afterStep = () => {
      if (node.ready && !node.dead) this.#look(node, seen);
    };
  }

  #look(node: MachineNode, seen: Map<string, string>): void {
    const names = node.machine.names("default");
    for (const name of NAMES) {
      const revision = names?.whereis(name)?.revision;
      const before = seen.get(name);
      if (revision === before) continue;
      if (revision !== undefined) seen.set(name, revision);
      else {
        seen.delete(name);
        if (before !== undefined && !this.#wasReleased(before)) {
          this.#gaps.push(`${node.id} sees nobody as ${name} after ${before}, in round ${this.#rounds}`);
        }
      }
    }
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
    return { pid: registration.pid, revision: registration.revision, node };
  }

  #await(condition: () => boolean): void {
    this.cluster.runUntil(condition, ANSWER_WITHIN_MS);
  }

  #forgetAnswers(): void {
    for (const node of this.#racers) node.answers.clear();
  }

  #draw(): number {
    return fraction(this.#random);
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#draw() * list.length)] as T;
  }
}

function answerOf(node: MachineNode, request: number) {
  const answer = node.answers.get(request);
  if (answer === undefined) throw new Error("awaited, then not there");
  return answer;
}

function deathIn(event: MachineNode["nodeEvents"][number]): string[] {
  if (event.kind !== "down" || (event.reason.kind === "nodeDown" && event.reason.cause === "left")) return [];
  return [`${event.node.id}: ${JSON.stringify(event.reason)}`];
}
