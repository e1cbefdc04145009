import type { NodeId } from "../kernel/ids.ts";
import type { MembershipEffect } from "./membership-types.ts";
import type { MembershipMessage } from "./protocol.ts";

/** What most steps have to show. */
const NONE: readonly MembershipEffect[] = [];

/** Collects the effects of one step. While the bus is away nothing is sent: what it takes then is lost, and comes too late. */
export class Outlet {
  connected = false;
  #effects: MembershipEffect[] = [];

  /** What was collected since the last time. */
  take(): readonly MembershipEffect[] {
    if (this.#effects.length === 0) return NONE;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  emit(effect: MembershipEffect): void {
    this.#effects.push(effect);
  }

  send(to: NodeId, message: MembershipMessage): void {
    if (this.connected) this.emit({ kind: "send", to, message });
  }

  broadcast(message: MembershipMessage): void {
    if (this.connected) this.emit({ kind: "broadcast", message });
  }
}
