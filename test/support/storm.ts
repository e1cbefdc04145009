import { fraction, type Random } from "../../src/kernel/random.ts";
import { pause } from "./eventually.ts";
import type { ServerProcess } from "./server-process.ts";
import type { NodeFault, ServerFault, StormStage } from "./storm-stage.ts";
import type { Worker } from "./worker-client.ts";

export interface StormOptions {
  readonly random: Random;
  /** The node of a new process runs. */
  onStarted(worker: Worker): Promise<void>;
}

/** Kills and stops lease servers and nodes, at random: of each kind one at a time, and a server only when all are open. */
export class Storm {
  readonly #stage: StormStage;
  readonly #options: StormOptions;
  readonly #faults = new Map<string, number>();
  #endsAtMs = 0;

  constructor(stage: StormStage, options: StormOptions) {
    this.#stage = stage;
    this.#options = options;
  }

  /** How often what was done. */
  get faults(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#faults].sort(([left], [right]) => (left < right ? -1 : 1)));
  }

  /**
   * Resolves when it is over, and everything that was stopped or killed is back. No node is hurt near the end, so that all that was
   * held by those that were has been taken over then.
   */
  async rage(ms: number): Promise<void> {
    this.#endsAtMs = performance.now() + ms;
    const { random } = this.#options;
    await Promise.all([this.#hurtServers(random.fork("servers")), this.#hurtNodes(random.fork("nodes"))]);
  }

  get #leftMs(): number {
    return this.#endsAtMs - performance.now();
  }

  async #hurtServers(random: Random): Promise<void> {
    const { serverFaults, times } = this.#stage;
    const faults = shuffledForEver(serverFaults, random);
    for (;;) {
      await this.#pause(times.betweenServers, random);
      if (this.#leftMs <= 0) return;
      const fault: ServerFault = faults.next().value;
      const server = await this.#stage.victim(fault, random);
      this.#did(fault);
      if (fault.endsWith("killed")) {
        await server.kill();
        await this.#pause(times.serverKilled, random);
        await server.run();
      } else await this.#stop(server, times.serverStopped, random);
      await this.#stage.opened(server);
    }
  }

  async #hurtNodes(random: Random): Promise<void> {
    const { cluster, nodeFaults, settings, times } = this.#stage;
    const faults = shuffledForEver(nodeFaults, random);
    // What was held by a node that is hurt can be had by others after a ttl and a little more.
    const leftMs = (): number => this.#leftMs - 1.2 * settings.ttlMs;
    for (;;) {
      await this.#pause(times.betweenNodes, random);
      const workers = cluster.running;
      const worker = workers[random.u32() % workers.length];
      if (worker === undefined) continue;
      const fault: NodeFault = faults.next().value;
      // Of one that is paused nothing is expected to be taken over.
      if (fault !== "node paused") await this.#holdFirst(worker, leftMs());
      if (leftMs() <= 0) {
        await worker.node.letGoOfStrictWork();
        return;
      }
      this.#did(fault);
      if (fault === "node killed") {
        await cluster.kill(worker);
        await this.#options.onStarted(await cluster.add(worker.name));
        continue;
      }
      // Paused, it wakes with what it held; or that has just run out.
      await this.#stop(worker, fault === "node paused" ? times.nodePaused : times.nodeStopped, random);
      await worker.node.letGoOfStrictWork();
    }
  }

  /** Or as many as the others leave it, if what was held by the one that was hurt before does not come free in time. */
  async #holdFirst(worker: Worker, withinMs: number): Promise<void> {
    const { heldFirst, settings } = this.#stage;
    if (heldFirst === 0) return;
    await worker.node.keepStrictWork(heldFirst, Math.min(withinMs, 1.5 * settings.ttlMs));
  }

  async #stop(
    process: ServerProcess | Worker,
    span: readonly [number, number],
    random: Random,
  ): Promise<void> {
    process.signal("SIGSTOP");
    try {
      await this.#pause(span, random);
    } finally {
      process.signal("SIGCONT");
    }
  }

  /** @param span in multiples of the ttl */
  async #pause([least, most]: readonly [number, number], random: Random): Promise<void> {
    const drawnMs = (least + (most - least) * fraction(random)) * this.#stage.settings.ttlMs;
    await pause(Math.max(0, Math.min(drawnMs, this.#leftMs)));
  }

  #did(what: ServerFault | NodeFault): void {
    this.#faults.set(what, (this.#faults.get(what) ?? 0) + 1);
  }
}

function* shuffledForEver<T>(all: readonly T[], random: Random): Generator<T, never> {
  for (;;) {
    const left = [...all];
    while (left.length > 0) yield* left.splice(random.u32() % left.length, 1);
  }
}
