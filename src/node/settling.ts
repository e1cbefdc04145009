import type { NodeId } from "../kernel/ids.ts";
import type { TableMessage } from "./protocol.ts";

type Want = Extract<TableMessage, { kind: "settleAsk" }>["wants"][number];

export interface SettlingPort {
  send(to: NodeId, message: TableMessage): void;
  /** What this node wrote so far, or had written, in the scopes that the peer has open. */
  wantsOf(peer: NodeId): readonly Want[];
  /** Whether a command given before this request is still under way: what it will write is not known yet. */
  isBusyBefore(request: number): boolean;
  peers(): Iterable<NodeId>;
  settled(request: number): void;
}

interface Settling {
  /** Undefined: commands given before are not done yet. */
  waiting: Map<NodeId, readonly Want[]> | undefined;
}

/** `settled()`: every node that is up has applied what was written here. Asked until each says so, or is down. */
export class Settlings {
  readonly #port: SettlingPort;
  readonly #settlings = new Map<number, Settling>();

  constructor(port: SettlingPort) {
    this.#port = port;
  }

  begin(request: number): void {
    this.#settlings.set(request, { waiting: undefined });
    this.review();
  }

  abandon(request: number): void {
    this.#settlings.delete(request);
  }

  answered(from: NodeId, request: number): void {
    this.#settlings.get(request)?.waiting?.delete(from);
  }

  peerDown(node: NodeId): void {
    for (const settling of this.#settlings.values()) settling.waiting?.delete(node);
  }

  lagging(request: number): readonly NodeId[] {
    const waiting = this.#settlings.get(request)?.waiting;
    return waiting === undefined ? [] : [...waiting.keys()];
  }

  review(): void {
    for (const [request, settling] of this.#settlings) {
      if (settling.waiting === undefined && !this.#port.isBusyBefore(request)) {
        settling.waiting = new Map();
        for (const peer of this.#port.peers()) {
          const wants = this.#port.wantsOf(peer);
          if (wants.length > 0) settling.waiting.set(peer, wants);
        }
        this.#ask(request, settling.waiting);
      }
      if (settling.waiting?.size !== 0) continue;
      this.#settlings.delete(request);
      this.#port.settled(request);
    }
  }

  tick(): void {
    for (const [request, settling] of this.#settlings) {
      if (settling.waiting !== undefined) this.#ask(request, settling.waiting);
    }
  }

  #ask(request: number, waiting: ReadonlyMap<NodeId, readonly Want[]>): void {
    for (const [peer, wants] of waiting) this.#port.send(peer, { kind: "settleAsk", request, wants });
  }
}
