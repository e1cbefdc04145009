import type { LeaseEffect, Refusal } from "../../../src/lease/quorum/types.ts";
import type { Vote } from "../../../src/lease/requests.ts";
import type { SimLeaseNode } from "../../../src/sim/leases/node.ts";
import { LeaseWorld, type LeaseWorldOptions } from "../../../src/sim/leases/world.ts";

export interface Grant {
  readonly name: string;
  readonly claim: number;
  readonly token: number;
}

type Outcome =
  | { readonly kind: "granted"; readonly grant: Grant }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "found"; readonly holder: Vote | undefined }
  | { readonly kind: "released"; readonly confirmed: boolean };

/** A command of one node, and what came of it. */
export class Asked {
  outcome: Outcome | undefined;
  endedMs = 0;
  readonly command: number;

  constructor(command: number) {
    this.command = command;
  }
}

/** A world with a memory, for tests that tell a story. */
export class Cast extends LeaseWorld {
  readonly told: { readonly atMs: number; readonly node: SimLeaseNode; readonly effect: LeaseEffect }[] = [];
  readonly #asked = new Map<string, Asked>();

  constructor(options: LeaseWorldOptions = {}) {
    super(options);
    this.onEffect = (node, effect) => {
      this.told.push({ atMs: this.nowMs, node, effect });
      if ("command" in effect) this.#settle(node, effect);
    };
    this.run(200);
  }

  node(index: number): SimLeaseNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  acquire(node: SimLeaseNode, name: string, { wait = false, timeoutMs = 10_000 } = {}): Asked {
    const command = node.nextCommand();
    const asked = this.#begin(node, command);
    node.feed({ kind: "acquire", command, name, wait, timeoutMs, value: Buffer.from(node.owner) });
    return asked;
  }

  lookup(node: SimLeaseNode, name: string, timeoutMs = 10_000): Asked {
    const command = node.nextCommand();
    const asked = this.#begin(node, command);
    node.feed({ kind: "lookup", command, name, timeoutMs });
    return asked;
  }

  release(node: SimLeaseNode, { claim, name }: Grant): Asked {
    const command = node.nextCommand();
    const asked = this.#begin(node, command);
    node.feed({ kind: "release", command, name, claim });
    return asked;
  }

  releaseAll(node: SimLeaseNode, claims: readonly Grant[]): Asked {
    const command = node.nextCommand();
    const asked = this.#begin(node, command);
    node.feed({ kind: "releaseAll", command, claims });
    return asked;
  }

  /** Runs until it has ended. */
  outcome(asked: Asked, withinMs = 30_000): Outcome {
    this.run(withinMs, () => asked.outcome !== undefined);
    if (asked.outcome === undefined) throw new Error(`no outcome within ${withinMs} ms`);
    return asked.outcome;
  }

  /** Acquires, and must succeed. */
  take(node: SimLeaseNode, name: string, options: { wait?: boolean; timeoutMs?: number } = {}): Grant {
    return this.granted(this.acquire(node, name, options));
  }

  granted(asked: Asked): Grant {
    const outcome = this.outcome(asked);
    if (outcome.kind !== "granted") throw new Error(`not granted: ${JSON.stringify(outcome)}`);
    return outcome.grant;
  }

  refused(asked: Asked): Refusal {
    const outcome = this.outcome(asked);
    if (outcome.kind !== "refused") throw new Error(`not refused: ${JSON.stringify(outcome)}`);
    return outcome.refusal;
  }

  /** The owner that a lookup tells of; undefined: nobody. */
  holder(node: SimLeaseNode, name: string): string | undefined {
    const outcome = this.outcome(this.lookup(node, name));
    if (outcome.kind !== "found") throw new Error(`not found: ${JSON.stringify(outcome)}`);
    return outcome.holder === undefined ? undefined : Buffer.from(outcome.holder.value).toString();
  }

  holds(node: SimLeaseNode, { claim, name }: Grant): boolean {
    return node.isAlive && node.machine.remainingMs(name, claim, node.now()) > 0;
  }

  /** The names that a node was told that it has lost. */
  lost(node: SimLeaseNode): readonly string[] {
    return this.told.flatMap((each) =>
      each.node === node && each.effect.kind === "lost" ? [each.effect.name] : [],
    );
  }

  warnings(): readonly string[] {
    return this.told.flatMap(({ effect }) => (effect.kind === "warning" ? [effect.message] : []));
  }

  /** Requests of this kind that a node has sent so far. */
  sent(node: SimLeaseNode, kind: string): number {
    return this.told.filter(
      (each) => each.node === node && each.effect.kind === "send" && each.effect.request.kind === kind,
    ).length;
  }

  #begin(node: SimLeaseNode, command: number): Asked {
    const asked = new Asked(command);
    this.#asked.set(`${node.owner} ${command}`, asked);
    return asked;
  }

  #settle(node: SimLeaseNode, effect: Extract<LeaseEffect, { readonly command: number }>): void {
    const asked = this.#asked.get(`${node.owner} ${effect.command}`);
    if (asked === undefined) return;
    asked.outcome = effect.kind === "granted" ? { kind: "granted", grant: effect } : effect;
    asked.endedMs = this.nowMs;
  }
}
