import { checkNodeId, type NodeId, nodeOfPid, type Pid } from "../kernel/ids.ts";
import { Value } from "../kernel/value.ts";
import { checkFrom } from "./addressing.ts";
import { toPid } from "./arguments.ts";
import type { NodeCore } from "./core.ts";
import type { Stream } from "./frame.ts";
import { type GroupRoute, GroupRoutes } from "./group-routes.ts";
import type { GroupReader } from "./machine-types.ts";
import { repeatedStream } from "./message-wire.ts";
import { copyOf, forManyHere, isShared } from "./payload.ts";
import type { PublishOptions } from "./types.ts";

/**
 * Up to this many nodes a group message rather joins frames that are open to them than have those closed, which a broadcast
 * does: traffic that mixes both would otherwise share no frames at all.
 */
const FEW_NODES = 8;

/** In place of the mailbox of a member that stands for others: gets the message as `readPayloadForMany` gives it. */
export type Tap = (group: string, message: unknown, from: Pid | undefined, except: Pid | undefined) => void;

/** What the processes of this node say to the groups of one scope, and what those here are told. */
export class GroupMessaging {
  readonly #core: NodeCore;
  readonly #scope: string;
  readonly #subject: string;
  readonly #reader: GroupReader;
  readonly #routes: GroupRoutes;
  readonly #taps = new Map<Pid, Tap>();
  /** How many other nodes have the scope open. Undefined: to be counted again. */
  #peers: number | undefined;

  constructor(core: NodeCore, scope: string, reader: GroupReader) {
    this.#core = core;
    this.#scope = scope;
    this.#subject = core.subjects.scope(scope);
    this.#reader = reader;
    this.#routes = new GroupRoutes(core.self, scope, reader, core.pump, core.processes);
  }

  /**
   * @returns how many members it is meant for
   * @throws LimitExceededError, and then nobody gets it
   */
  publish(group: string, message: unknown, options: PublishOptions | undefined): number {
    if (options !== undefined) return this.#publishWith(group, message, options);
    const value = Value.encode(message, this.#core.message, "message");
    const route = this.#routes.of(group);
    if (route.remotes.length > 0) this.#sendToNodes(route.remotes, route.stream, value.bytes);
    if (route.locals.length > 0) this.#deliver(group, route, forManyHere(value), undefined, undefined);
    return route.members;
  }

  /**
   * Into the mailboxes of the members on this node.
   *
   * @param message as `readPayloadForMany` gives it
   */
  receive(group: string, message: unknown, from: Pid | undefined, except: Pid | undefined): void {
    this.#deliver(group, this.#routes.of(group), message, from, except);
  }

  addTap(member: Pid, tap: Tap): void {
    this.#taps.set(member, tap);
  }

  removeTap(member: Pid): void {
    this.#taps.delete(member);
  }

  /** Nodes came, went, or opened a scope. */
  membershipChanged(): void {
    this.#peers = undefined;
  }

  #publishWith(group: string, message: unknown, options: PublishOptions): number {
    const { message: limit, processes, self } = this.#core;
    const only = checkOnly(options.only, self);
    const from = checkFrom(processes, options.from);
    const except = options.except === undefined ? undefined : toPid(options.except, "except");
    const value = Value.encode(message, limit, "message");
    const spared = except !== undefined && this.#reader.has(group, except) ? nodeOfPid(except) : undefined;
    const remotes: NodeId[] = [];
    let recipients = 0;
    let isForUs = false;
    for (const [node, members] of this.#reader.nodesOf(group)) {
      if (only !== undefined && node !== only) continue;
      const meant = node === spared ? members - 1 : members;
      recipients += meant;
      if (meant === 0) continue;
      if (node === self) isForUs = true;
      else remotes.push(node);
    }
    if (remotes.length > 0) {
      const stream = repeatedStream({ kind: "group", scope: this.#scope, group, from, except });
      this.#sendToNodes(remotes, stream, value.bytes);
    }
    if (isForUs) this.receive(group, forManyHere(value), from, except);
    return recipients;
  }

  #deliver(
    group: string,
    route: GroupRoute,
    message: unknown,
    from: Pid | undefined,
    except: Pid | undefined,
  ): void {
    const { counts, processes } = this.#core;
    if (route.locals.length === 0) counts.messages.undelivered += 1;
    const shared = isShared(message) ? { message, from, reply: undefined } : undefined;
    for (const process of route.locals) {
      if (process.pid === except) continue;
      const tap = this.#taps.size === 0 ? undefined : this.#taps.get(process.pid);
      if (tap !== undefined) {
        tap(group, message, from, except);
        continue;
      }
      processes.deliverTo(process, shared ?? { message: copyOf(message), from, reply: undefined });
    }
  }

  #sendToNodes(nodes: readonly NodeId[], stream: Stream, payload: Uint8Array): void {
    const { outbox } = this.#core;
    if (this.#isCheaperWide(nodes.length)) {
      outbox.checkRoom(stream, payload, 1);
      outbox.sendWide(this.#subject, stream, payload);
      return;
    }
    outbox.checkRoom(stream, payload, nodes.length);
    for (const node of nodes) outbox.sendTo(node, stream, payload);
  }

  /** One broadcast in place of many messages, when more than half of those who would get it want it. */
  #isCheaperWide(nodes: number): boolean {
    if (nodes === 1 || (this.#core.outbox.hasOpenDirect && nodes <= FEW_NODES)) return false;
    this.#peers ??= this.#countPeers();
    return nodes * 2 > this.#peers;
  }

  #countPeers(): number {
    const { machine, self } = this.#core;
    return machine.nodes().filter((node) => node.id !== self && node.scopes.includes(this.#scope)).length;
  }
}

function checkOnly(only: "local" | NodeId | undefined, self: NodeId): NodeId | undefined {
  if (only === undefined) return undefined;
  return only === "local" ? self : checkNodeId(only, "only");
}
