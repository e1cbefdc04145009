import {
  InvalidArgumentError,
  LimitExceededError,
  NoLeasesError,
  NoSuchNameError,
  TimeoutError,
} from "../../kernel/errors.ts";
import type { Pid } from "../../kernel/ids.ts";
import { checkText } from "../../kernel/text.ts";
import type { Value } from "../../kernel/value.ts";
import type { NodeCore } from "../core.ts";
import { NotHolderError } from "../reply.ts";
import { DEFAULT_SCOPE } from "../scope-set.ts";
import type { Address, StrictNameAddress } from "../types.ts";
import { Wait, type WaitOptions } from "../waits.ts";
import { keyOf, type ScopedName } from "./key.ts";
import type { Leases } from "./leases.ts";
import { RETRY_MS } from "./limits.ts";

/** How messages go to a process, once it is known which. */
export interface PidMessaging {
  /** False: it is known that nobody will get it. */
  deliver(to: Pid, value: Value, from: Pid | undefined, holding: ScopedName): boolean;
  call(
    to: Pid,
    value: Value,
    from: Pid | undefined,
    wait: WaitOptions,
    holding: ScopedName,
  ): Promise<unknown>;
}

interface Queued {
  readonly value: Value;
  readonly from: Pid | undefined;
}

export function isStrict(to: Address): to is StrictNameAddress {
  return typeof to === "object" && to !== null && !("pid" in to) && "strictName" in to;
}

/** What processes say to whoever holds a strict name. */
export class StrictMessaging {
  readonly #core: NodeCore;
  readonly #leases: Leases | undefined;
  readonly #messaging: PidMessaging;
  /** Messages whose addressee is being looked up, by the key of its name. */
  readonly #queued = new Map<string, Queued[]>();
  #queuedBytes = 0;

  constructor(core: NodeCore, leases: Leases | undefined, messaging: PidMessaging) {
    this.#core = core;
    this.#leases = leases;
    this.#messaging = messaging;
  }

  /** @throws InvalidArgumentError, NoLeasesError */
  check(address: StrictNameAddress, path: string): ScopedName {
    for (const key in address) {
      if (key === "strictName" || key === "scope" || !Object.hasOwn(address, key)) continue;
      const value = address[key as keyof StrictNameAddress];
      throw new InvalidArgumentError(
        `${path}.${key}`,
        value,
        "nothing: an address takes strictName and scope",
      );
    }
    const scope = address.scope === undefined ? DEFAULT_SCOPE : checkText(address.scope, `${path}.scope`);
    const name = checkText(address.strictName, `${path}.strictName`);
    if (this.#core.machine.names(scope) === undefined) {
      throw new InvalidArgumentError(`${path}.scope`, scope, "a scope that this node has opened");
    }
    if (this.#leases === undefined) throw new NoLeasesError();
    return { scope, name };
  }

  /** @throws LimitExceededError when the outbound queue, or what waits for a lookup, is too much */
  send(to: ScopedName, value: Value, from: Pid | undefined): void {
    const key = keyOf(to.scope, to.name);
    const queue = this.#queued.get(key);
    const holder = queue === undefined ? this.#holderHeardOf(key) : undefined;
    if (holder !== undefined) {
      this.#deliver(holder, { value, from }, to);
      return;
    }
    const { outboundBytes } = this.#core.limits;
    const { length } = value.bytes;
    if (this.#queuedBytes + length > outboundBytes) {
      const what = "as much as may wait until the holders of strict names are looked up";
      throw new LimitExceededError("outboundBytes", outboundBytes, what);
    }
    this.#queuedBytes += length;
    if (queue !== undefined) queue.push({ value, from });
    else {
      this.#queued.set(key, [{ value, from }]);
      void this.#lookUpAndSend(key, to);
    }
  }

  /** Looks the name up until its holder takes the call, or nobody holds it, or the time is over. */
  async call(
    to: ScopedName,
    value: Value,
    from: Pid | undefined,
    wait: WaitOptions,
  ): Promise<{ readonly pid: Pid; readonly value: unknown }> {
    const { clock, waits } = this.#core;
    const endsAtMs = clock.now().monotonicMs + wait.timeoutMs;
    const left = (): WaitOptions => {
      const timeoutMs = endsAtMs - clock.now().monotonicMs;
      if (timeoutMs <= 0) throw new TimeoutError(wait.operation, wait.timeoutMs);
      return { ...wait, timeoutMs };
    };
    const key = keyOf(to.scope, to.name);
    let holder = this.#holderHeardOf(key);
    for (let pauseMs: number = RETRY_MS.first; ; pauseMs = Math.min(2 * pauseMs, RETRY_MS.last)) {
      holder ??= (await this.#lookUp(key, left()))?.pid;
      if (holder === undefined) throw new NoSuchNameError(to.name);
      try {
        return { pid: holder, value: await this.#messaging.call(holder, value, from, left(), to) };
      } catch (error) {
        // It is the holder to be, whose `register` has not returned, or was the holder a moment ago.
        if (!(error instanceof NotHolderError)) throw error;
      }
      holder = undefined;
      await new Pause(waits, { ...left(), timeoutMs: Math.min(pauseMs, left().timeoutMs) }).promise;
    }
  }

  async #lookUpAndSend(key: string, to: ScopedName): Promise<void> {
    const wait = { operation: "send", subject: to.name, timeoutMs: this.#core.limits.callMs };
    const holder = await this.#lookUp(key, wait).catch(() => undefined);
    const queue = this.#queued.get(key) ?? [];
    this.#queued.delete(key);
    for (const queued of queue) {
      this.#queuedBytes -= queued.value.bytes.length;
      if (holder === undefined) this.#core.counts.messages.undelivered += 1;
      else this.#deliverLate(holder.pid, queued, to);
    }
  }

  /** Its `send` has returned: where there is no room for it on the way, that can only be counted. */
  #deliverLate(pid: Pid, queued: Queued, to: ScopedName): void {
    try {
      this.#deliver(pid, queued, to);
    } catch {
      this.#core.counts.messages.undelivered += 1;
    }
  }

  #deliver(pid: Pid, { from, value }: Queued, to: ScopedName): void {
    if (!this.#messaging.deliver(pid, value, from, to)) this.#core.counts.messages.undelivered += 1;
  }

  async #lookUp(key: string, wait: WaitOptions): Promise<{ readonly pid: Pid } | undefined> {
    if (this.#leases === undefined) throw new NoLeasesError();
    return this.#leases.lookup(key, wait);
  }

  /** As long as it was heard of within a `ttlMs`, and can be reached. */
  #holderHeardOf(key: string): Pid | undefined {
    const { clock, machine, processes } = this.#core;
    const known = this.#leases?.known.get(key);
    if (this.#leases === undefined || known === undefined) return undefined;
    const { node, pid } = known.holder;
    const isHere = processes.isLocal(pid);
    if (isHere) return this.#leases.isHeldHere(key) ? pid : undefined;
    const ageMs = clock.now().monotonicMs - known.atMs;
    return ageMs < this.#leases.settings.ttlMs && machine.isUp(node) ? pid : undefined;
  }
}

/** A wait whose end is its time. */
class Pause extends Wait<void> {
  override expire(): void {
    this.resolve();
  }
}
