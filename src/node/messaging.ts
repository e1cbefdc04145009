import { NodeDownError, NoSuchNameError, NoSuchProcessError } from "../kernel/errors.ts";
import { nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import { Value } from "../kernel/value.ts";
import { checkFrom, membersOf, nameIn, resolveAddress } from "./addressing.ts";
import { waiting } from "./arguments.ts";
import type { NodeCore } from "./core.ts";
import { type Stream, USER } from "./frame.ts";
import { repeatedStream, userMessages } from "./message-wire.ts";
import { LocalReply } from "./reply.ts";
import { keyOf, type ScopedName } from "./strict/key.ts";
import type { Leases } from "./strict/leases.ts";
import { isStrict, StrictMessaging } from "./strict/strict-messaging.ts";
import type { Address, CallOptions, GroupAddress, MulticallResult, SendOptions } from "./types.ts";
import type { WaitOptions } from "./waits.ts";

/** The process that an address stands for, or a strict name that is to be looked up. Undefined: a name that nobody holds. */
type Target = Pid | ScopedName | undefined;

/** What the processes of this node say to single others: where it goes, and in which form. */
export class Messaging {
  readonly #core: NodeCore;
  readonly #strict: StrictMessaging;
  /** Of the latest send to another node: the next is often to the same process. */
  #latest: { readonly to: Pid; readonly from: Pid | undefined; readonly stream: Stream } | undefined;

  constructor(core: NodeCore, leases: Leases | undefined) {
    this.#core = core;
    this.#strict = new StrictMessaging(core, leases, {
      deliver: (to, value, from, holding) => this.#deliver(to, value, from, holding),
      call: (to, value, from, wait, holding) => this.#call(to, value, from, wait, holding),
    });
  }

  send(to: Address, message: unknown, options: SendOptions | undefined): void {
    const { counts, machine, message: limit, processes } = this.#core;
    const strict = isStrict(to) ? this.#strict.check(to, "to") : undefined;
    const pid = isStrict(to) ? undefined : resolveAddress(machine, to);
    const from = checkFrom(processes, options?.from);
    const value = Value.encode(message, limit, "message");
    if (strict !== undefined) this.#strict.send(strict, value, from);
    else if (pid === undefined || !this.#deliver(pid, value, from)) counts.messages.undelivered += 1;
  }

  async call(to: Address, message: unknown, options: CallOptions | undefined): Promise<unknown> {
    const { limits, message: limit, processes } = this.#core;
    const target = this.#resolve(to, "to");
    const from = checkFrom(processes, options?.from);
    const value = Value.encode(message, limit, "message");
    const wait = waiting("call", options, limits.callMs);
    return (await this.#callTarget(target, to, value, from, wait)).value;
  }

  async multicall(
    to: GroupAddress | readonly Address[],
    message: unknown,
    options: CallOptions | undefined,
  ): Promise<MulticallResult<unknown>> {
    const { limits, machine, message: limit, processes } = this.#core;
    const addresses: readonly Address[] = isList(to) ? [...to] : membersOf(machine, to);
    const targets = addresses.map((address, index) =>
      this.#resolve(address, isList(to) ? `to[${index}]` : "to"),
    );
    const from = checkFrom(processes, options?.from);
    const value = Value.encode(message, limit, "message");
    const wait = waiting("multicall", options, limits.callMs);
    wait.signal?.throwIfAborted();
    const outcomes = await Promise.allSettled(
      addresses.map((address, index) => this.#callTarget(targets[index], address, value, from, wait)),
    );
    wait.signal?.throwIfAborted();
    const replies: { pid: Pid; value: unknown }[] = [];
    const failures: { to: Address; error: unknown }[] = [];
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "fulfilled") replies.push(outcome.value);
      else failures.push({ to: addresses[index] as Address, error: outcome.reason });
    });
    return { replies, failures };
  }

  #resolve(to: Address, path: string): Target {
    return isStrict(to) ? this.#strict.check(to, path) : resolveAddress(this.#core.machine, to, path);
  }

  /** With the pid that answered, which for a strict name is known only then. */
  async #callTarget(
    target: Target,
    to: Address,
    value: Value,
    from: Pid | undefined,
    wait: WaitOptions,
  ): Promise<{ readonly pid: Pid; readonly value: unknown }> {
    if (target === undefined) throw new NoSuchNameError(nameIn(to));
    if (typeof target === "object") return this.#strict.call(target, value, from, wait);
    return { pid: target, value: await this.#call(target, value, from, wait, undefined) };
  }

  /** False: it is known that nobody will get it. */
  #deliver(to: Pid, value: Value, from: Pid | undefined, holding?: ScopedName): boolean {
    const { machine, outbox, processes, self } = this.#core;
    const node = nodeOfPid(to);
    if (node === self) {
      const strictKey = holding === undefined ? undefined : keyOf(holding.scope, holding.name);
      return processes.deliver(serialOfPid(to), { message: value.get(), from, reply: undefined, strictKey });
    }
    if (!machine.isUp(node) || isMadeUp(to)) return false;
    const stream =
      holding === undefined
        ? this.#streamTo(to, from)
        : repeatedStream({ kind: "send", to: serialOfPid(to), from, holding });
    outbox.checkRoom(stream, value.bytes, 1);
    outbox.sendTo(node, stream, value.bytes);
    return true;
  }

  #streamTo(to: Pid, from: Pid | undefined): Stream {
    if (this.#latest?.to === to && this.#latest.from === from) return this.#latest.stream;
    const stream = repeatedStream({ kind: "send", to: serialOfPid(to), from, holding: undefined });
    this.#latest = { to, from, stream };
    return stream;
  }

  async #call(
    pid: Pid,
    value: Value,
    from: Pid | undefined,
    wait: WaitOptions,
    holding: ScopedName | undefined,
  ): Promise<unknown> {
    const { calls, machine, message, processes, self } = this.#core;
    const node = nodeOfPid(pid);
    const process = processes.find(pid);
    if (node === self && process === undefined) throw new NoSuchProcessError(pid);
    if (node !== self && !machine.isUp(node)) throw new NodeDownError(node);
    if (isMadeUp(pid)) throw new NoSuchProcessError(pid);
    const call = calls.begin(pid, wait);
    if (process !== undefined) {
      const strictKey = holding === undefined ? undefined : keyOf(holding.scope, holding.name);
      const reply = new LocalReply(call, message);
      processes.deliverTo(process, { message: value.get(), from, reply, strictKey });
      return call.promise;
    }
    try {
      this.#ask(pid, call.id, Math.ceil(wait.timeoutMs), value, from, holding);
    } catch (error) {
      call.reject(error);
    }
    return call.promise;
  }

  #ask(
    pid: Pid,
    call: number,
    timeoutMs: number,
    { bytes: payload }: Value,
    from: Pid | undefined,
    holding: ScopedName | undefined,
  ): void {
    const { outbox } = this.#core;
    const to = serialOfPid(pid);
    const encoded = userMessages.encode({ kind: "call", to, call, timeoutMs, payload, from, holding });
    outbox.checkRoom(USER, encoded, 1);
    outbox.sendTo(nodeOfPid(pid), USER, encoded);
  }
}

/** Well-formed, but with a serial that no node ever gets to, and that the wire does not carry. */
function isMadeUp(pid: Pid): boolean {
  return !Number.isSafeInteger(serialOfPid(pid));
}

function isList(to: GroupAddress | readonly Address[]): to is readonly Address[] {
  return Array.isArray(to);
}
