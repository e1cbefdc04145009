import type { Clock } from "../../kernel/clock.ts";
import { MemberProcess, type TimedSighting } from "./member-process.ts";
import type { Narrator } from "./narrator.ts";
import type { NodeSetup, Sighting, View } from "./protocol.ts";

/** How often the nodes are asked whether what is waited for has come. */
const LOOK_EVERY_MS = 25;

const STOP_MS = 5_000;

/** A step of the story did not happen. It has been told already. */
export class StepFailed extends Error {}

/** Node → what it sees. */
export type Views = ReadonlyMap<string, View>;

/** The nodes that play, and the means to check that what is told is so. */
export class Stage {
  readonly narrator: Narrator;
  readonly #clock: Clock;
  readonly #members = new Map<string, MemberProcess>();

  constructor(narrator: Narrator, clock: Clock) {
    this.narrator = narrator;
    this.#clock = clock;
  }

  get alive(): readonly MemberProcess[] {
    return [...this.#members.values()].filter((member) => member.alive);
  }

  now(): number {
    return this.#clock.now().wallMs;
  }

  async start(setup: NodeSetup): Promise<MemberProcess> {
    const member = new MemberProcess(setup, this.#clock);
    this.#members.set(setup.name, member);
    await member.ready;
    return member;
  }

  member(name: string): MemberProcess {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`there is no node ${name}`);
    return member;
  }

  /** What the nodes that are alive saw since `sinceMs`, in the order of time. */
  seen<K extends Sighting["kind"]>(kind: K, sinceMs = 0): readonly SeenBy<K>[] {
    return this.alive
      .flatMap((member) => member.sightings.map((seen) => ({ by: member.name, ...seen })))
      .filter((seen): seen is SeenBy<K> => seen.sighting.kind === kind && seen.atMs >= sinceMs)
      .sort((left, right) => left.atMs - right.atMs);
  }

  /**
   * Waits until nothing is missing from a claim, and tells that it holds.
   *
   * @param missing what is still missing, in words, given what each live node sees now
   * @param evidence tells what was seen meanwhile, before the claim
   * @throws StepFailed when something is missing for longer than `withinMs`
   */
  async verify(
    claim: string,
    withinMs: number,
    missing: (views: Views) => readonly string[],
    evidence: () => void = () => {},
  ): Promise<void> {
    const deadlineMs = this.#clock.now().monotonicMs + withinMs;
    for (;;) {
      const lacking = missing(await this.#look());
      if (lacking.length === 0) {
        evidence();
        this.narrator.holds(claim);
        return;
      }
      if (this.#clock.now().monotonicMs > deadlineMs) {
        this.narrator.fails(claim, lacking);
        throw new StepFailed(claim);
      }
      await this.pause(LOOK_EVERY_MS);
    }
  }

  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(delayMs, resolve);
    });
  }

  async allEnded(): Promise<void> {
    await Promise.all(this.alive.map((member) => member.ended));
  }

  async stop(): Promise<void> {
    await Promise.all(this.alive.map((member) => member.stop(STOP_MS)));
  }

  /** What the nodes complained of: it may say why a step failed. */
  tellComplaints(): void {
    for (const { name, stderr } of this.#members.values()) {
      for (const line of stderr) this.narrator.plain(`  ${name}: ${line}`);
    }
  }

  async #look(): Promise<Views> {
    const views = await Promise.all(
      this.alive.map(async (member) => [member.name, await member.ask("look", {})] as const),
    );
    return new Map(views);
  }
}

export interface SeenBy<K extends Sighting["kind"]> extends TimedSighting {
  /** The node that saw it. */
  readonly by: string;
  readonly sighting: Extract<Sighting, { readonly kind: K }>;
}
