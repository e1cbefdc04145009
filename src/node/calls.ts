import { NodeDownError, type RollcallError } from "../kernel/errors.ts";
import { type NodeId, nodeOfPid, type Pid } from "../kernel/ids.ts";
import type { AbortListeners } from "./abort-listeners.ts";
import type { Deadlines } from "./deadlines.ts";
import { Wait, type WaitOptions, Waits } from "./waits.ts";

/** A call that has not been answered. */
export class PendingCall extends Wait<unknown> {
  readonly id: number;
  readonly callee: Pid;
  readonly #calls: Calls;

  constructor(calls: Calls, waits: Waits, id: number, callee: Pid, options: WaitOptions) {
    super(waits, options);
    this.#calls = calls;
    this.id = id;
    this.callee = callee;
  }

  protected override describe(operation: string): string {
    return `${operation} to ${this.callee}`;
  }

  protected override forget(): void {
    this.#calls.remove(this);
  }
}

/** The calls of one node that wait for an answer. */
export class Calls {
  readonly #waits: Waits;
  readonly #byId = new Map<number, PendingCall>();
  readonly #byNode = new Map<NodeId, Set<PendingCall>>();
  #lastId = 0;

  constructor(deadlines: Deadlines, aborts: AbortListeners, pendingCalls: number) {
    this.#waits = new Waits(deadlines, aborts, "pendingCalls", pendingCalls);
  }

  get size(): number {
    return this.#byId.size;
  }

  /**
   * @throws LimitExceededError when too many are under way
   * @throws BusClosedError after the stop
   */
  begin(callee: Pid, options: WaitOptions): PendingCall {
    this.#lastId += 1;
    const call = new PendingCall(this, this.#waits, this.#lastId, callee, options);
    this.#byId.set(call.id, call);
    const node = nodeOfPid(callee);
    const ofNode = this.#byNode.get(node);
    if (ofNode === undefined) this.#byNode.set(node, new Set([call]));
    else ofNode.add(call);
    return call;
  }

  /** The call that a node may answer; undefined when nobody waits for it any more, or it was not made to that node. */
  find(from: NodeId, id: number): PendingCall | undefined {
    const call = this.#byId.get(id);
    return call !== undefined && nodeOfPid(call.callee) === from ? call : undefined;
  }

  /** Nobody there will answer any more. */
  nodeDown(node: NodeId): void {
    for (const call of this.#byNode.get(node) ?? []) call.reject(new NodeDownError(node));
  }

  close(error: RollcallError): void {
    this.#waits.close(error);
  }

  /** For `PendingCall` only. */
  remove(call: PendingCall): void {
    this.#byId.delete(call.id);
    const node = nodeOfPid(call.callee);
    const ofNode = this.#byNode.get(node);
    ofNode?.delete(call);
    if (ofNode?.size === 0) this.#byNode.delete(node);
  }
}
