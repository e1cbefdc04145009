import { InvalidArgumentError, NoLeasesError } from "../../kernel/errors.ts";
import { checkText } from "../../kernel/text.ts";
import { Value } from "../../kernel/value.ts";
import { checkSignal, toPid, waiting } from "../arguments.ts";
import type { NodeCore } from "../core.ts";
import type { Deadlines, Due } from "../deadlines.ts";
import { checkOptions } from "../known-options.ts";
import type { PidLike, WaitingOptions, WatchIterator, WatchOptions } from "../types.ts";
import type { WaitOptions } from "../waits.ts";
import { WatchHub } from "../watch-hub.ts";
import { keyOf } from "./key.ts";
import type { Leases } from "./leases.ts";
import type { Lease, StrictHolder, StrictNameEvent, StrictNames, StrictRegisterOptions } from "./types.ts";

/** How often a watched name is looked up within a `ttlMs`. */
const LOOKS_PER_TTL = 3;

/**
 * How many times `ttlMs` are waited for at least. Servers that are new, or that all nodes have left alone, keep out for a little more
 * than one; and whoever stands in line may do so behind a holder that has crashed, besides.
 */
const PATIENCE = { asking: 1.5, inLine: 3 } as const;

/** The strict names of one scope, for users. */
export class ScopeStrictNames implements StrictNames {
  readonly #core: NodeCore;
  readonly #scope: string;
  readonly #leases: Leases | undefined;
  readonly #deadlines: Deadlines;
  readonly #polled = new Set<string>();
  /** Those who watch: what this node hears of holders goes here. */
  readonly hub: WatchHub<StrictNameEvent>;

  constructor(core: NodeCore, scope: string, leases: Leases | undefined, deadlines: Deadlines) {
    this.#core = core;
    this.#scope = scope;
    this.#leases = leases;
    this.#deadlines = deadlines;
    this.hub = new WatchHub<StrictNameEvent>({
      quota: core.watchQuota,
      watchQueue: core.limits.watchQueue,
      snapshot: (kind, name) => ({ kind, holders: leases?.known.of(scope, name) ?? new Map() }),
      onInterest: () => {},
    });
  }

  async register(name: string, target: PidLike, options?: StrictRegisterOptions): Promise<Lease> {
    const core = this.#core;
    const leases = this.#open();
    checkText(name, "name");
    const pid = toPid(target);
    const { meta, onLost = "exit", wait = false } = checkOptions(options, "strictNames.register") ?? {};
    if (typeof wait !== "boolean") throw new InvalidArgumentError("wait", wait, "true or false");
    if (onLost !== "exit" && onLost !== "notify") {
      throw new InvalidArgumentError("onLost", onLost, '"exit" or "notify"');
    }
    const encoded = Value.encode(meta, core.metadata, "meta");
    const patience = wait ? PATIENCE.inLine : PATIENCE.asking;
    const waits = this.#waiting("strictNames.register", name, options, patience);
    const process = core.processes.checkLocal(pid, "strictNames.register");
    core.checkTakesWork();
    const scope = this.#scope;
    return leases.register({ scope, name, process, meta: encoded, isWaiting: wait, onLost }, waits);
  }

  async lookup(name: string, options?: WaitingOptions): Promise<StrictHolder | undefined> {
    const leases = this.#open();
    checkText(name, "name");
    const known = checkOptions(options, "lookup");
    const wait = this.#waiting("strictNames.lookup", name, known, PATIENCE.asking);
    return leases.lookup(keyOf(this.#scope, name), wait);
  }

  whereis(name: string): (StrictHolder & { readonly ageMs: number }) | undefined {
    const leases = this.#open();
    const key = keyOf(this.#scope, checkText(name, "name"));
    const known = leases.known.get(key);
    if (known === undefined) return undefined;
    const ageMs = leases.isHeldHere(key) ? 0 : this.#core.clock.now().monotonicMs - known.atMs;
    // Metadata that cannot be frozen is made anew at each access: a copy of the property would lose that.
    return Object.defineProperties({} as StrictHolder & { readonly ageMs: number }, {
      ...Object.getOwnPropertyDescriptors(known.holder),
      ageMs: { value: Math.max(0, ageMs), enumerable: true },
    });
  }

  watch(name?: string, options?: WatchOptions): WatchIterator<StrictNameEvent> {
    const leases = this.#open();
    const signal = checkSignal(checkOptions(options, "watch")?.signal);
    const watch = this.hub.open(name === undefined ? undefined : checkText(name, "name"), signal);
    if (name !== undefined && !this.#polled.has(name) && this.hub.isWatched(name)) this.#poll(leases, name);
    return watch;
  }

  /** Looks the name up, again and again, until nobody watches it. What comes of it is told by `Leases.known`. */
  #poll(leases: Leases, name: string): void {
    const everyMs = leases.settings.ttlMs / LOOKS_PER_TTL;
    const look: Due = {
      dueAtMs: 0,
      heapIndex: -1,
      expire: () => {
        if (!this.hub.isWatched(name)) {
          this.#polled.delete(name);
          return;
        }
        const again = (): void => this.#deadlines.add(look, everyMs);
        leases
          .lookup(keyOf(this.#scope, name), { operation: "watch", timeoutMs: everyMs })
          .then(again, again);
      },
    };
    this.#polled.add(name);
    this.#deadlines.add(look, 0);
  }

  /** @throws BusClosedError, NoLeasesError */
  #open(): Leases {
    this.#core.checkOpen();
    if (this.#leases === undefined) throw new NoLeasesError();
    return this.#leases;
  }

  #waiting(
    operation: string,
    name: string,
    options: WaitingOptions | undefined,
    patience: number,
  ): WaitOptions {
    const leastMs = patience * (this.#leases?.settings.ttlMs ?? 0);
    return waiting(operation, options, Math.max(this.#core.limits.registerMs, leastMs), name);
  }
}
