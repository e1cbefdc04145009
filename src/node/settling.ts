import type { NodeId } from "../kernel/ids.ts";
import type { TableMessage } from "./protocol.ts";

type Want = Extract<TableMessage, { kind: "settleAsk" }>["wants"][number];

export interface SettlingPort {
  send(to: NodeId, message: TableMessage): void;
  /** What this node wrote so far, or had written. */
  wants(): readonly Want[];
  /** Whether the peer is known to have the scope open. */
  hasOpen(peer: NodeId, scope: string): boolean;
  /** Whether a command given before this request is still under way: what it will write is not known yet. */
  isBusyBefore(request: number): boolean;
  peers(): Iterable<NodeId>;
  settled(request: number): void;
}

interface Settling {
  /** Undefined: commands given before are not done yet. */
  wants: readonly Want[] | undefined;
  readonly waiting: Set<NodeId>;
}

/**
 * `settled()`: every node that is up has applied what was written here. Asked until each says so, or is down; one that comes
 * up meanwhile is asked too, for it may be one that was lost, and has forgotten.
 */
export class Settlings {
  readonly #port: SettlingPort;
  readonly #settlings = new Map<number, Settling>();

  constructor(port: SettlingPort) {
    this.#port = port;
  }

  begin(request: number): void {
    this.#settlings.set(request, { wants: undefined, waiting: new Set() });
    this.review();
  }

  abandon(request: number): void {
    this.#settlings.delete(request);
  }

  answered(from: NodeId, request: number): void {
    this.#settlings.get(request)?.waiting.delete(from);
  }

  peerUp(node: NodeId): void {
    for (const [request, { wants, waiting }] of this.#settlings) {
      if (wants === undefined) continue;
      waiting.add(node);
      this.#ask(request, wants, waiting);
    }
  }

  /**
   * Nobody waits for it any more, nor for what it wrote:
   *
   * 1. n1 has n2 register one of its processes. 2. n2 is killed. 3. n3, which has just started, never meets n2. 4. n1, which
   * does not know yet, asks n3 whether it has applied what n2 wrote.
   */
  peerDown(node: NodeId): void {
    for (const settling of this.#settlings.values()) {
      settling.waiting.delete(node);
      settling.wants = settling.wants?.filter((want) => want.owner !== node);
    }
  }

  lagging(request: number): readonly NodeId[] {
    return [...(this.#settlings.get(request)?.waiting ?? [])];
  }

  review(): void {
    for (const [request, settling] of this.#settlings) {
      if (settling.wants === undefined && !this.#port.isBusyBefore(request)) {
        settling.wants = this.#port.wants();
        for (const peer of this.#port.peers()) settling.waiting.add(peer);
        this.#ask(request, settling.wants, settling.waiting);
      }
      if (settling.wants === undefined || settling.waiting.size > 0) continue;
      this.#settlings.delete(request);
      this.#port.settled(request);
    }
  }

  tick(): void {
    for (const [request, { wants, waiting }] of this.#settlings) {
      if (wants !== undefined) this.#ask(request, wants, waiting);
    }
  }

  #ask(request: number, wants: readonly Want[], waiting: Set<NodeId>): void {
    for (const peer of waiting) {
      const concerning = wants.filter((want) => this.#port.hasOpen(peer, want.scope));
      if (concerning.length === 0) waiting.delete(peer);
      else this.#port.send(peer, { kind: "settleAsk", request, wants: concerning });
    }
  }
}
