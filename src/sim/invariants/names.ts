import type { NameEvent } from "../../global/types.ts";
import type { Pid } from "../../kernel/ids.ts";
import type { NodeEffect, NodeInput } from "../../node/machine-types.ts";
import { DEFAULT_SCOPE } from "../../node/scope-set.ts";
import { isCalm } from "../calm.ts";
import type { Invariant } from "../invariant.ts";
import type { SimNode } from "../machine/node.ts";
import type { World } from "../machine/world.ts";

/** What callers and watchers of names may rely on. */
export class NamesKeepTheirWord implements Invariant {
  readonly #world: World;
  readonly #isCalm: boolean;
  /** Names that only pass from one to the next by being released. */
  readonly #isPlain: (name: string) => boolean;
  readonly #asked = new Map<string, Set<string>>();

  constructor(world: World) {
    this.#world = world;
    this.#isCalm = isCalm(world.plan);
    const handed = new Set(
      world.plan.operations.flatMap((each) =>
        each.kind === "takeover" || each.kind === "transfer" ? [each.name] : [],
      ),
    );
    this.#isPlain = (name) => !handed.has(name);
  }

  told(node: SimNode, input: NodeInput, effects: readonly NodeEffect[]): void {
    if (
      input.kind === "unregister" ||
      input.kind === "transfer" ||
      (input.kind === "register" && input.takeover)
    )
      this.#note(input.name, input.kind);
    let before: NameEvent | undefined;
    for (const effect of effects) {
      if (effect.kind === "nameEvent") {
        this.#event(node, effect.event);
        before = effect.event;
      }
      if (effect.kind === "answer" && effect.answer.kind === "registration")
        this.#registered(node, effect.answer.registration);
    }
    // A reader of a name that is handed on never finds nobody, unless whom it was handed to is gone already.
    if (this.#isCalm && before?.kind === "unregistered" && this.#isHandedOn(before))
      this.#world.fail(
        "a name that is handed on is never without a holder",
        `${before.registration.name} on ${node.id}`,
      );
  }

  #event(node: SimNode, event: NameEvent): void {
    const world: World = this.#world;
    if (event.kind !== "unregistered" || event.registration.node !== node.id) return;
    const { name, pid } = event.registration;
    switch (event.reason.kind) {
      case "released":
        // Who took it over may have ended by the time that its former holder hears of it.
        if (this.#asked.get(name) === undefined && !this.#gaveUpOn(name))
          world.fail("nobody's name is released unasked", `${name} of ${pid}`);
        return;
      case "takenOver":
        return;
      default:
        if (event.reason.kind !== "nameClash" && node.isRunning(pid) && node.processes.get(pid) === undefined)
          world.fail("a name ends with its process", `${name} of ${pid}: ${event.reason.kind}`);
    }
  }

  #registered(node: SimNode, { name, pid }: { readonly name: string; readonly pid: Pid }): void {
    const world: World = this.#world;
    world.mark("a registration");
    if (!this.#isCalm || !this.#isPlain(name)) return;
    // It may have ended before its registration was answered.
    if (!world.everyone.some((one) => one.isRunning(pid))) return;
    const shown = node.machine.names(DEFAULT_SCOPE)?.whereis(name);
    if (shown !== undefined && shown.pid !== pid)
      world.fail("a caller reads its own writes", `${name} is ${shown.pid} on ${node.id}, registered ${pid}`);
    const holders = world.present.filter(
      (one) => one.machine.names(DEFAULT_SCOPE)?.whereis(name)?.node === one.id,
    );
    if (holders.length > 1)
      world.fail("one of several racers wins", `${name} is held by ${holders.map(({ id }) => id).join()}`);
  }

  /** A registration whose caller was told that it failed is given back, however late. */
  #gaveUpOn(name: string): boolean {
    return this.#world.asked.some(
      ({ node, what, answer }) =>
        what.kind === "register" &&
        what.name === name &&
        (!node.isAlive || answer === "gave up" || answer?.kind === "error"),
    );
  }

  #isHandedOn({ reason }: Extract<NameEvent, { kind: "unregistered" }>): boolean {
    return reason.kind === "takenOver" && this.#world.everyone.some((node) => node.isRunning(reason.by));
  }

  #note(name: string, kind: string): void {
    const kinds = this.#asked.get(name);
    if (kinds === undefined) this.#asked.set(name, new Set([kind]));
    else kinds.add(kind);
  }
}
