import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** A name shows what somebody said of it: of the process that has it, or of the name, wherever it has gone. */
export class NamesShowWhatWasSaid implements Invariant {
  readonly #world: World;
  /** What was said of each name with a registration, and by an update. */
  readonly #said = new Map<string, Set<unknown>>();
  /** What each request to unregister a name found. */
  readonly #found = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
  }

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    if (input.kind === "register" || input.kind === "updateName") this.#say(input.name, input.meta.get());
    for (const effect of effects) if (effect.kind === "answer") this.#answer(node, effect);
    if (input.kind === "unregister") this.#note(node, input.request, input.name);
  }

  atRest(): void {
    // The others agree with it.
    const [first] = this.#world.present;
    for (const { name, meta } of first?.machine.names(DEFAULT_SCOPE)?.list() ?? []) this.#look(name, meta);
  }

  #answer(node: SimNode, { request, answer }: Extract<NodeEffect, { kind: "answer" }>): void {
    const what = node.asked.get(request)?.what;
    if (answer.kind === "registration") {
      const { name, meta, revision } = answer.registration;
      // One that was handed on before it was answered is told of without.
      if (what?.kind !== "transfer") this.#look(name, meta);
      if (what?.kind === "updateName" && what.revision === revision && what.meta.get() !== meta)
        this.#world.fail("an update that succeeds is made", `${name} still has ${meta}, on ${node.id}`);
    } else if (answer.kind === "flag" && answer.value && what?.kind === "unregister") {
      const shown = node.machine.names(DEFAULT_SCOPE)?.whereis(what.name);
      if (shown !== undefined && shown.revision === this.#found.get(`${node.id} ${request}`))
        this.#world.fail(
          "who releases a name does not find it again",
          `${what.name} of ${shown.pid}, on ${node.id}`,
        );
    }
  }

  /** After the answers: what is answered at once finds nothing here. */
  #note(node: SimNode, request: number, name: string): void {
    const shown = node.machine.names(DEFAULT_SCOPE)?.whereis(name);
    if (shown !== undefined) this.#found.set(`${node.id} ${request}`, shown.revision);
  }

  #say(name: string, meta: unknown): void {
    const said = this.#said.get(name);
    if (said === undefined) this.#said.set(name, new Set([meta]));
    else said.add(meta);
  }

  #look(name: string, meta: unknown): void {
    if (this.#said.get(name)?.has(meta) !== true)
      this.#world.fail("a name shows what was said of it", `${name} has ${meta}`);
  }
}
