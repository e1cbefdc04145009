import { ownerOf, type Vote } from "../requests.ts";
import type { QuorumCore } from "./core.ts";
import type { HeldNames } from "./held-names.ts";

/** Asks nodes whether they hold a name, where votes do not tell. Their yes is the truth at that moment; silence says nothing. */
export class Questions {
  readonly #core: QuorumCore;
  readonly #held: HeldNames;
  readonly #open = new Map<
    number,
    { readonly then: (holds: boolean | undefined) => void; readonly withdraw: () => void }
  >();

  constructor(core: QuorumCore, held: HeldNames) {
    this.#core = core;
    this.#held = held;
  }

  /** @param then undefined: no answer */
  ask({ session, claim, token }: Vote, name: string, then: (holds: boolean | undefined) => void): void {
    const owner = ownerOf(session);
    if (owner === this.#core.owner) {
      then(this.#held.get(name)?.token === token && this.#held.leftMsOf(name, claim) > 0);
      return;
    }
    const question = this.#core.nextId();
    const withdraw = this.#core.after(this.#core.times.requestMs, () => this.answer(question, undefined));
    this.#open.set(question, { then, withdraw });
    this.#core.emit({ kind: "ask", question, owner, name, claim, token });
  }

  answer(question: number, holds: boolean | undefined): void {
    const open = this.#open.get(question);
    if (open === undefined) return;
    this.#open.delete(question);
    open.withdraw();
    open.then(holds);
  }
}
