import type { Pid } from "../../kernel/ids.ts";
import type { Lease } from "./types.ts";

/** What a lease needs of its node. */
export interface LeaseHost {
  remainingMs(key: string, claim: number): number;
  /** Ends what has run out, if anything has. */
  look(): void;
  release(lease: HeldLease): Promise<void>;
}

export interface HeldLeaseOptions {
  readonly host: LeaseHost;
  readonly key: string;
  readonly scope: string;
  readonly name: string;
  readonly pid: Pid;
  readonly claim: number;
  readonly token: bigint;
  readonly onLost: "exit" | "notify";
}

/** A lease that a process of this node was granted. */
export class HeldLease implements Lease {
  readonly key: string;
  readonly scope: string;
  readonly name: string;
  readonly pid: Pid;
  readonly claim: number;
  readonly token: bigint;
  readonly onLost: "exit" | "notify";
  readonly #host: LeaseHost;
  #controller: AbortController | undefined;
  #ended = false;
  /** Why the signal is aborted. */
  #reason: unknown;
  #released: Promise<void> | undefined;

  constructor({ host, ...of }: HeldLeaseOptions) {
    this.#host = host;
    this.key = of.key;
    this.scope = of.scope;
    this.name = of.name;
    this.pid = of.pid;
    this.claim = of.claim;
    this.token = of.token;
    this.onLost = of.onLost;
  }

  get signal(): AbortSignal {
    // Ten thousand names need no more signals than somebody looks at.
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  isHeld(): boolean {
    return this.remainingMs() > 0;
  }

  remainingMs(): number {
    if (this.#ended) return 0;
    const leftMs = this.#host.remainingMs(this.key, this.claim);
    // So that nobody sees a lease that is not held and a signal that is not aborted.
    if (leftMs <= 0) this.#host.look();
    return leftMs;
  }

  release(): Promise<void> {
    this.#released ??= this.#ended ? Promise.resolve() : this.#host.release(this);
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** It is not held from here on. */
  end(): void {
    this.#ended = true;
  }

  /** Lets everyone know. Users' code runs here. */
  announceEnd(reason: unknown): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}
