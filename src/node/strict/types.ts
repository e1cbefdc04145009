import type { NodeId, Pid } from "../../kernel/ids.ts";
import type { PidLike, WaitingOptions, WatchIterator, WatchOptions } from "../types.ts";

/** Who holds a strict name, and with which token. */
export interface StrictHolder {
  readonly pid: Pid;
  /** That of the process. */
  readonly node: NodeId;
  /** The fencing token of this holding. Per name it only goes up, over all holders, for ever. */
  readonly token: bigint;
  readonly meta: unknown;
}

export interface StrictRegisterOptions extends WaitingOptions {
  /** Any value, over `limits.metadataBytes` not. Default: undefined. It stays as it is for as long as the lease is held. */
  readonly meta?: unknown;
  /** Stand in line while somebody holds the name, until `timeoutMs` have passed. Default: false. */
  readonly wait?: boolean | undefined;
  /**
   * What becomes of the process when the lease is lost: it ends with reason `leaseLost` (`exit`, the default), or lives on and is
   * told so (`notify`, by `SpawnOptions.onNotice`).
   */
  readonly onLost?: "exit" | "notify" | undefined;
}

/**
 * What a watch of strict names tells. `registered`: somebody holds the name, who did not before as far as this node knew.
 * `unregistered`: `holder` holds it no more.
 */
export type StrictNameEvent =
  | { readonly kind: "state" | "resync"; readonly holders: ReadonlyMap<string, StrictHolder> }
  | {
      readonly kind: "registered" | "unregistered";
      readonly name: string;
      readonly holder: StrictHolder;
    };

/**
 * A strict name that a process of this node was granted. It is held until it is released, its process ends, or a majority of the
 * lease servers cannot be reached for so long that somebody else might be granted the name; then it is lost for good.
 * Disposing of it releases it.
 */
export interface Lease extends AsyncDisposable {
  readonly name: string;
  readonly pid: Pid;
  /**
   * The fencing token: higher than that of every earlier holder of the name. Send it along with whatever the name protects, and
   * have that refuse lower ones than it has seen: this is what keeps you safe where clocks misbehave.
   */
  readonly token: bigint;
  /**
   * Aborted when the lease ends, before the name can be granted to anybody else. After the event loop stood still: on waking,
   * before any handler runs. Its reason is a `LeaseLostError` if it was lost, and else an `AbortError`.
   */
  readonly signal: AbortSignal;
  /** Whether it is held, judged now by this node's clocks: the truth, whatever timers have had no chance to fire. */
  isHeld(): boolean;
  /** For how many milliseconds it is held if the lease servers answer no more; 0: it is not. */
  remainingMs(): number;
  /**
   * Gives the name back: `signal` is aborted and `isHeld()` false before the servers are asked. Resolves when a majority has
   * taken note, or has not within a sixth of `ttlMs`: then the name is free when the lease has run out. Never rejects.
   */
  release(): Promise<void>;
}

/**
 * Names that are consistent (CP): held by a lease that a majority of independent servers granted (`NodeOptions.leases`), by one
 * process at a time. Without a majority nothing is registered or looked up.
 *
 * Every method throws, or rejects with, `NoLeasesError` on a node that was given no `leases`. Waits time out after
 * `limits.registerMs` or 1.5 times `ttlMs`, whichever is longer (`register` with `wait`: 3 times), unless `timeoutMs` says otherwise.
 */
export interface StrictNames {
  /**
   * Takes the name for a process of this node, as Chubby and ZooKeeper's lock recipe do. A name that this very process holds is
   * taken as well: release it first.
   *
   * @throws NameTakenError when somebody holds it, and `wait` is not set
   * @throws NoQuorumError when a majority of the lease servers cannot be reached: after a third of `ttlMs`; with `wait`, after
   *   `timeoutMs`. Servers that answer but keep out are waited for, if it is known that they do for less than `timeoutMs`.
   * @throws IndeterminateError when the votes do not tell whether somebody holds it, within `timeoutMs`
   * @throws TimeoutError when its turn has not come within `timeoutMs`
   * @throws NotLocalError for a process of another node, NoSuchProcessError for one that has ended, also meanwhile
   * @throws LimitExceededError over `limits.metadataBytes`, `limits.leases` or `limits.leaseWaiters`
   * @throws BusClosedError when the node drains
   */
  register(name: string, pid: PidLike, options?: StrictRegisterOptions): Promise<Lease>;
  /**
   * Who holds it? Linearizable: asks a majority, and tells of a moment between call and answer. A holder may show whose
   * `register` has not returned yet.
   *
   * @throws NoQuorumError when a majority cannot be reached: after a third of `ttlMs`, as with `register`
   * @throws IndeterminateError when the votes do not tell, and who may hold it does not answer. Never a guess.
   */
  lookup(name: string, options?: WaitingOptions): Promise<StrictHolder | undefined>;
  /**
   * Who held it when this node heard of it last, `ageMs` milliseconds ago: a hint. Local; it never waits. What processes of this node
   * hold is always known; of all others the 10,000 that were heard of last.
   */
  whereis(name: string): (StrictHolder & { readonly ageMs: number }) | undefined;
  /**
   * What this node knows, as a `state` event, then each change that it hears of: hints, like `whereis`. Of one name: it is looked
   * up three times in each `ttlMs` for as long as somebody watches. Of all: only what this node registers and looks up; and when a
   * hint of somebody on another node is forgotten (see `whereis`), no event tells. A reader that falls behind gets a `resync`.
   */
  watch(name?: string, options?: WatchOptions): WatchIterator<StrictNameEvent>;
}
