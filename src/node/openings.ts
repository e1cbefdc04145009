import type { NodeId } from "../kernel/ids.ts";
import type { TableMessage } from "./protocol.ts";

/** How long an unanswered question waits before it is asked again, in milliseconds. */
const RETRY_MS = 300;

export interface OpeningsPort {
  send(to: NodeId, message: TableMessage): void;
  /** Whether this node has joined the others that have the scope open. */
  joined(scope: string): boolean;
  opened(requests: readonly number[]): void;
}

interface Opening {
  readonly requests: number[];
  readonly waiting: Set<NodeId>;
  askedAtMs: number;
}

/**
 * Scopes being opened. Two nodes that open one at the same moment must not both believe that they are alone in it: so every
 * live node is asked, behind the news that this one has it open. Whoever opens it later knows this one already.
 */
export class Openings {
  readonly #port: OpeningsPort;
  readonly #openings = new Map<string, Opening>();

  constructor(port: OpeningsPort) {
    this.#port = port;
  }

  begin(scope: string, request: number, peers: Iterable<NodeId>, nowMs: number): void {
    const opening: Opening = { requests: [request], waiting: new Set(peers), askedAtMs: nowMs };
    this.#openings.set(scope, opening);
    this.#ask(scope, opening);
  }

  isOpening(scope: string): boolean {
    return this.#openings.has(scope);
  }

  /** It is being opened, or is open: this request is answered with the others. */
  also(scope: string, request: number): void {
    const opening = this.#openings.get(scope);
    if (opening === undefined) this.#port.opened([request]);
    else opening.requests.push(request);
  }

  /** The scope is opened all the same; nobody waits for it. */
  abandon(request: number): void {
    for (const opening of this.#openings.values()) {
      const index = opening.requests.indexOf(request);
      if (index >= 0) opening.requests.splice(index, 1);
    }
  }

  answered(from: NodeId, scope: string): void {
    this.#openings.get(scope)?.waiting.delete(from);
  }

  peerDown(node: NodeId): void {
    for (const opening of this.#openings.values()) opening.waiting.delete(node);
  }

  lagging(request: number): readonly NodeId[] {
    for (const opening of this.#openings.values()) {
      if (opening.requests.includes(request)) return [...opening.waiting];
    }
    return [];
  }

  review(): void {
    for (const [scope, opening] of this.#openings) {
      if (opening.waiting.size > 0 || !this.#port.joined(scope)) continue;
      this.#openings.delete(scope);
      this.#port.opened(opening.requests);
    }
  }

  tick(nowMs: number): void {
    for (const [scope, opening] of this.#openings) {
      if (nowMs - opening.askedAtMs < RETRY_MS) continue;
      opening.askedAtMs = nowMs;
      this.#ask(scope, opening);
    }
  }

  #ask(scope: string, opening: Opening): void {
    for (const peer of opening.waiting) this.#port.send(peer, { kind: "scopeAsk", scope });
  }
}
