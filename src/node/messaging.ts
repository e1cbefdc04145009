import {
  InvalidArgumentError,
  NodeDownError,
  NoSuchNameError,
  NoSuchProcessError,
  NotLocalError,
} from "../kernel/errors.ts";
import { checkNodeId, type NodeId, nodeOfPid, type Pid, serialOfPid } from "../kernel/ids.ts";
import { checkText } from "../kernel/text.ts";
import { Value } from "../kernel/value.ts";
import { toPid, waiting } from "./arguments.ts";
import type { NodeCore } from "./core.ts";
import { USER } from "./frame.ts";
import { DEFAULT_SCOPE } from "./machine.ts";
import type { GroupReader } from "./machine-types.ts";
import { userMessages } from "./message-wire.ts";
import { LocalReply } from "./reply.ts";
import type {
  Address,
  CallOptions,
  GroupAddress,
  MulticallResult,
  PidLike,
  PublishOptions,
  SendOptions,
} from "./types.ts";
import type { WaitOptions } from "./waits.ts";

/**
 * Up to this many nodes a group message rather joins frames that are open to them than have those closed, which a broadcast
 * does: traffic that mixes both would otherwise share no frames at all.
 */
const FEW_NODES = 8;

/** What leaves the processes of this node: where it goes, and in which form. */
export class Messaging {
  readonly #core: NodeCore;
  /** Scope → how many other nodes have it open, as of the last change of membership. */
  readonly #peersIn = new Map<string, number>();

  constructor(core: NodeCore) {
    this.#core = core;
  }

  send(to: Address, message: unknown, options: SendOptions | undefined): void {
    const { counts } = this.#core;
    const pid = this.#resolve(to);
    const from = this.#checkFrom(options?.from);
    const value = this.#encode(message);
    if (pid === undefined || !this.#deliver(pid, value, from)) counts.messages.undelivered += 1;
  }

  async call(to: Address, message: unknown, options: CallOptions | undefined): Promise<unknown> {
    const pid = this.#resolve(to);
    const from = this.#checkFrom(options?.from);
    const value = this.#encode(message);
    const wait = waiting("call", options, this.#core.limits.callMs);
    if (pid === undefined) throw new NoSuchNameError(nameOf(to));
    return this.#call(pid, value, from, wait);
  }

  async multicall(
    to: GroupAddress | readonly Address[],
    message: unknown,
    options: CallOptions | undefined,
  ): Promise<MulticallResult<unknown>> {
    const addresses = Array.isArray(to) ? (to as readonly Address[]) : this.#members(to as GroupAddress);
    const pids = addresses.map((address) => this.#resolve(address));
    const from = this.#checkFrom(options?.from);
    const value = this.#encode(message);
    const wait = waiting("multicall", options, this.#core.limits.callMs);
    wait.signal?.throwIfAborted();
    const replies: { pid: Pid; value: unknown }[] = [];
    const failures: { to: Address; error: unknown }[] = [];
    const outcomes = await Promise.allSettled(
      addresses.map((address, index) => {
        const pid = pids[index];
        return pid === undefined
          ? Promise.reject(new NoSuchNameError(nameOf(address)))
          : this.#call(pid, value, from, wait).then((answer) => ({ pid, value: answer }));
      }),
    );
    wait.signal?.throwIfAborted();
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "fulfilled") replies.push(outcome.value);
      else failures.push({ to: addresses[index] as Address, error: outcome.reason });
    });
    return { replies, failures };
  }

  /** @returns how many members it is meant for */
  publish(
    scope: string,
    reader: GroupReader,
    group: string,
    message: unknown,
    options: PublishOptions | undefined,
  ): number {
    const { self } = this.#core;
    const only = checkOnly(options?.only);
    const from = this.#checkFrom(options?.from);
    const except = options?.except === undefined ? undefined : toPid(options.except, "except");
    const value = this.#encode(message);
    const spared = except !== undefined && reader.has(group, except) ? nodeOfPid(except) : undefined;
    const remote: NodeId[] = [];
    let recipients = 0;
    let local = 0;
    for (const [node, members] of reader.nodesOf(group)) {
      if (only !== undefined && node !== (only === "local" ? self : only)) continue;
      const meant = node === spared ? members - 1 : members;
      recipients += meant;
      if (node === self) local = meant;
      else if (meant > 0) remote.push(node);
    }
    // First what may be refused: then either all get it or nobody does.
    if (remote.length > 0) {
      const encoded = userMessages.encode({
        kind: "group",
        scope,
        group,
        payload: value.bytes,
        from,
        except,
      });
      this.#sendToNodes(scope, remote, encoded);
    }
    if (local > 0) this.deliverToGroup(reader, group, value.get(), from, except);
    return recipients;
  }

  /** Into the mailboxes of the members on this node. */
  deliverToGroup(
    reader: GroupReader,
    group: string,
    message: unknown,
    from: Pid | undefined,
    except: Pid | undefined,
  ): void {
    const { counts, processes, self } = this.#core;
    let isDelivered = false;
    for (const pid of reader.pidsOn(group, self)) {
      if (pid === except) continue;
      isDelivered = processes.deliver(serialOfPid(pid), { message, from, reply: undefined }) || isDelivered;
    }
    if (!isDelivered) counts.messages.undelivered += 1;
  }

  /** Nodes came, went, or opened a scope. */
  membershipChanged(): void {
    this.#peersIn.clear();
  }

  /** False: it is known that nobody will get it. */
  #deliver(pid: Pid, value: Value, from: Pid | undefined): boolean {
    const { machine, outbox, processes, self } = this.#core;
    const node = nodeOfPid(pid);
    if (node === self)
      return processes.deliver(serialOfPid(pid), { message: value.get(), from, reply: undefined });
    if (!machine.isUp(node)) return false;
    const encoded = userMessages.encode({ kind: "send", to: serialOfPid(pid), payload: value.bytes, from });
    outbox.checkRoom(encoded.length, 1);
    outbox.sendTo(node, USER, encoded);
    return true;
  }

  async #call(pid: Pid, value: Value, from: Pid | undefined, wait: WaitOptions): Promise<unknown> {
    const { calls, machine, message, outbox, processes, self } = this.#core;
    const node = nodeOfPid(pid);
    const process = processes.find(pid);
    if (node === self && process === undefined) throw new NoSuchProcessError(pid);
    if (node !== self && !machine.isUp(node)) throw new NodeDownError(node);
    const call = calls.begin(pid, wait);
    if (process !== undefined) {
      processes.deliver(process.serial, { message: value.get(), from, reply: new LocalReply(call, message) });
      return call.promise;
    }
    try {
      const { timeoutMs } = wait;
      const to = serialOfPid(pid);
      const payload = value.bytes;
      const encoded = userMessages.encode({
        kind: "call",
        to,
        call: call.id,
        timeoutMs: Math.ceil(timeoutMs),
        payload,
        from,
      });
      outbox.checkRoom(encoded.length, 1);
      outbox.sendTo(node, USER, encoded);
    } catch (error) {
      call.reject(error);
    }
    return call.promise;
  }

  #sendToNodes(scope: string, nodes: readonly NodeId[], encoded: Uint8Array): void {
    const { outbox } = this.#core;
    const isCheaperWide =
      nodes.length > 1 &&
      nodes.length * 2 > this.#countPeers(scope) &&
      !(outbox.hasOpenDirect && nodes.length <= FEW_NODES);
    outbox.checkRoom(encoded.length, isCheaperWide ? 1 : nodes.length);
    if (isCheaperWide) outbox.sendWide(this.#core.subjects.scope(scope), USER, encoded);
    else for (const node of nodes) outbox.sendTo(node, USER, encoded);
  }

  #countPeers(scope: string): number {
    const known = this.#peersIn.get(scope);
    if (known !== undefined) return known;
    const { machine, self } = this.#core;
    const peers = machine.nodes().filter((node) => node.id !== self && node.scopes.includes(scope)).length;
    this.#peersIn.set(scope, peers);
    return peers;
  }

  /** Undefined: a name that nobody holds. */
  #resolve(to: Address): Pid | undefined {
    if (typeof to === "object" && to !== null && !("pid" in to) && "name" in to) {
      const scope = to.scope === undefined ? DEFAULT_SCOPE : checkText(to.scope, "scope");
      const reader = this.#core.machine.names(scope);
      if (reader === undefined) throw notOpen(scope);
      return reader.whereis(checkText(to.name, "name"))?.pid;
    }
    return toPid(to, "to");
  }

  #members(to: GroupAddress): readonly Address[] {
    if (typeof to !== "object" || to === null || !("group" in to)) {
      throw new InvalidArgumentError("to", to, "{ group } or an array of addresses");
    }
    const scope = to.scope === undefined ? DEFAULT_SCOPE : checkText(to.scope, "scope");
    const reader = this.#core.machine.groups(scope);
    if (reader === undefined) throw notOpen(scope);
    return reader.members(checkText(to.group, "group")).map((member) => member.pid);
  }

  #checkFrom(from: PidLike | undefined): Pid | undefined {
    if (from === undefined) return undefined;
    const pid = toPid(from, "from");
    // Receivers take no node's word for what processes of others say.
    if (!this.#core.processes.isLocal(pid)) throw new NotLocalError(pid, "from");
    return pid;
  }

  #encode(message: unknown): Value {
    return Value.encode(message, this.#core.message, "message");
  }
}

function notOpen(scope: string): InvalidArgumentError {
  return new InvalidArgumentError("scope", scope, "a scope that this node has opened");
}

function nameOf(to: Address): string {
  return typeof to === "object" && "name" in to ? to.name : "";
}

function checkOnly(only: "local" | NodeId | undefined): "local" | NodeId | undefined {
  return only === undefined || only === "local" ? only : checkNodeId(only, "only");
}
