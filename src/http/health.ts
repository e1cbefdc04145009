import type { Clock } from "../kernel/clock.ts";
import type { ClusterNode, Process, Scope } from "../node/types.ts";

/** One thing that must be so for the node to be of use. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface Health {
  readonly ready: boolean;
  readonly checks: readonly Check[];
}

/** Looking is not free: those who ask more often are told what was seen last. */
const KEPT_MS = 500;
const CHECK_MS = 2_000;
/** Where services register to be called by themselves: out of sight of those who list names. */
export const SERVICE_SCOPE = "rollcall.service";

/** Whether the node can be sent work. */
export class Readiness {
  readonly #node: ClusterNode;
  readonly #scope: Scope;
  readonly #clock: Clock;
  readonly #isStrict: boolean;
  readonly #self: Process;
  readonly #name: string;
  #isLeaving = false;
  #seen: { readonly health: Promise<Health>; readonly atMs: number } | undefined;

  private constructor(node: ClusterNode, scope: Scope, clock: Clock, isStrict: boolean, name: string) {
    this.#name = name;
    this.#node = node;
    this.#scope = scope;
    this.#clock = clock;
    this.#isStrict = isStrict;
    this.#self = node.spawn(() => "here");
  }

  /**
   * @param name of this service alone: one node may have several, and another node of its name may have been there
   * @throws whatever hinders its registration
   */
  static async create(node: ClusterNode, clock: Clock, isStrict: boolean, name: string): Promise<Readiness> {
    const scope = await node.scope(SERVICE_SCOPE);
    const readiness = new Readiness(node, scope, clock, isStrict, `${node.name} ${name}`);
    await scope.names.register(readiness.#name, readiness.#self);
    return readiness;
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** From now on it is not ready. */
  leave(): void {
    this.#isLeaving = true;
    this.#seen = undefined;
  }

  end(): void {
    this.leave();
    this.#self.exit();
  }

  async look(): Promise<Health> {
    const { monotonicMs } = this.#clock.now();
    if (this.#seen === undefined || monotonicMs - this.#seen.atMs > KEPT_MS)
      this.#seen = { health: this.#check(), atMs: monotonicMs };
    return this.#seen.health;
  }

  async #check(): Promise<Health> {
    if (this.#isLeaving)
      return { ready: false, checks: [{ name: "staying", ok: false, detail: "the node is leaving" }] };
    const checks = await Promise.all([
      check("bus", "it takes what is sent", () => this.#node.flushed({ timeoutMs: CHECK_MS })),
      check("self", "a call to itself by name is answered", () =>
        this.#node.call({ name: this.#name, scope: this.#scope.scope }, "are you there?", {
          timeoutMs: CHECK_MS,
        }),
      ),
      this.#tables(),
      this.#leases(),
    ]);
    return { ready: checks.every(({ ok }) => ok), checks };
  }

  /**
   * They were in step with the cluster when the node started, and are kept so for as long as it hears the others. One that is
   * silent may be at fault itself; several at once are not.
   */
  #tables(): Check {
    const others = this.#node.nodes().filter(({ id }) => id !== this.#node.id);
    const heard = others.filter(({ state }) => state === "up").length;
    const detail = `${heard} of ${others.length} other nodes are heard`;
    return { name: "tables", ok: others.length <= 1 || heard > 0, detail };
  }

  #leases(): Check {
    if (!this.#isStrict) return { name: "leases", ok: true, detail: "no lease servers are configured" };
    const { needed, reached, servers } = this.#node.stats().leases;
    const detail = `${reached} of ${servers} lease servers take part, ${needed} needed`;
    return { name: "leases", ok: reached >= needed, detail };
  }
}

async function check(name: string, detail: string, run: () => Promise<unknown>): Promise<Check> {
  try {
    await run();
    return { name, ok: true, detail };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
