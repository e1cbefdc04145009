import type { Pid } from "../../kernel/ids.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { Judgement, World } from "../machine/world.ts";

/**
 * A clash is judged once, by somebody who sees all contenders; nobody else is ended. Without partition or crash there is none.
 */
export class Clashes implements Invariant {
  readonly #world: World;
  readonly #isCalm: boolean;
  readonly #contenders = new Set<Pid>();
  readonly #judged = new Map<string, Judgement>();
  #looked = 0;

  constructor(world: World) {
    this.#world = world;
    this.#isCalm = isCalm(world.plan);
  }

  told(node: SimNode, _input: NodeInput, effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "exit") this.#exit(node, effect);
    }
  }

  settled(): void {
    const { judgements } = this.#world;
    for (; this.#looked < judgements.length; this.#looked += 1)
      this.#judgement(judgements[this.#looked] as Judgement);
  }

  #exit(node: SimNode, { pid, reason }: Extract<NodeEffect, { kind: "exit" }>): void {
    if (reason.kind !== "nameClash")
      this.#world.fail("no process is ended but by a clash", `${pid} on ${node.id}: ${reason.kind}`);
    if (!this.#contenders.has(pid))
      this.#world.fail("nobody is ended without having been heard", `${pid} on ${node.id}`);
    const { name, winner } = reason;
    if (winner === undefined || node.machine.names(DEFAULT_SCOPE)?.whereis(name) !== undefined) return;
    if (this.#world.everyone.some((one) => one.isRunning(winner)))
      this.#world.fail("nobody loses to whom has lost", `${name} of ${pid}, to ${winner}, on ${node.id}`);
  }

  #judgement(judgement: Judgement): void {
    const { clash, node, atMs } = judgement;
    const world: World = this.#world;
    if (this.#isCalm)
      world.fail("no clash without partition or crash", `${clash.name}, decided by ${node.id}`);
    if (clash.contenders.length < 2) world.fail("a clash has two contenders", `${clash.name}`);
    for (const { pid } of clash.contenders) this.#contenders.add(pid);
    world.mark(`a clash of ${Math.min(clash.contenders.length, 3)}`);
    const key = `${clash.name}: ${clash.contenders.map(({ pid, registeredAt }) => pid + registeredAt).join()}`;
    const former = this.#judged.get(key);
    this.#judged.set(key, judgement);
    if (former === undefined) return;
    // Again only if who decided was cut off before the verdict was applied, or the winner has died.
    const excused =
      !former.node.isAlive ||
      world.wasDisturbed(former.atMs, atMs) ||
      former.winner === undefined ||
      former.winner === "none" ||
      !world.everyone.some((one) => one.isRunning(former.winner as Pid));
    if (excused) world.mark("a clash judged again, with cause");
    else
      world.fail("a clash is judged once", `${key}: at ${former.atMs.toFixed(1)} and ${atMs.toFixed(1)} ms`);
  }
}
