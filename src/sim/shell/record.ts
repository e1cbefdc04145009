import type { NodeId } from "../../kernel/ids.ts";
import { isCalm } from "../calm.ts";
import type { Tell } from "../machine/telling.ts";
import type { Fault, Plan } from "../plan.ts";
import { TraceHash } from "../trace.ts";
import { Violation } from "../violation.ts";
import { Teller } from "./telling.ts";
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

/** What a run has seen, and the first thing that was wrong with it. Everything seen goes into its fingerprint. */
export class RunRecord {
  readonly plan: Plan;
  readonly world: ShellWorld;
  readonly isCalm: boolean;
  readonly trace = new TraceHash();
  readonly marks = new Set<string>();
  readonly injected = new Map<Fault["kind"], number>();
  /** By the ids that nodes have given themselves. */
  readonly members = new Map<NodeId, Member>();
  violation: Violation | undefined;
  readonly #disturbances: Disturbance[] = [];
  readonly #teller: Teller | undefined;

  /** @param tell for a reader: a line for each thing that happens */
  constructor(plan: Plan, tell?: Tell) {
    this.plan = plan;
    const teller = tell && new Teller(plan, tell, () => this.world.nowMs);
    this.#teller = teller;
    this.isCalm = isCalm(plan);
    this.world = new ShellWorld({
      seed: plan.seed,
      delayMs: plan.delayMs,
      turnMs: plan.turnMs,
      tell: teller && ((who, what, kind) => teller.line(who, what, kind)),
      onFrame: teller && ((frame) => teller.frame(frame)),
      look: () => this.look(),
    });
  }

  /**
   * Something that a program could see has happened.
   *
   * @param kind as of a `TraceLine`
   */
  observe(who: string, what: string, kind = "seen"): void {
    this.trace.add(Math.round(this.world.nowMs * 1_000));
    this.trace.addText(who);
    this.trace.addText(what);
    this.#teller?.line(who, what, kind);
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
