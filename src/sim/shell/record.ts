import type { NodeId } from "../../kernel/ids.ts";
import { isCalm } from "../calm.ts";
import type { Plan } from "../plan.ts";
import { TraceHash } from "../trace.ts";
import { Violation } from "../violation.ts";
import { type Member, ShellWorld } from "./world.ts";

/** No run of a sound core comes near this many events. */
const LIVELOCK_EVENTS = 400_000;

/** Longer than anything takes to be given up for, from when it began. */
export const FELT_MS = 25_000;

interface Disturbance {
  readonly fromMs: number;
  readonly untilMs: number;
  /** Undefined: everybody's. */
  readonly names: readonly string[] | undefined;
}

export interface ShellLine {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
}

/** What a run has seen, and the first thing that was wrong with it. Everything seen goes into its fingerprint. */
export class RunRecord {
  readonly plan: Plan;
  readonly world: ShellWorld;
  readonly isCalm: boolean;
  readonly trace = new TraceHash();
  readonly marks = new Set<string>();
  readonly injected = new Map<string, number>();
  /** By the ids that nodes have given themselves. */
  readonly members = new Map<NodeId, Member>();
  violation: Violation | undefined;
  readonly #disturbances: Disturbance[] = [];
  readonly #tell: ((line: ShellLine) => void) | undefined;

  constructor(plan: Plan, tell?: (line: ShellLine) => void) {
    this.plan = plan;
    this.#tell = tell;
    this.isCalm = isCalm(plan);
    this.world = new ShellWorld({
      seed: plan.seed,
      delayMs: plan.delayMs,
      turnMs: plan.turnMs,
      tell: tell === undefined ? undefined : (who, what) => this.#line(who, what),
      look: () => this.look(),
    });
  }

  /** Something that a program could see has happened. */
  observe(who: string, what: string): void {
    this.trace.add(Math.round(this.world.nowMs * 1_000));
    this.trace.addText(who);
    this.trace.addText(what);
    this.#line(who, what);
  }

  mark(name: string): void {
    this.marks.add(name);
  }

  /** Said from anywhere, also from code whose throws are caught: the run ends after this event. The first one counts. */
  fail(invariant: string, seen: string): void {
    this.violation ??= new Violation(invariant, seen, this.world.nowMs);
  }

  disturb(names: readonly string[] | undefined, forMs: number): void {
    this.#disturbances.push({ names, fromMs: this.world.nowMs, untilMs: this.world.nowMs + forMs });
  }

  /** Whether anything that went wrong could be felt by these nodes in this time. */
  wasDisturbed(fromMs: number, untilMs: number, names?: readonly string[]): boolean {
    return this.#disturbances.some(
      (each) =>
        each.fromMs <= untilMs &&
        each.untilMs >= fromMs &&
        (each.names === undefined || names === undefined || each.names.some((name) => names.includes(name))),
    );
  }

  #line(who: string, what: string): void {
    this.#tell?.({ atMs: this.world.nowMs, who, what });
  }

  /** Ends the run if something was wrong. */
  look(): void {
    if (this.violation !== undefined) throw this.violation;
    if (this.world.events > LIVELOCK_EVENTS)
      throw new Violation("no livelock", `${this.world.events} events`, this.world.nowMs);
  }
}

export function nameOfPlace(place: number): string {
  return `n${place}`;
}
