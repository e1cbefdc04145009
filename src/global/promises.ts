import type { NodeId } from "../kernel/ids.ts";
import type { ClashMessage } from "./messages.ts";
import type { EntryRef } from "./name-entry.ts";
import { MAX_CONTENDERS } from "./name-ops.ts";
import type { NameTable } from "./name-table.ts";
import type { Owner } from "./owner.ts";

type Pin = Extract<ClashMessage, { kind: "pin" }>;

export interface PromisesPort {
  readonly self: NodeId;
  readonly scope: string;
  readonly table: NameTable;
  positionOf(owner: NodeId): number;
  isUp(node: NodeId): boolean;
  /** To a node, this one included. */
  deliver(to: NodeId, message: ClashMessage): void;
}

interface Promised {
  readonly decider: NodeId;
  readonly clash: string;
  readonly id: number;
}

/**
 * The owner's side of a clash: each registration is promised to one decider at a time, so that no two verdicts are given on
 * it. A promise ends when the registration does, when its decider lets go, or when that is down.
 */
export class Promises {
  readonly #port: PromisesPort;
  readonly #owner: Owner;
  readonly #promised = new Map<string, Promised>();

  constructor(port: PromisesPort, owner: Owner) {
    this.#port = port;
    this.#owner = owner;
  }

  /** Promises to deciders that are not up: there are none, or those registrations could never be promised again. */
  get stray(): number {
    const { self } = this.#port;
    const isHere = (node: NodeId) => node === self || this.#port.isUp(node);
    return [...this.#promised.values()].filter(({ decider }) => !isHere(decider)).length;
  }

  message(from: NodeId, message: ClashMessage): void {
    switch (message.kind) {
      case "promise":
        this.#promise(from, message);
        return;
      case "unpromise":
        if (this.#promised.get(message.name)?.clash === message.clash) this.#promised.delete(message.name);
        return;
      case "pin":
        this.#pin(from, message);
        return;
      default:
        return;
    }
  }

  /** A promise about a registration that is over is over too. */
  nameTouched(name: string): void {
    const promised = this.#promised.get(name);
    if (promised !== undefined && this.#owner.entry(name)?.id !== promised.id) this.#promised.delete(name);
  }

  peerDown(node: NodeId): void {
    for (const [name, promised] of this.#promised) {
      if (promised.decider === node) this.#promised.delete(name);
    }
  }

  #promise(from: NodeId, message: Extract<ClashMessage, { kind: "promise" }>): void {
    const { scope, clash, name, id } = message;
    const entry = this.#owner.entry(name);
    const held = this.#promised.get(name);
    const position = this.#port.positionOf(this.#port.self);
    let kind: "promised" | "busy" | "gone" = "promised";
    if (entry === undefined || entry.id !== id) {
      kind = "gone";
    } else if (held !== undefined && held.id === id && held.clash !== clash && held.decider !== from) {
      kind = "busy";
      this.#port.deliver(held.decider, { kind: "promiseCheck", scope, clash: held.clash, name });
    } else {
      this.#promised.set(name, { decider: from, clash, id });
    }
    const known = this.#port.table.entriesUnder(name).slice(0, MAX_CONTENDERS);
    this.#port.deliver(from, {
      kind: "promised",
      scope,
      clash,
      name,
      id,
      status: { kind },
      position,
      known: known.map(({ owner, sequence }) => ({ owner, sequence })),
    });
  }

  /** Only the decider that holds the promise may pin: another may have been given it since, if this one was thought dead. */
  #pin(from: NodeId, message: Pin): void {
    const { scope, clash, name } = message;
    const entry = this.#owner.entry(name);
    const promised = this.#promised.get(name);
    const mine = promised?.clash === clash && promised.decider === from;
    const answer = (done: boolean) =>
      this.#port.deliver(from, {
        kind: "pinned",
        scope,
        clash,
        name,
        done,
        position: this.#port.positionOf(this.#port.self),
      });
    if (entry !== undefined && entry.id === message.id && mine) {
      const winner = message.contenders.find(
        (contender) => contender.pid.startsWith(`${entry.owner}/`) && contender.stamp === entry.stamp,
      );
      this.#owner.pin(
        entry,
        message.losers,
        message.how.kind === "exit" ? "clashExit" : "clashNotify",
        message.meta,
        {
          contenders: message.contenders,
          winner: winner?.pid,
          losers: message.how.kind,
        },
        message.inherited ?? [],
      );
      this.#promised.delete(name);
      answer(true);
      return;
    }
    answer(entry?.id === message.id && supersedesAll(entry.supersedes, message.losers));
  }
}

/** The same pin came twice, because the answer to the first was lost. */
function supersedesAll(superseded: readonly EntryRef[], losers: readonly EntryRef[]): boolean {
  return losers.every((loser) => superseded.some((ref) => ref.owner === loser.owner && ref.id === loser.id));
}
